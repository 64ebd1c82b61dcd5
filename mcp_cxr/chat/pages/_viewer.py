"""Embeds the viewer in Streamlit's pages, as a frame that our own application serves."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from mcp_cxr.chat.backend import Backend, ViewerQuery

_HEIGHT_PX = 500  # the viewer changes it


def viewer(backend: Backend, query: ViewerQuery, *, key: str) -> None:
    """Draw the viewer.

    Args:
        backend: Keeps the query for the viewer.
        query: Its result is shown.
        key: Unique on the page.
    """
    view_id: str = st.session_state.setdefault(f"{key}_view", secrets.token_hex(8))
    backend.viewer_queries.keep(view_id, query)
    st.iframe(f"/viewer/#view={view_id}", height=_HEIGHT_PX, alt="Viewer")
