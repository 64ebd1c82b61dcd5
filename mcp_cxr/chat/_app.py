"""The page: which room is shown, and what stands beside all of them."""

from __future__ import annotations

import hmac
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from mcp_cxr.chat._archive_page import archive_room
from mcp_cxr.chat._backend import Desk
from mcp_cxr.chat._chat_page import chat_room
from mcp_cxr.chat._job import wait_for
from mcp_cxr.chat._markdown import as_written
from mcp_cxr.chat._queries import title_of
from mcp_cxr.chat._saved_queries import Saved
from mcp_cxr.chat._search_page import search_room
from mcp_cxr.chat._tab import this_tab
from mcp_cxr.errors import CxrError
from mcp_cxr.loopback import remote_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_cxr.chat._model import Model
    from mcp_cxr.chat._tab import Tab

_ROOMS = {"Search": search_room, "Chat": chat_room, "Archive": archive_room}
_LOOK_EVERY_S = 2
_STYLES = Path(__file__).parent / "page.css"


def show() -> None:
    """Draw the page once, for one tab; `mcp-cxr chat` says as arguments who may see it, and which folders come in."""
    st.set_page_config(page_title="Chest X-rays", page_icon="🩻", layout="wide")
    token, *folders = sys.argv[1:]
    if not hmac.compare_digest(st.query_params.get("token", "").encode(), token.encode()):
        st.error("Open the link that `mcp-cxr chat` printed: it holds what tells you from others on this machine.")
        return
    st.html(_STYLES)
    desk, tab = _desk(token, tuple(folders)), this_tab()
    with st.container(horizontal=True, vertical_alignment="center", key="head"):
        room = st.segmented_control(
            "Room", list(_ROOMS), default="Search", key="room", required=True, label_visibility="collapsed"
        )
        st.markdown(_model_line(desk.talks_with, desk.settings.share))
    st.fragment(_watch, run_every=_LOOK_EVERY_S)(desk, tab)
    tab.keep()
    with st.sidebar:  # before the room, which waits for its films
        st.markdown("### Chest X-rays")
        st.caption("Not a medical device: not for diagnosis.")
        _questions(desk, tab)
    _ROOMS[room](desk, tab)


@st.cache_resource(show_spinner="Starting the server ...", on_release=Desk.close)
def _desk(_token: str, folders: tuple[str, ...]) -> Desk:
    return Desk.of(folders)


def _model_line(model: Model | None, share: Sequence[str]) -> str:
    """Return which model is asked, what it is given, and whether that leaves this machine."""
    if model is None:
        return ":gray-badge[no model]"
    beyond = remote_name(model.url)
    where = f":orange-badge[leaves this machine: {as_written(beyond)}]" if beyond else ":green-badge[stays here]"
    withheld = [what for what in ("reports", "images") if what not in share]
    given = f" · not given {' or '.join(withheld)}" if withheld else " · given reports and images"
    return f"{where} **{as_written(model.name)}**{given}"


def _watch(desk: Desk, tab: Tab) -> None:
    """Tell when a server has ended, and mend it."""
    if not (desk.person.has_ended or desk.model.has_ended):
        return
    st.error("The server has ended; the terminal of `mcp-cxr chat` says why.", icon=":material/power_off:")
    if st.button("Start it again", type="primary", key="mend"):
        mended = [desk.loop.start(one.mend()) for one in (desk.person, desk.model) if one.has_ended]
        try:
            for one in mended:
                wait_for([one])
                one.result()
        except CxrError:
            return
        tab.problem = None
        st.rerun(scope="app")


def _questions(desk: Desk, tab: Tab) -> None:
    """List what was asked and what was saved."""
    saved = Saved(desk.settings.data_dir)
    if questions := saved.all():
        st.markdown("**Saved**")
    for name, question in questions.items():
        with st.container(horizontal=True, gap=None, key=f"saved_row_{name}"):
            _ask_again_button(desk, tab, question, key=f"saved_{name}", title=name)
            st.button(
                "", key=f"forget_{name}", icon=":material/close:", type="tertiary", help=f"Forget “{name}”",
                on_click=saved.remove, args=(name,),
            )  # fmt: skip
    if tab.history:
        st.markdown("**Asked before**")
    for number, question in enumerate(tab.history):
        _ask_again_button(desk, tab, question, key=f"asked_{number}")


def _ask_again_button(desk: Desk, tab: Tab, question: dict[str, Any], *, key: str, title: str | None = None) -> None:
    """Draw a button that asks a question of the past."""
    st.button(
        as_written(title or title_of(question)),
        key=key,
        type="tertiary",
        on_click=tab.ask_again,
        args=(desk, question),
    )
