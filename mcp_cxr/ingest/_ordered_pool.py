"""Runs tasks concurrently and passes on their results in the order in which the tasks were started."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import TaskGroup

T = TypeVar("T")


class OrderedPool(Generic[T]):
    """Runs a limited number of tasks at once and passes on their results first in, first out.

    If two files hold the same image, the first one by path is kept however long each took: the archive does not
    depend on the machine's speed.

    Args:
        tasks: The task group that runs the work and fails with it.
        limit: Tasks at once. A result that waits for earlier ones still counts, so results cannot accumulate.
        pass_on: Receives one result at a time.
    """

    def __init__(self, tasks: TaskGroup, *, limit: int, pass_on: Callable[[T], Awaitable[None]]) -> None:
        self._tasks = tasks
        self._slots = anyio.Semaphore(limit)
        self._pass_on = pass_on
        self._last = anyio.Event()
        self._last.set()

    async def start(self, work: Callable[[], Awaitable[T | None]]) -> None:
        """Start `work` as soon as a slot is free; a result of None is not passed on."""
        await self._slots.acquire()
        previous, self._last = self._last, anyio.Event()
        self._tasks.start_soon(self._run, work, previous, self._last)

    async def _run(self, work: Callable[[], Awaitable[T | None]], previous: anyio.Event, done: anyio.Event) -> None:
        result = await work()
        await previous.wait()
        if result is not None:
            await self._pass_on(result)
        done.set()
        self._slots.release()
