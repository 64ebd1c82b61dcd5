"""What a host's model may be given: MCP_CXR_SHARE."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from mcp_cxr.errors import ConfigError

if TYPE_CHECKING:
    from mcp_cxr.records import ImageDetails, SearchResult

NO_REPORTS = "Report text is not shared with this host's model; its owner can set MCP_CXR_SHARE=reports."
HIDDEN_PATH = "(file names are not shared)"
_MIMIC_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{8}){4}")
_MAX_REPORT = 50_000  # characters, up to 13 bytes each in both forms of an answer; a result has 1,000,000 at most


def shared_page(page: SearchResult, share: tuple[str, ...]) -> SearchResult:
    """Return the page, without report text where that is not shared, and without file names that may name somebody."""
    images = [replace(hit, image_path=_shared_path(hit.image_id, hit.image_path)) for hit in page.images]
    if "reports" in share or not images:
        return replace(page, images=images)
    images = [replace(hit, report_excerpt=None) for hit in images]
    return replace(page, images=images, warnings=[*page.warnings, NO_REPORTS])


def _shared_path(image_id: str, path: str) -> str:
    """Return a path of MIMIC's layout as it is; elsewhere folders and files are often named after patients."""
    return path if _MIMIC_ID.fullmatch(image_id) else HIDDEN_PATH


def shared_facts(shown: ImageDetails, share: tuple[str, ...]) -> ImageDetails:
    """Return the facts, without what may not be shared, and with a very long report cut."""
    shown = replace(shown, image_path=_shared_path(shown.image_id, shown.image_path))
    if shown.report is None:
        return shown
    if "reports" not in share:
        return replace(shown, report=None, warnings=[*shown.warnings, NO_REPORTS])
    report = _cut(shown.report)
    if report == shown.report:
        return shown
    return replace(
        shown, report=report, warnings=[*shown.warnings, f"The report is cut after {_MAX_REPORT} characters."]
    )


def _cut(report: dict[str, str]) -> dict[str, str]:
    """Return the sections, in their order, that have room; the last of them cut."""
    cut: dict[str, str] = {}
    room = _MAX_REPORT
    for title, text in report.items():
        room -= len(title)
        if room <= 0:
            break
        cut[title] = text[:room]
        room -= len(text)
    return cut


def require_images(share: tuple[str, ...]) -> None:
    """Refuse if images are not shared.

    Raises:
        ConfigError: They are not.
    """
    if "images" not in share:
        raise ConfigError("Images are not shared with this host's model; its owner can set MCP_CXR_SHARE=images.")
