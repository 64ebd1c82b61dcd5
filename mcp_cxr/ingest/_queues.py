"""Batches from the queues between the stages of an ingest, and a pool of tasks whose results keep their order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import TaskGroup
    from anyio.streams.memory import MemoryObjectReceiveStream as Source

T = TypeVar("T")

_BATCH_WAIT_S = 2.0  # longest wait for a batch to fill
_WRITE_WAIT_S = 30.0  # longest wait of embedded images for more to be written together; a kill loses at most these


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


async def next_batch(source: Source[T], size: int) -> list[T]:
    """Return the next items, at most `size`; fewer when no more came within `_BATCH_WAIT_S`; none at the end."""
    batch: list[T] = []
    try:
        batch.append(await source.receive())
        with anyio.move_on_after(_BATCH_WAIT_S):
            while len(batch) < size:
                batch.append(await source.receive())
    except anyio.EndOfStream:
        pass
    return batch


async def next_rows(source: Source[list[T]], rest: list[T], size: int | None) -> list[T]:
    """Return the next `size` items; fewer at the end, or when no more came within `_WRITE_WAIT_S`.

    Args:
        source: Batches of any length.
        rest: Leftover items, for the next call.
        size: None: one batch as it comes.
    """
    try:
        while not rest:  # of a batch, all may have been rejected
            rest += await source.receive()
        with anyio.move_on_after(_WRITE_WAIT_S):
            while size and len(rest) < size:
                rest += await source.receive()
    except anyio.EndOfStream:
        pass
    items = rest[:size]
    del rest[:size]
    return items
