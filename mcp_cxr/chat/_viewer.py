"""Embeds the viewer page in the app: a small MCP Apps host that forwards its calls to the user's server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st
from mcp import MCPError
from streamlit.components import v2 as components

from mcp_cxr.chat._streamlit_helpers import wait_for
from mcp_cxr.errors import CxrError
from mcp_cxr.records import VIEWER_URI

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from mcp_cxr.chat._servers import Backend

_READ_ONLY_TOOLS = frozenset({"search_medical_images", "get_image_metadata", "get_image_pixels", "view_image"})
"""The tools that the viewer may call: none that writes."""
_TIMEOUT_S = 30


def viewer(
    backend: Backend,
    *,
    key: str,
    query: dict[str, Any],
    page: dict[str, Any] | None = None,
    opens: str | None = None,
    names: Mapping[str, str] | None = None,
    on_context: Callable[[str], None] | None = None,
) -> None:
    """Draw the viewer for a query.

    Args:
        backend: Answers the viewer's calls.
        key: Unique on the page.
        query: Arguments of `search_medical_images`.
        page: The result; None: the viewer searches by itself.
        opens: Image of `page` to open at once.
        names: Display names of examples in `query`, such as uploaded files.
        on_context: Called with one line about what the user is viewing.
    """
    result: dict[str, Any] = {"content": [], **({"structuredContent": page} if page else {})}
    hosting: dict[str, Any] = {"input": query, "result": result, "opens": opens, "names": dict(names or {})}

    @st.fragment
    def draw() -> None:
        try:
            html = _html(backend)
        except (CxrError, TimeoutError):
            st.caption("The viewer is waiting for the server.")
            return
        seen: dict[str, Any] = st.session_state.get(key) or {}
        answers = _answered_calls(backend, key, seen.get("calls") or [])
        if on_context and seen.get("context"):
            on_context(seen["context"])
        _component()(
            key=key,
            data={"html": html, "hosting": hosting, "answers": answers},
            on_calls_change=lambda: None,
            on_context_change=lambda: None,
        )

    draw()


def _answered_calls(backend: Backend, key: str, calls: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the results so far of the calls that the viewer waits for; at least one."""
    pending: dict[str, Future[dict[str, Any]]] = st.session_state.setdefault(f"{key}_pending", {})
    wanted = {call["id"] for call in calls}
    for gone in pending.keys() - wanted:
        pending.pop(gone).cancel()
    for call in calls:
        if call["id"] not in pending:
            pending[call["id"]] = backend.loop.start(_call_for_viewer(backend, call["name"], call["arguments"]))
    if pending:
        wait_for(pending.values())
    return {name: future.result() for name, future in pending.items() if future.done()}


async def _call_for_viewer(backend: Backend, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Call a tool for the viewer; an error becomes a result."""
    if tool not in _READ_ONLY_TOOLS:
        return _failed(f"{tool} is not available to the viewer.")
    try:
        result = await backend.user_server.call(tool, arguments)
    except (CxrError, MCPError) as exc:
        return _failed(str(exc))
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)


def _failed(text: str) -> dict[str, Any]:
    return {"isError": True, "content": [{"type": "text", "text": text}]}


@st.cache_resource(show_spinner=False)
def _html(_backend: Backend) -> str:
    """Return the viewer's HTML as the server provides it."""
    reading = _backend.user_server.run(lambda client: client.read_resource(VIEWER_URI))
    (resource,) = _backend.loop.start(reading).result(_TIMEOUT_S).contents
    return getattr(resource, "text", "")


@st.cache_resource(show_spinner=False)
def _component() -> Any:  # noqa: ANN401 - Streamlit's own type is private
    script = (Path(__file__).parent / "viewer_host.js").read_text(encoding="utf-8")
    return components.component("mcp_cxr_viewer", js=script)
