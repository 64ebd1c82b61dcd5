"""The app: which page is shown, and what all pages have in common."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from mcp_cxr.chat.pages._archive_page import archive_page
from mcp_cxr.chat.pages._chat_page import chat_page
from mcp_cxr.chat.pages._search_page import search_page
from mcp_cxr.chat.pages._session_state import this_tab
from mcp_cxr.chat.pages._streamlit_helpers import escape_markdown, wait_for
from mcp_cxr.chat.session import ServerEnded, current_backend, describe_query, save_query, saved_queries
from mcp_cxr.errors import CxrError
from mcp_cxr.loopback import remote_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_cxr.chat.model import ChatModel
    from mcp_cxr.chat.pages._session_state import Tab
    from mcp_cxr.chat.session import Backend

_PAGES = {"Search": search_page, "Chat": chat_page, "Archive": archive_page}
_POLL_S = 2
_STYLES = Path(__file__).parent / "page.css"


def draw_app() -> None:
    """Draw the app once for one tab."""
    st.set_page_config(page_title="Chest X-rays", page_icon="🩻", layout="wide")
    st.html(_STYLES)
    backend, tab = current_backend(), this_tab()
    with st.container(horizontal=True, vertical_alignment="center", key="head"):
        page_name = st.segmented_control(
            "Page", list(_PAGES), default="Search", key="page", required=True, label_visibility="collapsed"
        )
        st.markdown(_model_line(backend.language_model, backend.settings.share))
    st.fragment(_warn_of_ended_server, run_every=_POLL_S)(backend, tab)
    tab.keep()
    with st.sidebar:  # before the page, which waits for its images
        st.markdown("### Chest X-rays")
        st.caption("Not a medical device: not for diagnosis.")
        _sidebar_queries(backend, tab)
    _PAGES[page_name](backend, tab)


def _model_line(model: ChatModel | None, share: Sequence[str]) -> str:
    """Return the language model, what it may see, and whether that leaves this machine."""
    if model is None:
        return ":gray-badge[no language model]"
    host = remote_name(model.url)
    data_flow = (
        f":orange-badge[data leaves this machine: {escape_markdown(host)}]"
        if host
        else ":green-badge[data stays on this machine]"
    )
    withheld = [what for what in ("reports", "images", "dates") if what not in share]
    listed = " or ".join(filter(None, (", ".join(withheld[:-1]), *withheld[-1:])))
    access = f"does not see {listed}" if withheld else "sees reports, images and dates"
    return f"{data_flow} language model **{escape_markdown(model.name)}** · {access}"


def _warn_of_ended_server(backend: Backend, tab: Tab) -> None:
    """Show when a server has ended, with a button that restarts it."""
    if not (backend.user_server.has_ended or backend.model_server.has_ended):
        return
    st.error(str(ServerEnded()), icon=":material/power_off:")
    if st.button("Restart the server", type="primary", key="restart"):
        restarted = [
            backend.loop.start(server.restart())
            for server in (backend.user_server, backend.model_server)
            if server.has_ended
        ]
        try:
            for restart in restarted:
                wait_for([restart])
                restart.result()
        except CxrError:
            return
        tab.problem = None
        st.rerun(scope="app")


def _sidebar_queries(backend: Backend, tab: Tab) -> None:
    """List the saved queries and the history."""
    data_dir = backend.settings.data_dir
    if queries := saved_queries(data_dir):
        st.markdown("**Saved queries**")
    for name, query in queries.items():
        with st.container(horizontal=True, gap=None, key=f"saved_row_{name}"):
            _query_button(backend, tab, query, key=f"saved_{name}", title=name)
            st.button(
                "",
                key=f"delete_{name}",
                icon=":material/close:",
                type="tertiary",
                help=f"Delete the saved query “{name}”",
                on_click=save_query,
                args=(data_dir, name, None),
            )
    if tab.history:
        st.markdown("**History**")
    for number, query in enumerate(tab.history):
        _query_button(backend, tab, query, key=f"history_{number}")


def _query_button(backend: Backend, tab: Tab, query: dict[str, Any], *, key: str, title: str | None = None) -> None:
    """Draw a button that repeats a query."""
    st.button(
        escape_markdown(title or describe_query(query)),
        key=key,
        type="tertiary",
        on_click=tab.repeat,
        args=(backend, query),
    )
