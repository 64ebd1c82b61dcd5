"""The viewer page as an MCP App: one HTML file, assembled from `viewer/` when the server is built."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

from mcp.server.apps import Apps, ResourceCsp

from mcp_cxr.records import LABELS, VIEWER_URI

OPENS_VIEWER: Final[dict[str, Any]] = {"ui": {"resourceUri": VIEWER_URI}, "ui/resourceUri": VIEWER_URI}
"""`_meta` of a tool whose result the page shows; older hosts read the flat key."""
FOR_VIEWER_ONLY: Final[dict[str, Any]] = {"ui": {"visibility": ["app"]}}
"""`_meta` of a tool for the page alone: hosts do not offer it to a model."""

_SOURCES = Path(__file__).parent / "viewer"
_SCRIPTS = (
    *("dom", "host_client", "tool_results", "stored_values", "windowed_image", "overlay", "viewport"),
    *("gallery", "search_form", "image_details", "timeline", "image_viewer", "app", "start"),
)
"""ES modules, concatenated into one script in this order: later ones use what earlier ones declare."""
_IMPORT_OR_EXPORT = re.compile(r"^import [^;]+;\n|^export ", re.MULTILINE)


def viewer_page() -> str:
    """Return the page as HTML. It loads nothing, since hosts' content policies forbid that."""
    labels = f"const LABELS = {json.dumps(LABELS)};\n"
    modules = "\n".join(_source(f"{name}.js") for name in _SCRIPTS)
    scripts = labels + _IMPORT_OR_EXPORT.sub("", modules)
    page = _source("viewer.html").replace("/* styles */", _source("viewer.css"))
    return page.replace("/* scripts */", scripts)


def viewer_app() -> Apps:
    """Return the MCP Apps extension that offers the page; hosts without MCP Apps still get the tools."""
    apps = Apps()
    apps.add_html_resource(
        VIEWER_URI,
        viewer_page(),
        name="viewer",
        title="Chest X-ray viewer",
        description="Search results as thumbnails, and each image with window, zoom and ruler.",
        csp=ResourceCsp(),
        prefers_border=True,
    )
    return apps


def _source(name: str) -> str:
    return (_SOURCES / name).read_text(encoding="utf-8")
