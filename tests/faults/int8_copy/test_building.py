"""While the int8 copy is made, grows or cannot be written, results equal those of the vectors in SQLite."""

# ruff: noqa: ASYNC240  # a test may wait for the disk

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.records import Filter, ImageId
from mcp_cxr.stores import EmbeddedStore
from mcp_cxr.stores.embedded.database import LockBusy, locked
from mcp_cxr.stores.embedded.tables import counts_and_lists
from mcp_cxr.stores.embedded.vectors import MAX_LAG_SLOTS, Int8Copy, _int8_copy, _uncovered_images, nearest
from tests.contract.stores.making import FINGERPRINT
from tests.faults.int8_copy.copies import COUNT, FILTERS, QUERIES, assert_answers_are_right, copied, plainly, put

if TYPE_CHECKING:
    from pathlib import Path

real = _int8_copy._quantized


async def test_a_small_archive_has_no_copy(tmp_path: Path) -> None:
    async with EmbeddedStore(tmp_path) as small:
        await small.create(FINGERPRINT)
        await put(small, range(100))
        assert len(await small.nearest(QUERIES[0], Filter(), limit=10)) == 10
    assert not (tmp_path / "archive.int8").exists()


async def test_a_copy_that_is_mostly_of_replaced_images_is_rebuilt(store: EmbeddedStore, file: Path) -> None:
    for seed in range(1, 5):
        await put(store, range(COUNT), seed=seed)
    assert copied(file) < 3 * COUNT
    await assert_answers_are_right(store)


async def test_slots_beyond_the_copy_are_read_from_sqlite(
    store: EmbeddedStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Int8Copy, "update", lambda *_: None)
    await put(store, range(COUNT, COUNT + 300), seed=3)
    assert copied(file) == COUNT
    await assert_answers_are_right(store)


async def test_a_reader_updates_a_copy_that_lags_far_or_uses_it_as_it_is(
    store: EmbeddedStore, tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Int8Copy, "update", lambda *_: None)
        await put(store, range(COUNT, COUNT + 2 * MAX_LAG_SLOTS), seed=3)
    with locked(tmp_path):  # as another process would while it writes the copy
        await assert_answers_are_right(store)
        assert copied(file) == COUNT
    await assert_answers_are_right(store)
    assert copied(file) == COUNT + 2 * MAX_LAG_SLOTS


async def test_all_vectors_are_read_while_another_process_builds_the_copy(
    store: EmbeddedStore, tmp_path: Path, file: Path
) -> None:
    file.unlink()
    with locked(tmp_path):
        assert len(await store.nearest(QUERIES[0], Filter(), limit=10)) == 10
    assert not file.exists()


async def test_a_missing_copy_is_made_in_parts_and_each_answer_is_right(
    store: EmbeddedStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_int8_copy, "MOST_APPENDED", 600)
    monkeypatch.setattr(_int8_copy, "_READ_AT_ONCE", 200)
    monkeypatch.setattr(_uncovered_images, "_MANY", 100)
    file.unlink()
    held = []
    while not held or held[-1] < COUNT:
        store._rankings.clear()
        assert await store.nearest(QUERIES[0], Filter(), limit=9) == await plainly(store, QUERIES[0], Filter(), 9)
        held.append(copied(file))
        copy, masks = store._int8_copy, store._mask_cache
        for where in FILTERS:
            for limit in (5, 9999):
                right = await plainly(store, QUERIES[0], where, limit)
                found = await store._read(
                    nearest, QUERIES[0].tobytes(), where, limit=limit, int8_copy=copy, mask_cache=masks
                )
                assert found == right
            assert await store._read(counts_and_lists.count, where, None, copy, masks, None) == len(right)
    assert len(held) > 1


async def test_a_full_copy_grows_without_quantizing_its_rows_again(
    store: EmbeddedStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quantized = []
    monkeypatch.setattr(_int8_copy, "_quantized", lambda rows, center: quantized.extend(rows) or real(rows, center))
    await store.forget(Filter(image_id=ImageId("i0003")))
    for start in range(COUNT, 3 * COUNT, 1000):
        await put(store, range(start, start + 1000), seed=start)
    assert copied(file) == 3 * COUNT  # one of them is wiped
    assert len(quantized) < 3 * COUNT
    await assert_answers_are_right(store)


async def test_a_copy_that_cannot_be_written_is_logged_once(
    store: EmbeddedStore, tmp_path: Path, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file.unlink()
    (tmp_path / "archive.int8.new").mkdir()
    with caplog.at_level(logging.WARNING):
        await assert_answers_are_right(store)
    assert [record.getMessage() for record in caplog.records] == [
        f"{file} cannot be written (Is a directory); searches continue without it, slower."
    ]


async def test_the_lock_has_one_holder(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(LockBusy), locked(tmp_path):
        pass
    with locked(tmp_path), locked(tmp_path / "no such folder"):
        pass
