"""What a host's model may be given: MCP_CXR_SHARE."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mcp_cxr.errors import ConfigError

if TYPE_CHECKING:
    from mcp_cxr.records import Page, Shown

NO_REPORTS = "Report text is not shared with this host's model; its owner can set MCP_CXR_SHARE=reports."
_MAX_REPORT = 100_000  # characters; a result must stay under 1,000,000 bytes


def shared_page(page: Page, share: tuple[str, ...]) -> Page:
    """Return the page, without report text where that is not shared."""
    if "reports" in share or not page.images:
        return page
    images = [replace(hit, report_excerpt=None) for hit in page.images]
    return replace(page, images=images, warnings=[*page.warnings, NO_REPORTS])


def shared_facts(shown: Shown, share: tuple[str, ...]) -> Shown:
    """Return the facts, without the report where that is not shared, and with a very long one cut."""
    if shown.report is None:
        return shown
    if "reports" not in share:
        return replace(shown, report=None, warnings=[*shown.warnings, NO_REPORTS])
    if sum(map(len, shown.report.values())) <= _MAX_REPORT:
        return shown
    each = _MAX_REPORT // len(shown.report)
    cut = {title: text[:each] for title, text in shown.report.items()}
    return replace(shown, report=cut, warnings=[*shown.warnings, f"Report sections are cut to {each} characters."])


def require_pictures(share: tuple[str, ...]) -> None:
    """Refuse where pictures are not shared.

    Raises:
        ConfigError: They are not.
    """
    if "pictures" not in share:
        raise ConfigError("Pictures are not shared with this host's model; its owner can set MCP_CXR_SHARE=pictures.")
