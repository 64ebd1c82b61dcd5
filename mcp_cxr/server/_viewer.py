"""The viewer page as an MCP App: one inline HTML file, put together from its sources when the server is built."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from mcp.server.apps import Apps, ResourceCsp

from mcp_cxr.records import LABELS

URI: Final = "ui://mcp-cxr/viewer.html"
SHOWN_IN_VIEWER: Final[dict[str, Any]] = {"ui": {"resourceUri": URI}, "ui/resourceUri": URI}
"""`_meta` of a tool whose result the page shows; the flat key is what older hosts read."""
FOR_THE_VIEWER: Final[dict[str, Any]] = {"ui": {"visibility": ["app"]}}
"""`_meta` of a tool that the page calls and no model is offered."""

_SOURCES = Path(__file__).parent / "viewer"
_SCRIPTS = (
    *("elements", "host", "answers", "values", "film", "marks", "pane"),
    *("gallery", "filters", "facts", "reading", "viewer"),
)
"""In this order they become one script; later ones use what earlier ones declare."""


def viewer_page() -> str:
    """Return the page. It loads nothing: a host's policy forbids it, and it has no need to."""
    labels = f"const LABELS = {json.dumps(LABELS)};\n"
    scripts = labels + "\n".join(_source(f"{name}.js") for name in _SCRIPTS)
    page = _source("viewer.html").replace("/* styles */", _source("viewer.css"))
    return page.replace("/* scripts */", scripts)


def viewer_app() -> Apps:
    """Return the extension that offers the page to hosts; those that know nothing of it get the tools as they are."""
    apps = Apps()
    apps.add_html_resource(
        URI,
        viewer_page(),
        name="viewer",
        title="Chest X-ray viewer",
        description="Results of a search as pictures, and each film with window, zoom and ruler.",
        csp=ResourceCsp(),
        prefers_border=True,
    )
    return apps


def _source(name: str) -> str:
    return (_SOURCES / name).read_text(encoding="utf-8")
