"""Work that goes on while the page is drawn anew: an ingest, an export, a model's turn."""

from __future__ import annotations

import queue
from concurrent.futures import wait
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import streamlit as st

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from concurrent.futures import Future

    from mcp_cxr.chat._connection import Loop

_News = TypeVar("_News")
_Result = TypeVar("_Result")
_LOOK_EVERY_S = 0.1


class Job(Generic[_News, _Result]):
    """One piece of work on the loop, and what it has told so far.

    Args:
        loop: Where it runs.
        work: Is given a function that takes its news.
    """

    def __init__(self, loop: Loop, work: Callable[[Callable[[_News], None]], Coroutine[Any, Any, _Result]]) -> None:
        self._told: queue.SimpleQueue[_News] = queue.SimpleQueue()
        self.future = loop.start(work(self._told.put))

    @property
    def is_running(self) -> bool:
        """Whether there may be more news."""
        return not self.future.done()

    def news(self) -> list[_News]:
        """Return what was told since the last time."""
        news: list[_News] = []
        while not self._told.empty():
            news.append(self._told.get())
        return news

    def stop(self) -> None:
        """Have it cancelled."""
        self.future.cancel()


def wait_for(futures: Iterable[Future[Any]]) -> None:
    """Wait until one of them is done, or until the person does something: that ends this run of the page.

    Streamlit looks for clicks whenever a run writes something, so something is written, which nobody sees. The next run
    may have begun by then, in a thread of its own, and have cancelled what this one waits for: hence the last look.
    """
    place = st.empty()
    while not wait(futures, timeout=_LOOK_EVERY_S, return_when="FIRST_COMPLETED").done:
        place.empty()
    place.empty()
