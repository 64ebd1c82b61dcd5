"""The int8 copy may be damaged, deleted, old or of another archive: results equal those of the vectors in SQLite.

Imports a private module to show that no exact scan runs, which the ranking cannot show.
"""

# ruff: noqa: ASYNC240  # a test may wait for the disk

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import numpy as np
import pytest

from mcp_cxr.errors import StoreError, StoreUnavailable
from mcp_cxr.records import Filter, ImageId, RankedImage, Study, StudyId, SubjectId
from mcp_cxr.stores import EmbeddedStore
from mcp_cxr.stores.embedded.database import LockBusy, locked
from mcp_cxr.stores.embedded.tables import counts_and_lists
from mcp_cxr.stores.embedded.vectors import (
    LEAST_APPENDED,
    MAX_LAG_SLOTS,
    CopyWiper,
    Int8Copy,
    Int8Snapshot,
    StaleCopy,
    _int8_copy,
    _nearest,
    _uncovered_images,
    nearest,
)
from tests.contract.stores.making import FINGERPRINT, image, vectors
from tests.support.archives import rows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

real = _int8_copy._quantized
COUNT = 1500
VIEWS = ("PA", "AP", "LATERAL", "LL")
QUERIES = vectors(2, seed=99)
FILTERS = (
    Filter(),
    Filter(view=("LATERAL", "LL")),
    Filter(view=("PA",), exclude_subject=SubjectId("p7"), exclude_images=(ImageId("i0001"),)),
    Filter(subject_id=SubjectId("p7")),
    Filter(split="test"),
    Filter(split="train"),
    Filter(split="train", view=("AP",)),
    Filter(labels=("Edema",)),
)


def image_facts(number: int) -> tuple:
    """Return an image's ids and view; two of each three images have equal vectors."""
    return f"i{number:04d}", f"s{number // 3}", f"p{number // 30}", VIEWS[number % 4]


async def put(store: EmbeddedStore, numbers: range, *, seed: int = 0) -> None:
    drawn = vectors(len(numbers), seed=seed)
    drawn[1::3] = drawn[::3][: len(drawn[1::3])]
    images = [
        image(name, study, subject, view_position=view) for name, study, subject, view in map(image_facts, numbers)
    ]
    await store.put(images, drawn)


async def fill(folder: Path) -> None:
    async with EmbeddedStore(folder) as opened:
        await opened.create(FINGERPRINT)
        await put(opened, range(COUNT))
        studies = [
            Study(StudyId(f"s{n}"), SubjectId(f"p{n // 10}"), split="train" if n % 5 else "test")
            for n in range(COUNT // 3)
        ]
        await opened.put_studies(studies)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled")
    anyio.run(fill, folder)
    return folder


@pytest.fixture
async def store(filled: Path, tmp_path: Path) -> AsyncIterator[EmbeddedStore]:
    for path in filled.iterdir():
        shutil.copy(path, tmp_path)
    async with EmbeddedStore(tmp_path) as opened:
        yield opened


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "archive.int8"


async def plainly(store: EmbeddedStore, query: np.ndarray, where: Filter, limit: int) -> list[RankedImage]:
    """Rank by the vectors in SQLite alone."""
    return await store._read(nearest, query.tobytes(), where, limit=limit)


async def assert_answers_are_right(store: EmbeddedStore) -> None:
    store._rankings.clear()
    for query in QUERIES:
        for where in FILTERS:
            for limit in (10, 9999):
                found = await store.nearest(query, where, limit=limit)
                assert found == await plainly(store, query, where, limit), (where, limit)
    for where in FILTERS:
        for distinct in (None, "study", "subject"):
            counted = await store._read(counts_and_lists.count, where, distinct)
            assert await store.count(where, distinct=distinct) == counted, (where, distinct)


def copied(file: Path) -> int:
    """Return the number of rows of an intact copy."""
    copy = Int8Snapshot.open(file)
    assert copy
    return copy.header.rows


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


async def test_a_small_archive_has_no_copy(tmp_path: Path) -> None:
    async with EmbeddedStore(tmp_path) as small:
        await small.create(FINGERPRINT)
        await put(small, range(100))
        assert len(await small.nearest(QUERIES[0], Filter(), limit=10)) == 10
    assert not (tmp_path / "archive.int8").exists()


async def test_replaced_and_removed_images_are_never_hits(store: EmbeddedStore, file: Path) -> None:
    await put(store, range(600), seed=5)
    await store.forget(Filter(subject_id=SubjectId("p30")))
    await put(store, range(COUNT, COUNT + LEAST_APPENDED), seed=6)
    assert copied(file) == COUNT + 600 + LEAST_APPENDED
    await assert_answers_are_right(store)


async def test_a_copy_that_is_mostly_of_replaced_images_is_rebuilt(store: EmbeddedStore, file: Path) -> None:
    for seed in range(1, 5):
        await put(store, range(COUNT), seed=seed)
    assert copied(file) < 3 * COUNT
    await assert_answers_are_right(store)


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
    assert copied(file) == 3 * COUNT - 1
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


async def test_the_lock_has_one_holder(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(LockBusy), locked(tmp_path):
        pass
    with locked(tmp_path), locked(tmp_path / "no such folder"):
        pass


@pytest.mark.parametrize("blob", [b"\x00\x00\xc0\x7f" * 8, b"short"])
async def test_a_damaged_vector_is_reported(store: EmbeddedStore, tmp_path: Path, blob: bytes) -> None:
    rows(tmp_path, "UPDATE vectors SET vector = ? WHERE slot = 700", blob)
    with pytest.raises(StoreError, match="table verify"):
        await store.nearest(QUERIES[0], Filter(), limit=10)
