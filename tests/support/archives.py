"""Archives as the product opens them, and what lies in their database."""

from __future__ import annotations

import sqlite3
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any

from mcp_cxr.archive import Archive
from mcp_cxr.images import Reader
from mcp_cxr.settings import Settings
from mcp_cxr.stores import EmbeddedStore
from tests.support.toy import ToyEmbedder

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.records import IngestSummary

DATABASE = "archive.sqlite3"

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


@asynccontextmanager
async def opened(data: Path, embedder: Embedder | None = None, **variables: str) -> AsyncGenerator[Archive]:
    """Open an archive with this embedder, else a toy; variables are those of the environment."""
    settings = Settings(**{"MCP_CXR_DATA_DIR": str(data), "MCP_CXR_EMBEDDER": "offline", **variables})  # pyright: ignore[reportArgumentType]  # variables, as the environment has them
    async with EmbeddedStore(data) as store, Reader() as reader, embedder or ToyEmbedder() as used:
        yield Archive(settings, store, used, reader)


async def ingested(data: Path, films: Path, embedder: Embedder | None = None, **how: Any) -> IngestSummary:
    """Ingest a folder as one command would, and check that its figures add up."""
    async with opened(data, embedder) as archive:
        return balanced(await archive.ingest(films, **how))


def balanced(summary: IngestSummary) -> IngestSummary:
    """Return the summary, in which every file that was found is accounted for."""
    done = summary.skipped + summary.added + summary.errors + (summary.would_add or 0)
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
    """Everything an archive holds, apart from when and in which order it was written."""
    with closing(sqlite3.connect(data / DATABASE)) as connection:
        return {name: connection.execute(statement).fetchall() for name, statement in _CONTENTS.items()}


def rows(data: Path, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Ask or change the database behind the store's back."""
    with closing(sqlite3.connect(data / DATABASE)) as connection, connection:
        return connection.execute(statement, values).fetchall()


def is_made(data: Path) -> bool:
    """Whether anything was written where an archive would be."""
    return data.exists()


def all_bytes(folder: Path) -> bytes:
    """Every byte below a folder."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
