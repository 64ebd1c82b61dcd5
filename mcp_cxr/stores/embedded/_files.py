"""What became of the files that were met."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_cxr.records import Outcome
from mcp_cxr.stores.embedded._paths import to_cell

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from sqlite3 import Connection

_OUTCOME = "SELECT size, mtime_ns, image_id, reason FROM files WHERE path = ?"
_RECORD = "INSERT OR REPLACE INTO files (path, size, mtime_ns, image_id, reason) VALUES (?, ?, ?, ?, ?)"


def outcomes(connection: Connection, paths: Collection[str]) -> dict[str, Outcome]:
    """Return what became of these files."""
    rows = ((path, connection.execute(_OUTCOME, (to_cell(path),)).fetchone()) for path in paths)
    return {path: Outcome(path, *row) for path, row in rows if row}


def record(connection: Connection, given: Sequence[Outcome]) -> None:
    """Keep what became of files."""
    rows = [(to_cell(file.path), file.size, file.mtime_ns, file.image_id, file.reason) for file in given]
    connection.executemany(_RECORD, rows)
