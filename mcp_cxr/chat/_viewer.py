"""The viewer page of chat hosts, here: a small host around it passes its calls on to the person's server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st
from mcp import MCPError
from streamlit.components import v2 as components

from mcp_cxr.chat._job import wait_for
from mcp_cxr.errors import CxrError
from mcp_cxr.records import VIEWER_URI

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from mcp import Client

    from mcp_cxr.chat._backend import Desk

_READS = frozenset({"search_medical_images", "get_image_metadata", "get_image_pixels", "view_image"})
"""What the page may call: nothing that writes."""
_WITHIN_S = 30


def viewer(
    desk: Desk,
    *,
    key: str,
    question: dict[str, Any],
    page: dict[str, Any] | None = None,
    opens: str | None = None,
    on_context: Callable[[str], None] | None = None,
) -> None:
    """Draw the page for a question.

    Args:
        desk: Whose films.
        key: Its own, on this page.
        question: The arguments of `search_medical_images`.
        page: Its answer; None: the page asks.
        opens: Film of `page` that is shown at once.
        on_context: Is told in a line what the person looks at.
    """
    result: dict[str, Any] = {"content": [], **({"structuredContent": page} if page else {})}
    hosting: dict[str, Any] = {"input": question, "result": result, "opens": opens}

    @st.fragment
    def draw() -> None:
        try:
            html = _html(desk)
        except (CxrError, TimeoutError):
            st.caption("The viewer has to wait for the server.")
            return
        seen: dict[str, Any] = st.session_state.get(key) or {}
        answers = _answers(desk, key, seen.get("calls") or [])
        if on_context and seen.get("context"):
            on_context(seen["context"])
        _component()(
            key=key,
            data={"html": html, "hosting": hosting, "answers": answers},
            on_calls_change=lambda: None,
            on_context_change=lambda: None,
        )

    draw()


def _answers(desk: Desk, key: str, calls: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what is answered by now of the calls that the page waits for, at least one of them."""
    pending: dict[str, Future[dict[str, Any]]] = st.session_state.setdefault(f"{key}_pending", {})
    wanted = {call["id"] for call in calls}
    for gone in pending.keys() - wanted:
        pending.pop(gone).cancel()
    for call in calls:
        if call["id"] not in pending:
            pending[call["id"]] = desk.loop.start(_passed_on(desk, call["name"], call["arguments"]))
    if pending:
        wait_for(pending.values())
    return {name: future.result() for name, future in pending.items() if future.done()}


async def _passed_on(desk: Desk, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Call a tool for the page; what goes wrong is a result, too."""
    if tool not in _READS:
        return _failed(f"{tool} is not for the viewer.")
    try:
        result = await desk.person.call(tool, arguments)
    except (CxrError, MCPError) as exc:
        return _failed(str(exc))
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)


def _failed(text: str) -> dict[str, Any]:
    return {"isError": True, "content": [{"type": "text", "text": text}]}


@st.cache_resource(show_spinner=False)
def _html(_desk: Desk) -> str:
    """Return the page, as the server hands it out."""

    async def read(client: Client) -> str:
        (resource,) = (await client.read_resource(VIEWER_URI)).contents
        return getattr(resource, "text", "")

    return _desk.loop.start(_desk.person.ask(read)).result(_WITHIN_S)


@st.cache_resource(show_spinner=False)
def _component() -> Any:  # noqa: ANN401 - Streamlit's own type is private
    script = (Path(__file__).parent / "viewer_host.js").read_text(encoding="utf-8")
    return components.component("mcp_cxr_viewer", js=script)
