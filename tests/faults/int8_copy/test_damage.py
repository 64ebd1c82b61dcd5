"""The int8 copy may be damaged, deleted, old or of another archive: results equal those of the vectors in SQLite.

Imports a private module to show that no exact scan runs, which the ranking cannot show.
"""

# ruff: noqa: ASYNC240  # a test may wait for the disk

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mcp_cxr.errors import StoreError
from mcp_cxr.records import Filter, TermClause
from mcp_cxr.stores import EmbeddedStore
from mcp_cxr.stores.embedded.fulltext import _search
from mcp_cxr.stores.embedded.vectors import Int8Snapshot, _nearest
from tests.contract.stores.making import FINGERPRINT
from tests.faults.int8_copy.copies import COUNT, FILTERS, QUERIES, assert_answers_are_right, copied, plainly, put
from tests.support.archives import rows

if TYPE_CHECKING:
    from collections.abc import Callable


async def test_results_equal_those_of_the_vectors_and_come_from_the_copy(
    store: EmbeddedStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert copied(file) == COUNT
    await assert_answers_are_right(store)

    def refuse(*_: object) -> None:
        raise AssertionError("every vector was read")

    monkeypatch.setattr(_nearest, "_read_all", refuse)
    for where in FILTERS[:-1]:  # no study has the label
        assert await store.nearest(QUERIES[0], where, limit=10)


async def test_results_agree_with_numpy(store: EmbeddedStore) -> None:
    everything = [item for item in await store.images_after(None, limit=9999) if item.vector is not None]
    matrix = np.stack([item.vector for item in everything if item.vector is not None]).astype(np.float64)
    query = QUERIES[0] / np.linalg.norm(QUERIES[0])
    found = await store.nearest(query, Filter(), limit=50)
    np.testing.assert_allclose([hit.score for hit in found], np.sort(matrix @ query)[::-1][:50], atol=1e-6)


def flip(offset: float) -> Callable[[Path], None]:
    """Change one byte, at an offset in bytes or at a share of the rows' codes."""

    def change(file: Path) -> None:
        copy = Int8Snapshot.open(file)
        assert copy
        start, width = copy.header.layout["codes"]
        at = offset if isinstance(offset, int) else start + int(offset * copy.header.rows * width)
        with file.open("r+b") as opened:
            opened.seek(at)
            (byte,) = opened.read(1)
            opened.seek(at)
            opened.write(bytes([byte ^ 0xFF]))

    return change


def flip_column(name: str) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        copy = Int8Snapshot.open(file)
        assert copy
        start, size = copy.header.layout[name]
        flip(start + size * (copy.header.rows // 2))(file)

    return change


def zero_rows(file: Path) -> None:
    copy = Int8Snapshot.open(file)
    assert copy
    start, width = copy.header.layout["codes"]
    with file.open("r+b") as opened:
        opened.seek(start + 100 * width)
        opened.write(bytes(64 * width))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "gone": lambda file: file.unlink(),
    "empty": lambda file: file.write_bytes(b""),
    "another kind of file": lambda file: file.write_bytes(b"SQLite format 3\0" * 9999),
    "cut short": lambda file: os.truncate(file, file.stat().st_size // 2),
    "longer": lambda file: os.truncate(file, file.stat().st_size * 2),
    "a bit of the magic": flip(0),
    "a bit of the count": flip(24),
    "a bit of the identity": flip(80),
    "a bit of the centre": flip(120),
    "a bit of the first code": flip(0.0),
    "a bit of a later code": flip(0.7),
    "a bit of the scales": flip_column("scales"),
    "a bit of the slots": flip_column("slots"),
    "a bit of the views": flip_column("views"),
    "rows that were never written": zero_rows,
}


@pytest.mark.parametrize("name", DAMAGES)
async def test_a_damaged_copy_is_rebuilt_when_it_is_opened(
    store: EmbeddedStore, tmp_path: Path, file: Path, name: str
) -> None:
    await store.__aexit__(None, None, None)
    DAMAGES[name](file)
    async with EmbeddedStore(tmp_path) as again:
        for where in FILTERS:
            found = await again.nearest(QUERIES[0], where, limit=10)
            assert found == await plainly(again, QUERIES[0], where, 10)
    assert copied(file) == COUNT
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive.int8", "archive.sqlite3"]


async def test_a_reader_detects_that_the_copy_was_deleted_or_replaced(
    store: EmbeddedStore, tmp_path: Path, file: Path
) -> None:
    older = Path(shutil.copy(file, tmp_path / "older"))
    await put(store, range(COUNT, COUNT + 50), seed=3)
    expected = await plainly(store, QUERIES[0], Filter(), 10)
    for spoil, held in (
        (file.unlink, COUNT + 50),
        (lambda: file.write_bytes(b""), COUNT + 50),
        (lambda: older.replace(file), COUNT),
    ):
        assert await store.nearest(QUERIES[0], Filter(), limit=10) == expected
        spoil()
        store._rankings.clear()
        assert await store.nearest(QUERIES[0], Filter(), limit=10) == expected
        assert copied(file) == held


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE vectors SET vector = (SELECT vector FROM vectors WHERE slot = 7) WHERE slot > 700",
        "UPDATE images SET view_position = 'LATERAL' WHERE slot % 4 = 0",
        "UPDATE images SET made_by = NULL WHERE slot % 3 = 0",
        "DELETE FROM images WHERE slot % 3 = 0",
        "UPDATE studies SET split = 'test' WHERE number > 100",
        "INSERT INTO labels (study, label, value) SELECT number, 'Edema', 1 FROM studies WHERE number % 2 = 0",
    ],
)
async def test_changes_by_another_program_are_detected(store: EmbeddedStore, tmp_path: Path, statement: str) -> None:
    await assert_answers_are_right(store)
    for where in FILTERS:
        await store.count(where)
    rows(tmp_path, statement)
    await assert_answers_are_right(store)
    async with EmbeddedStore(tmp_path) as new:
        assert {where: await store.count(where) for where in FILTERS} == {w: await new.count(w) for w in FILTERS}


@pytest.mark.parametrize("limit", [10, 600, 9999])
async def test_images_that_another_program_replaces_without_a_trigger_are_no_hits(
    store: EmbeddedStore, tmp_path: Path, file: Path, limit: int
) -> None:
    rows(tmp_path, "INSERT OR REPLACE INTO images (image_id) SELECT image_id FROM images WHERE slot % 3 = 0")
    matched = await store.match(["pa", "ll"], Filter(), limit=limit)
    assert await store.nearest(QUERIES[0], Filter(), limit=limit) == await plainly(store, QUERIES[0], Filter(), limit)
    file.unlink()
    store._rankings.clear()
    assert matched == await store.match(["pa", "ll"], Filter(), limit=limit)
    assert len(matched) == min(limit, 1000)


@pytest.mark.parametrize("removed", ["slot < 0", "slot % 3 = 0"])
async def test_the_first_of_many_images_that_tie_are_found_by_the_copy_as_by_sqlite(
    store: EmbeddedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, removed: str
) -> None:
    rows(tmp_path, f"DELETE FROM images WHERE {removed}")  # noqa: S608 - of this test
    wheres = [*FILTERS, Filter(clauses=(TermClause(any_of=("ap",)), TermClause(or_lacks=("lateral",))))]
    asked = [(["pa", "ap", "lateral", "ll"], where, limit) for where in wheres for limit in (10, 700)]
    by_sqlite = [await store.match(terms, where, limit=limit) for terms, where, limit in asked]
    store._rankings.clear()
    monkeypatch.setattr(_search, "_MANY_TIED", 2)
    assert [await store.match(terms, where, limit=limit) for terms, where, limit in asked] == by_sqlite
    assert [bool(hits) for hits in by_sqlite] == [where != Filter(labels=("Edema",)) for _, where, _ in asked]


async def test_external_rows_that_another_program_completes_are_found(store: EmbeddedStore, tmp_path: Path) -> None:
    rows(tmp_path, "UPDATE images SET made_by = NULL WHERE slot <= 200")
    await assert_answers_are_right(store)
    rows(tmp_path, "UPDATE images SET made_by = 'sketch' WHERE slot <= 200")
    await assert_answers_are_right(store)


async def test_a_restored_backup_is_detected(store: EmbeddedStore, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    with closing(sqlite3.connect(backup)) as target, closing(sqlite3.connect(tmp_path / "archive.sqlite3")) as source:
        source.backup(target)
    await put(store, range(COUNT, COUNT + 300), seed=3)
    await store.__aexit__(None, None, None)
    backup.replace(tmp_path / "archive.sqlite3")
    async with EmbeddedStore(tmp_path) as again:
        await put(again, range(2000, 2300), seed=4)  # in the slots of the lost ones
        await assert_answers_are_right(again)


async def test_drop_removes_the_copy(store: EmbeddedStore, tmp_path: Path, file: Path) -> None:
    async with EmbeddedStore(tmp_path) as other:
        await other.nearest(QUERIES[0], Filter(), limit=10)
        await store.drop()
        assert not file.exists()
        await store.create(FINGERPRINT)
        await put(store, range(COUNT), seed=8)
        await assert_answers_are_right(other)


@pytest.mark.parametrize("blob", [b"\x00\x00\xc0\x7f" * 8, b"short"])
async def test_a_damaged_vector_is_reported(store: EmbeddedStore, tmp_path: Path, blob: bytes) -> None:
    rows(tmp_path, "UPDATE vectors SET vector = ? WHERE slot = 700", blob)
    with pytest.raises(StoreError, match="table verify"):
        await store.nearest(QUERIES[0], Filter(), limit=10)
