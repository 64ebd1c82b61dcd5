"""The app: which language model is talked with, and the conversation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from mcp_cxr.chat.backend import current_backend
from mcp_cxr.chat.pages._chat_page import chat_page
from mcp_cxr.chat.pages._safe_markdown import escape_markdown
from mcp_cxr.chat.pages._tab_state import this_tab
from mcp_cxr.loopback import remote_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_cxr.chat.language_models import ChatModel

_STYLES = Path(__file__).parent / "page.css"


def draw_app() -> None:
    """Draw the app once for one tab."""
    st.set_page_config(page_title="Chest X-rays", page_icon="🩻", layout="wide")
    st.html(_STYLES)
    backend = current_backend()
    with st.container(key="head"):
        st.markdown(_model_line(backend.language_model, backend.settings.share))
    chat_page(backend, this_tab())


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
