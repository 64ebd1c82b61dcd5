"""What the host's model is given of a result: nothing that MCP_CXR_SHARE does not name, and nothing twice."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mcp_cxr.errors import ConfigError

if TYPE_CHECKING:
    from mcp_cxr.records import Hit, ImageDetails, SearchResult

REPORTS_NOT_SHARED = (
    "This server does not share report text with the model. To allow it, add reports to MCP_CXR_SHARE in the server's"
    " settings and restart it."
)
HIDDEN_PATH_NOTE = "(file names are not shared)"
_MIMIC_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{8}){4}")
_MAX_REPORT = 50_000  # characters, each up to 13 bytes in the two forms of a result of at most 1,000,000 bytes


def redact_search_result(result: SearchResult, share: tuple[str, ...]) -> SearchResult:
    """Return the search result as a model is given it.

    File names that may identify a person are left out, as is report text that is not shared. Absent labels are names in
    `labels_absent` only.
    """
    with_reports = "reports" in share
    hits = [_for_model(hit, with_reports=with_reports) for hit in result.images]
    note = [] if with_reports or not hits else [REPORTS_NOT_SHARED]
    return result.model_copy(update={"images": hits, "warnings": [*result.warnings, *note]})


def _for_model(hit: Hit, *, with_reports: bool) -> Hit:
    """Return the hit without a path that repeats its ids, with each label once, and a report only if it is shared."""
    path = _shared_path(hit.image_id, hit.image_path or "")
    changes: dict[str, Any] = {
        "image_path": None if path == HIDDEN_PATH_NOTE or hit.image_id in path else path,
        "labels": {name: value for name, value in hit.labels.items() if value != 0},
        "report_excerpt": hit.report_excerpt if with_reports else None,
    }
    return hit.model_copy(update=changes)


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
        raise ConfigError(
            "This server does not share images with the model. To allow it, add images to MCP_CXR_SHARE in the server's"
            " settings and restart it."
        )
