"""Opens archives as the product does, ingests into them, and reads their database."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from contextlib import asynccontextmanager, closing
from copy import copy
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from mcp_cxr.archive import Archive
from mcp_cxr.demo import DemoDataSet, write_data_set
from mcp_cxr.embeddings import OfflineEmbedder
from mcp_cxr.images import PREPROCESSING, ImageReader
from mcp_cxr.settings import Settings
from mcp_cxr.stores import EmbeddedStore, MemoryDatabase, MemoryStore
from tests.support.toy import ToyEmbedder

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from pathlib import Path

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.records import ImageId, IngestSummary, Vector
    from mcp_cxr.stores import Store

DATABASE = "archive.sqlite3"

StoreName: TypeAlias = Literal["embedded", "memory"]

_memory_databases: dict[Path, MemoryDatabase] = defaultdict(MemoryDatabase)
"""The archives in memory, by their data folder."""

_CONTENTS = {
    "images": """
        SELECT image_id, study_id, subject_id, view_position, image_path, root, metadata, made_by,
            (SELECT hex(vector) FROM vectors WHERE vectors.slot = images.slot)
        FROM images ORDER BY image_id""",
    "studies": """
        SELECT study_id, subject_id, study_date, split, report,
            (SELECT group_concat(label || value) FROM labels WHERE study = number),
            (SELECT terms FROM documents WHERE documents.study = studies.number)
        FROM studies ORDER BY study_id""",
    "files": "SELECT path, size, mtime_ns, image_id, reason FROM files ORDER BY path",
    "collection": "SELECT key, value FROM collection ORDER BY key",
    "roots": "SELECT path FROM roots ORDER BY path",
}


@cache
def drawn_demo(folder: Path) -> DemoDataSet:
    """Return twelve computer-drawn studies as files, drawn once per test process; they must not be changed."""
    return write_data_set(folder, studies=12)


@asynccontextmanager
async def opened(
    data: Path, embedder: Embedder | None = None, *, store: StoreName = "embedded", **variables: str
) -> AsyncGenerator[Archive]:
    """Open the archive of a data folder.

    Args:
        embedder: None: a toy that reads text.
        store: "memory" keeps the rows in this process, under the folder's name, from one opening to the next: faster,
            for tests of anything but storage.
        variables: Environment variables.
    """
    settings = Settings(**{"MCP_CXR_DATA_DIR": str(data), "MCP_CXR_EMBEDDER": "offline", **variables})  # pyright: ignore[reportArgumentType]  # variables, as the environment has them
    one_worker = ImageReader(workers=1)  # which reads the few files of a test before a second one has started
    async with _store(data, store) as opened_store, one_worker as reader, embedder or ToyEmbedder() as used:
        yield Archive(settings, opened_store, used, reader)


@asynccontextmanager
async def open_memory_archive(settings: Settings) -> AsyncGenerator[Archive]:
    """Open an archive as `open_archive` does, but with the memory store of the data folder and the offline embedder."""
    embedder = OfflineEmbedder(preprocessing=PREPROCESSING)
    async with _store(settings.data_dir, "memory") as store, ImageReader(workers=1) as reader, embedder:
        yield Archive(settings, store, embedder, reader)


def _store(data: Path, name: StoreName) -> Store:
    return MemoryStore(_memory_databases[data]) if name == "memory" else EmbeddedStore(data)


def copy_memory_archive(source: Path, target: Path) -> Path:
    """Copy the archive in memory of one data folder to another; return `target`."""
    _memory_databases[target] = copy_database(_memory_databases[source])
    return target


def copy_database(database: MemoryDatabase) -> MemoryDatabase:
    """Return a copy; only the tables are copied, since the store replaces rows and never changes one."""
    tables = copy(database.tables)
    if tables:
        vars(tables).update({name: copy(value) for name, value in vars(tables).items()})
    return MemoryDatabase(tables)


async def ingested(
    data: Path, folder: Path, embedder: Embedder | None = None, *, store: StoreName = "embedded", **how: Any
) -> IngestSummary:
    """Ingest a folder as one command would, and check that the counts of its summary add up."""
    async with opened(data, embedder, store=store) as archive:
        return balanced(await archive.ingest(folder, **how))


BAD_FILES = (
    "SELECT path, substr(reason, 1, instr(reason, char(9)) - 1) FROM files WHERE reason IS NOT NULL ORDER BY path"
)
"""Paths and reasons; the version that refused a file follows its reason, after a tab."""

opened_in_memory = partial(opened, store="memory")
ingested_in_memory = partial(ingested, store="memory")


async def image_ids(archive: Archive) -> list[ImageId]:
    """Return the ids of the images of a small archive, in order."""
    return [one.image.image_id for one in await archive.store.images_after(None, limit=1000)]


async def set_vectors(archive: Archive, vectors: Mapping[ImageId, Vector]) -> None:
    """Replace the vectors of some images."""
    stored = await archive.store.get(list(vectors))
    await archive.store.put([stored[image_id].image for image_id in vectors], np.stack(list(vectors.values())))


def counts(summary: IngestSummary) -> dict[str, Any]:
    """Return the counts of an ingest that are not zero or None."""
    named = ("found", "skipped", "added", "errors", "would_add", "remaining", "total_in_store")
    named += ("recorded_bad", "other_file_same_id", "other_pixels_same_id")
    return {name: value for name in named if (value := getattr(summary, name))}


def balanced(summary: IngestSummary) -> IngestSummary:
    """Check that a summary accounts for every file that was found, and return it."""
    passed_over = summary.skipped + summary.recorded_bad + summary.other_file_same_id
    done = passed_over + summary.added + summary.errors + (summary.would_add or 0)
    assert summary.processed == done
    assert summary.errors == sum(summary.errors_by_reason.values())
    if summary.found is None:
        assert summary.remaining is None
        assert summary.next
    else:
        assert summary.remaining == summary.found - done >= 0
        assert bool(summary.next) == bool(summary.remaining)
    return summary


def contents(data: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return everything an archive holds, apart from when and in which order it was written."""
    with closing(sqlite3.connect(data / DATABASE)) as connection:
        return {name: connection.execute(statement).fetchall() for name, statement in _CONTENTS.items()}


def rows(data: Path, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Run a statement on the database without the store, and return the rows."""
    with closing(sqlite3.connect(data / DATABASE)) as connection, connection:
        return connection.execute(statement, values).fetchall()


def is_made(data: Path) -> bool:
    """Return whether anything was written to a data folder."""
    return data.exists()


def all_bytes(folder: Path) -> bytes:
    """Return every byte below a folder."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
