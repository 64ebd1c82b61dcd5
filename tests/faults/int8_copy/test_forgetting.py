"""What the int8 copy held of forgotten and replaced images is overwritten, and never a hit."""

# ruff: noqa: ASYNC240  # a test may wait for the disk

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.errors import StoreError, StoreUnavailable
from mcp_cxr.records import Filter, ImageId, SubjectId
from mcp_cxr.stores import EmbeddedStore
from mcp_cxr.stores.embedded.database import StaleCopy, locked
from mcp_cxr.stores.embedded.vectors import LEAST_APPENDED, CopyWiper, Int8Copy, Int8Snapshot
from tests.faults.int8_copy.copies import COUNT, QUERIES, assert_answers_are_right, copied, image_facts, put

if TYPE_CHECKING:
    from pathlib import Path


async def test_replaced_and_removed_images_are_never_hits(store: EmbeddedStore, file: Path) -> None:
    await put(store, range(600), seed=5)
    await store.forget(Filter(subject_id=SubjectId("p30")))
    await put(store, range(COUNT, COUNT + LEAST_APPENDED), seed=6)
    assert copied(file) == COUNT + 600 + LEAST_APPENDED
    await assert_answers_are_right(store)


async def test_a_reader_of_an_older_state_does_not_use_a_copy_that_has_lost_rows_since(
    store: EmbeddedStore, tmp_path: Path
) -> None:
    cache = Int8Copy(tmp_path / "archive.sqlite3")
    with closing(sqlite3.connect(tmp_path / "archive.sqlite3", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        copy, _ = cache.snapshot(reader, max_lag=None)
        assert copy
        assert not copy.was_wiped
        await store.forget(Filter(image_id=ImageId("i0003")))
        assert copy.was_wiped
        with pytest.raises(StaleCopy):
            cache.snapshot(reader, max_lag=None)
        reader.execute("COMMIT")
        assert cache.snapshot(reader, max_lag=None)[0]


async def test_forgotten_images_are_overwritten_in_the_copy_too(store: EmbeddedStore, file: Path) -> None:
    await put(store, range(LEAST_APPENDED), seed=5)  # older codes of the same images stay in the copy
    copy = Int8Snapshot.open(file)
    assert copy
    where = Filter(subject_id=SubjectId("p1"))
    numbers = [n for n in range(COUNT) if image_facts(n)[2] == "p1"]
    codes = {copy.rows.codes[n].tobytes() for n in numbers} | {copy.rows.codes[COUNT + n].tobytes() for n in numbers}
    del copy
    assert all(code in file.read_bytes() for code in codes)
    assert await store.forget(where) == 30
    assert copied(file) == COUNT + LEAST_APPENDED
    assert not any(code in file.read_bytes() for code in codes)
    await assert_answers_are_right(store)


async def test_what_was_computed_from_forgotten_images_leaves_the_memory(store: EmbeddedStore) -> None:
    await store.nearest(QUERIES[0], Filter(), limit=10)
    kept = store._int8_copy._kept
    assert kept
    assert kept.rows._kept_estimates
    del kept
    await store.forget(Filter(subject_id=SubjectId("p1")))
    assert store._int8_copy._kept is None


async def test_a_copy_is_invalid_while_images_are_forgotten_and_rebuilt_if_that_fails(
    store: EmbeddedStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wipe_and_fail(self: CopyWiper, connection: sqlite3.Connection) -> None:
        wipe(self, connection)
        assert Int8Snapshot.open(file) is None
        raise sqlite3.OperationalError("disk full")

    wipe = CopyWiper.wipe
    with monkeypatch.context() as patched:
        patched.setattr(CopyWiper, "wipe", wipe_and_fail)
        with pytest.raises(StoreError):
            await store.forget(Filter(subject_id=SubjectId("p1")))
    assert Int8Snapshot.open(file) is None
    await assert_answers_are_right(store)
    assert copied(file) == COUNT
    assert await store.count(Filter(subject_id=SubjectId("p1"))) == 30


async def test_forget_waits_for_a_process_that_builds_the_copy(tmp_path: Path, store: EmbeddedStore) -> None:
    async with EmbeddedStore(tmp_path, busy_timeout_s=0.05) as other:
        with locked(tmp_path), pytest.raises(StoreUnavailable, match="another process"):
            await other.forget(Filter(image_id=ImageId("i0001")))
        assert await other.known_ids([ImageId("i0001")])
    assert await store.forget(Filter(image_id=ImageId("i0001"))) == 1
