"""MCP_CXR_SHARE: removes from results what the host's model may not be given."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from mcp_cxr.errors import ConfigError

if TYPE_CHECKING:
    from mcp_cxr.records import ImageDetails, SearchResult

REPORTS_NOT_SHARED = "Report text is not shared with this host's model; its owner can set MCP_CXR_SHARE=reports."
HIDDEN_PATH_NOTE = "(file names are not shared)"
_MIMIC_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{8}){4}")
_MAX_REPORT = 50_000  # characters, each up to 13 bytes in the two forms of a result of at most 1,000,000 bytes


def redact_search_result(result: SearchResult, share: tuple[str, ...]) -> SearchResult:
    """Return the search result without file names that may identify a person, and without report text if not shared."""
    hits = [replace(hit, image_path=_shared_path(hit.image_id, hit.image_path)) for hit in result.images]
    if "reports" in share or not hits:
        return replace(result, images=hits)
    hits = [replace(hit, report_excerpt=None) for hit in hits]
    return replace(result, images=hits, warnings=[*result.warnings, REPORTS_NOT_SHARED])


def _shared_path(image_id: str, path: str) -> str:
    """Return a path of MIMIC's layout unchanged; elsewhere folders and files are often named after patients."""
    return path if _MIMIC_ID.fullmatch(image_id) else HIDDEN_PATH_NOTE


def redact_image_details(details: ImageDetails, share: tuple[str, ...]) -> ImageDetails:
    """Return the details without what may not be shared, and with a very long report truncated."""
    details = replace(details, image_path=_shared_path(details.image_id, details.image_path))
    if details.report is None:
        return details
    if "reports" not in share:
        return replace(details, report=None, warnings=[*details.warnings, REPORTS_NOT_SHARED])
    report = _truncated(details.report)
    note = [] if report == details.report else [f"The report is truncated after {_MAX_REPORT} characters."]
    return replace(details, report=report, warnings=[*details.warnings, *note])


def _truncated(report: dict[str, str]) -> dict[str, str]:
    """Return the leading sections that fit into `_MAX_REPORT` characters; the last of them truncated."""
    kept: dict[str, str] = {}
    remaining = _MAX_REPORT
    for title, text in report.items():
        remaining -= len(title)
        if remaining <= 0:
            break
        kept[title] = text[:remaining]
        remaining -= len(text)
    return kept


def require_images_shared(share: tuple[str, ...]) -> None:
    """Refuse if images are not shared.

    Raises:
        ConfigError: `share` does not include images.
    """
    if "images" not in share:
        raise ConfigError("Images are not shared with this host's model; its owner can set MCP_CXR_SHARE=images.")
