"""The state of one browser tab, kept in Streamlit's session state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from mcp_cxr.chat.backend import Conversation

_KEY = "mcp_cxr_tab"


@dataclass(slots=True)
class Tab:
    """One tab's conversation."""

    conversation: Conversation | None = None


def this_tab() -> Tab:
    """Return the state of the tab that this run of the script is for."""
    return st.session_state.setdefault(_KEY, Tab())
