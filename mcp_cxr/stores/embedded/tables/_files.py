"""Reads and writes the ingest outcome of each file."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from mcp_cxr.records import Outcome
from mcp_cxr.stores._shared import reason_from_cell, reason_to_cell
from mcp_cxr.stores.embedded.database import path_from_cell, path_to_cell

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from sqlite3 import Connection
    from typing import Any

    from mcp_cxr.records import ImageId

_OUTCOME = "SELECT size, mtime_ns, image_id, reason FROM files WHERE path = ?"
_REFUSED = "SELECT path, size, mtime_ns, image_id, reason FROM files WHERE reason IS NOT NULL"
_OF_IMAGES = """
SELECT path, size, mtime_ns, image_id, reason FROM files WHERE image_id IN (SELECT value FROM json_each(?))"""
_NAMED = "SELECT path, size, mtime_ns, image_id, reason FROM files WHERE substr(path, -length(?1)) = ?1"
_UNCHANGED = """
SELECT f.image_id, i.root, i.image_path
FROM files AS f LEFT JOIN images AS i ON i.image_id = f.image_id AND i.made_by IS NOT NULL
WHERE f.path = ? AND f.size = ? AND f.mtime_ns = ?"""
_RECORD = "INSERT OR REPLACE INTO files (path, size, mtime_ns, image_id, reason) VALUES (?, ?, ?, ?, ?)"


def outcomes(connection: Connection, paths: Collection[str]) -> dict[str, Outcome]:
    """Return the recorded outcomes of these files."""
    rows = ((path, connection.execute(_OUTCOME, (path_to_cell(path),)).fetchone()) for path in paths)
    found: dict[str, Outcome] = {}
    for path, row in rows:
        if row:
            size, mtime_ns, image_id, cell = row
            found[path] = Outcome(path, size, mtime_ns, image_id, *reason_from_cell(cell))
    return found


def refused_files(connection: Connection) -> list[Outcome]:
    """Return the outcomes that have a reason, by path."""
    return _by_path(connection.execute(_REFUSED))


def files_of(connection: Connection, ids: Collection[ImageId]) -> list[Outcome]:
    """Return the outcomes of files recorded with these images, by path."""
    return _by_path(connection.execute(_OF_IMAGES, (json.dumps(list(ids)),)))


def files_named(connection: Connection, name: str) -> list[Outcome]:
    """Return the outcomes of all files that have this name in any folder, by path."""
    return _by_path(connection.execute(_NAMED, (f"{os.sep}{name}",)))


def _by_path(rows: Iterable[tuple[Any, ...]]) -> list[Outcome]:
    found = [
        Outcome(path_from_cell(path), size, mtime_ns, image_id, *reason_from_cell(cell))
        for path, size, mtime_ns, image_id, cell in rows
    ]
    return sorted(found, key=lambda one: one.path)


def unchanged_files(connection: Connection, files: Mapping[str, tuple[int, int]]) -> dict[str, ImageId | None]:
    """Return the images of the files that are unchanged and need no work; None for refused files."""
    found: dict[str, ImageId | None] = {}
    for path, status in files.items():
        row = connection.execute(_UNCHANGED, (path_to_cell(path), *status)).fetchone()
        if row is None:
            continue
        image_id, root, below = row
        if image_id is None or (root is not None and _joined(root, below) == path):
            found[path] = image_id
    return found


def _joined(root: str | bytes, below: str | bytes) -> str:
    return os.path.join(path_from_cell(root), path_from_cell(below))  # noqa: PTH118  # text: no path is opened


def record_outcomes(connection: Connection, given: Sequence[Outcome]) -> None:
    """Record what became of files."""
    rows = [(path_to_cell(file.path), file.size, file.mtime_ns, file.image_id, reason_to_cell(file)) for file in given]
    connection.executemany(_RECORD, rows)
