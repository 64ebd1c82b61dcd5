"""Background work that goes on while the page is redrawn: an ingest, an export, a model's turn."""

from __future__ import annotations

import queue
from concurrent.futures import wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import streamlit as st

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from concurrent.futures import Future

    from mcp_cxr.chat._connection import Loop

_News = TypeVar("_News")
_Result = TypeVar("_Result")
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class IngestStatus:
    """The progress of an ingest."""

    processed: float
    found: float | None
    done: str
    """Counts of the files done, as a sentence."""


class Job(Generic[_News, _Result]):
    """A coroutine on the event loop, and the progress updates it has sent.

    Args:
        loop: Where it runs.
        work: Called with a function that takes its updates.
    """

    def __init__(self, loop: Loop, work: Callable[[Callable[[_News], None]], Coroutine[Any, Any, _Result]]) -> None:
        self._updates: queue.SimpleQueue[_News] = queue.SimpleQueue()
        self.future = loop.start(work(self._updates.put))

    @property
    def is_running(self) -> bool:
        """Whether more updates may come."""
        return not self.future.done()

    def updates(self) -> list[_News]:
        """Return the updates since the last call."""
        updates: list[_News] = []
        while not self._updates.empty():
            updates.append(self._updates.get())
        return updates

    def stop(self) -> None:
        """Cancel the work."""
        self.future.cancel()


def wait_for(futures: Iterable[Future[Any]]) -> None:
    """Wait until one of them is done, or the user does something, which ends this run of the script.

    Streamlit checks for clicks whenever a run writes, so an invisible element is written. By then the next run may have
    started in another thread and cancelled these futures: hence the last write.
    """
    place = st.empty()
    while not wait(futures, timeout=_POLL_S, return_when="FIRST_COMPLETED").done:
        place.empty()
    place.empty()
