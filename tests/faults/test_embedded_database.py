"""Faults of the file or its disk: each raises one typed error that says what to do, and nothing is half written."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from mcp_cxr.errors import SchemaMismatch, StoreError, StoreMissing, StoreUnavailable
from mcp_cxr.records import Filter, ImageId, Study, StudyId, SubjectId
from mcp_cxr.stores import EmbeddedStore
from tests.contract.stores.making import FINGERPRINT, axis, ids, image, vectors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

A = ImageId("a")


PAGE = 32768
RUBBISH = b"rubbish " * 10_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "archive.sqlite3"


@pytest.fixture
def rubbish(file: Path) -> Path:
    file.write_bytes(RUBBISH)
    return file


@pytest.fixture
def damaged(file: Path, filled: None) -> None:
    """An archive whose pages are damaged, except the first."""
    whole = file.read_bytes()
    file.write_bytes(whole[:PAGE] + b"\xff" * (len(whole) - PAGE))


def keep(connection: sqlite3.Connection, kept_by: str) -> None:
    if kept_by == "writer":
        connection.execute("BEGIN IMMEDIATE")
    else:
        connection.executescript("CREATE TABLE t (x); BEGIN; SELECT * FROM t")


def content(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


@pytest.fixture
async def filled(tmp_path: Path) -> None:
    """A closed archive of one image."""
    async with EmbeddedStore(tmp_path) as store:
        await store.create(FINGERPRINT)
        await store.put([image("a")], vectors(1))


@pytest.fixture
async def impatient(tmp_path: Path, filled: None) -> AsyncIterator[EmbeddedStore]:
    """The same archive, in a store with a short timeout."""
    async with EmbeddedStore(tmp_path, busy_timeout_s=0.02) as store:
        yield store


@pytest.fixture
def on_connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Patch how connections are opened from now on, or which statement they begin with."""
    connect = sqlite3.connect

    def arrange(*, mode: str = "rw", statement: str = "SELECT 1", trace: Callable[[str], object] | None = None) -> None:
        def other(name: str, **options: Any) -> sqlite3.Connection:
            connection = connect(name.replace("mode=rw", f"mode={mode}"), **options)
            connection.execute(statement)
            connection.set_trace_callback(trace)
            return connection

        monkeypatch.setattr(sqlite3, "connect", other)

    return arrange


async def test_opening_and_reading_creates_no_file(tmp_path: Path) -> None:
    folder = tmp_path / "none"
    async with EmbeddedStore(folder) as store:
        with pytest.raises(StoreMissing, match="mcp-cxr ingest PATH"):
            await store.info()
        await store.drop()
    assert not folder.exists()


async def test_only_the_owner_may_read_the_archive(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "archive"
    async with EmbeddedStore(folder) as store:
        await store.create()
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / "archive.sqlite3").stat().st_mode & 0o077 == 0


async def test_a_file_that_is_no_database_is_reported_and_not_changed(tmp_path: Path, rubbish: Path) -> None:
    async with EmbeddedStore(tmp_path) as store:
        for call in (store.info(), store.create(FINGERPRINT), store.drop()):
            with pytest.raises(StoreError, match=r"archive\.sqlite3 is damaged.*backup"):
                await call
    assert content(tmp_path) == RUBBISH


@pytest.mark.usefixtures("damaged")
async def test_a_damaged_page_is_reported(tmp_path: Path) -> None:
    async with EmbeddedStore(tmp_path) as store:
        with pytest.raises(StoreError, match="is damaged"):
            await store.images_after(None, limit=9)


@pytest.mark.parametrize("version", [1, 99, -1])
async def test_another_schema_version_is_refused_with_two_solutions(
    tmp_path: Path, file: Path, filled: None, version: int
) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    async with EmbeddedStore(tmp_path) as store:
        for call in (store.info(), store.create(FINGERPRINT), store.put([image("b")], vectors(1))):
            with pytest.raises(SchemaMismatch, match=rf"version {version}; .*mcp-cxr that made it.*drop --force"):
                await call
        await store.drop()
        assert await store.create(FINGERPRINT) is True


async def test_a_locked_archive_refuses_writers_in_bounded_time_and_serves_readers(
    impatient: EmbeddedStore, file: Path
) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        writes = (
            impatient.put([image("b")], vectors(1)),
            impatient.put_studies([Study(StudyId("s1"), SubjectId("p1"), report="Clear.")]),
            impatient.forget(Filter(image_id=A)),
            impatient.drop(),
        )
        for write in writes:
            with pytest.raises(StoreUnavailable, match="another program"):
                await write
        assert ids(await impatient.nearest(axis(), Filter(), limit=9)) == ["a"]
    assert (await impatient.totals()).images == 1
    await impatient.put([image("b")], vectors(1))
    assert (await impatient.totals()).images == 2


@pytest.mark.parametrize("kept_by", ["writer", "reader"])
async def test_a_database_of_another_program_is_not_changed(tmp_path: Path, file: Path, kept_by: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        keep(other, kept_by)
        async with EmbeddedStore(tmp_path, busy_timeout_s=0.02) as store:
            with pytest.raises(StoreUnavailable, match="another program"):
                await store.create(FINGERPRINT)


async def test_create_waits_for_another_process_that_creates_the_archive(
    tmp_path: Path, file: Path, on_connect: Callable[..., None]
) -> None:
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as other:
        keep(other, "writer")

        def release(statement: str) -> None:
            if statement.startswith("BEGIN") and other.in_transaction:  # the store was refused and is waiting
                other.execute("ROLLBACK")

        on_connect(trace=release)
        async with EmbeddedStore(tmp_path, busy_timeout_s=5) as store:
            assert await store.create(FINGERPRINT) is True


async def test_a_file_that_cannot_be_written_is_still_read(
    tmp_path: Path, filled: None, on_connect: Callable[..., None]
) -> None:
    on_connect(mode="ro")
    async with EmbeddedStore(tmp_path) as store:
        with pytest.raises(StoreError, match="permissions"):
            await store.put([image("b")], vectors(1))
        assert ids(await store.nearest(axis(), Filter(), limit=9)) == ["a"]


async def test_a_full_disk_keeps_the_rows_written_before(
    tmp_path: Path, filled: None, on_connect: Callable[..., None]
) -> None:
    pages = len(content(tmp_path)) // PAGE
    on_connect(statement=f"PRAGMA max_page_count = {pages + 2}")
    async with EmbeddedStore(tmp_path) as store:
        with pytest.raises(StoreUnavailable, match="No space is left"):
            await store.put([image(f"b{n}", tags={"StudyDescription": "x" * 999}) for n in range(500)], vectors(500))
        assert (await store.totals()).images == 1
        await store.put([image("c")], vectors(1))
        assert ids(await store.browse(Filter(), limit=9)) == ["a", "c"]


async def test_a_file_in_place_of_the_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("a file")
    async with EmbeddedStore(tmp_path / "folder") as store:
        with pytest.raises(StoreMissing):
            await store.info()
        with pytest.raises(StoreUnavailable, match="Set MCP_CXR_DATA_DIR"):
            await store.create(FINGERPRINT)


async def test_a_folder_in_place_of_the_file_is_reported(tmp_path_factory: pytest.TempPathFactory) -> None:
    in_place = tmp_path_factory.mktemp("archive.sqlite3", numbered=False)
    async with EmbeddedStore(in_place.parent) as store:
        with pytest.raises(StoreError, match="archive"):
            await store.create(FINGERPRINT)


async def test_a_vector_of_the_wrong_length_is_reported_and_its_image_returned(
    impatient: EmbeddedStore, file: Path
) -> None:
    with closing(sqlite3.connect(file)) as other, other:
        other.execute("UPDATE vectors SET vector = x'0000'")
    for call in (impatient.nearest(axis(), Filter(), limit=1), impatient.reference_sample()):
        with pytest.raises(StoreError, match="table verify"):
            await call
    assert (await impatient.get([A], with_vectors=True))[A].vector is None


async def test_an_error_never_quotes_stored_values(impatient: EmbeddedStore, file: Path) -> None:
    with closing(sqlite3.connect(file)) as other, other:
        other.execute("CREATE TRIGGER loud BEFORE INSERT ON images BEGIN SELECT raise(ABORT, 'p10000032'); END")
    with pytest.raises(StoreError, match="SQLITE_CONSTRAINT") as caught:
        await impatient.put([image("b", "s1", "p10000032")], vectors(1))
    assert "p10000032" not in str(caught.value)


async def test_forgotten_values_are_in_no_byte_of_the_folder(tmp_path: Path) -> None:
    async with EmbeddedStore(tmp_path) as store:
        await store.create(FINGERPRINT)
        await store.put([image("secretimage", "s1", "secretsubject"), image("b", "s2", "p2")], vectors(2))
        report = "Qqzzqq7 of the left lung."
        await store.put_studies([Study(StudyId("s1"), SubjectId("secretsubject"), report=report)])
        await store.forget(Filter(subject_id=SubjectId("secretsubject")))
    left = content(tmp_path)
    assert b"files/b.dcm" in left
    for secret in (b"secret", b"zzqq7"):
        assert secret not in left
