"""Streamlit helpers: escapes quoted Markdown, and waits for futures until the user acts."""

from __future__ import annotations

import re
from concurrent.futures import wait
from typing import TYPE_CHECKING, Any

import streamlit as st

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future

_MARKS = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&])")
_IMAGE = re.compile(r"!\s*\[")
_POLL_S = 0.1


def escape_markdown(text: str) -> str:
    """Return `text` with all Markdown escaped: a report can neither draw a link nor load an image."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))


def without_images(markdown: str) -> str:
    """Return a model's Markdown with images as text: loading one would send data to the host in its URL."""
    return _IMAGE.sub(r"!\\[", markdown)


def wait_for(futures: Iterable[Future[Any]]) -> None:
    """Wait until one of the futures is done, or the user does something, which ends this run of the script.

    Streamlit checks for clicks whenever a run writes, so an invisible element is written. By then the next run may have
    started in another thread and cancelled these futures: hence the last write.
    """
    invisible = st.empty()
    while not wait(futures, timeout=_POLL_S, return_when="FIRST_COMPLETED").done:
        invisible.empty()
    invisible.empty()
