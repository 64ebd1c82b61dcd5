"""Work side by side whose results come out in the order it went in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import TaskGroup

T = TypeVar("T")


class InOrder(Generic[T]):
    """Starts work as long as there is a place, and passes on what comes of it, first in, first out.

    Of two files that are one image, the first one by path is then kept however long each took: an archive does not
    depend on how fast the machine was.

    Args:
        tasks: What is started here ends with it, and fails it.
        at_once: Places. A result that waits for the ones before it keeps its place, so nothing piles up.
        pass_on: Takes one result at a time.
    """

    def __init__(self, tasks: TaskGroup, *, at_once: int, pass_on: Callable[[T], Awaitable[None]]) -> None:
        self._tasks = tasks
        self._places = anyio.Semaphore(at_once)
        self._pass_on = pass_on
        self._last = anyio.Event()
        self._last.set()

    async def start(self, work: Callable[[], Awaitable[T | None]]) -> None:
        """Start when there is a place; None that comes of it is not passed on."""
        await self._places.acquire()
        before, self._last = self._last, anyio.Event()
        self._tasks.start_soon(self._run, work, before, self._last)

    async def _run(self, work: Callable[[], Awaitable[T | None]], before: anyio.Event, done: anyio.Event) -> None:
        result = await work()
        await before.wait()
        if result is not None:
            await self._pass_on(result)
        done.set()
        self._places.release()
