"""Embedded images wait to be written together and are never lost by waiting.

Imports a private module: which rows are written together shows only in the time of an ingest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

from mcp_cxr.ingest import _queues

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest


async def written_rows(batches: Sequence[list[Any]], size: int | None) -> list[list[Any]]:
    """Return the rows of each write for a sequence of embedded batches."""
    sink, source = anyio.create_memory_object_stream[list[Any]](len(batches))
    with sink, source:
        for batch in batches:
            sink.send_nowait(batch)
        sink.close()
        rest: list[Any] = []
        written: list[list[Any]] = []
        while some := await _queues.next_rows(source, rest, size):
            written.append(some)
    assert rest == []
    return written


async def test_rows_are_written_in_the_store_s_preferred_number_and_the_rest_at_the_end() -> None:
    batches = [list(range(start, start + 64)) for start in range(0, 640, 64)]
    written = await written_rows(batches, 250)
    assert [len(some) for some in written] == [250, 250, 140]
    assert [row for some in written for row in some] == list(range(640))
    assert await written_rows([list(range(1000))], 250) == [list(range(n, n + 250)) for n in range(0, 1000, 250)]


async def test_without_a_preferred_number_batches_are_written_as_they_come() -> None:
    assert await written_rows([[1, 2], [3], [4, 5]], None) == [[1, 2], [3], [4, 5]]


async def test_a_batch_of_rejected_images_does_not_end_the_writing() -> None:
    for size in (None, 2):
        written = await written_rows([[], [1], [], [2, 3], []], size)
        assert [row for some in written for row in some] == [1, 2, 3]


async def test_rows_are_written_after_the_longest_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_queues, "_WRITE_WAIT_S", 0)
    sink, source = anyio.create_memory_object_stream[list[Any]](1)
    with sink, source:
        sink.send_nowait([1, 2])
        with anyio.fail_after(30):
            assert await _queues.next_rows(source, [], 250) == [1, 2]
