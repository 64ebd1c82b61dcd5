"""What is embedded waits to be written with more, and is never lost by that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

from mcp_cxr.ingest import _pipeline

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest


async def gathered(batches: Sequence[list[Any]], size: int | None) -> list[list[Any]]:
    """Return what is written of batches that come one after the other, until they end."""
    sink, source = anyio.create_memory_object_stream[list[Any]](len(batches))
    with sink, source:
        for batch in batches:
            sink.send_nowait(batch)
        sink.close()
        rest: list[Any] = []
        written: list[list[Any]] = []
        while some := await _pipeline._gathered(source, rest, size):
            written.append(some)
    assert rest == []
    return written


async def test_rows_are_written_by_as_many_as_the_store_likes_and_the_rest_at_the_end() -> None:
    batches = [list(range(start, start + 64)) for start in range(0, 640, 64)]
    written = await gathered(batches, 250)
    assert [len(some) for some in written] == [250, 250, 140]
    assert [row for some in written for row in some] == list(range(640))
    assert await gathered([list(range(1000))], 250) == [list(range(n, n + 250)) for n in range(0, 1000, 250)]


async def test_where_the_store_does_not_care_they_are_written_as_they_come() -> None:
    assert await gathered([[1, 2], [3], [4, 5]], None) == [[1, 2], [3], [4, 5]]


async def test_a_batch_of_which_all_were_rejected_does_not_end_the_writing() -> None:
    for size in (None, 2):
        written = await gathered([[], [1], [], [2, 3], []], size)
        assert [row for some in written for row in some] == [1, 2, 3]


async def test_they_do_not_wait_for_more_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pipeline, "_UNWRITTEN_S", 0)
    sink, source = anyio.create_memory_object_stream[list[Any]](1)
    with sink, source:
        sink.send_nowait([1, 2])
        with anyio.fail_after(30):
            assert await _pipeline._gathered(source, [], 250) == [1, 2]
