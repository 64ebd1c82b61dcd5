"""What the store records about the archive, in the table `collection`.

These are the schema version, fingerprint, roots, key check and reader version.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

from mcp_cxr.language import READER_VERSION
from mcp_cxr.records import Fingerprint, StoreInfo
from mcp_cxr.stores._shared import check_fingerprint, check_key, require_fingerprint, schema_mismatch, store_missing
from mcp_cxr.stores.embedded.database._cells import path_from_cell, path_to_cell

if TYPE_CHECKING:
    from collections.abc import Sequence
    from sqlite3 import Connection
    from typing import LiteralString

SCHEMA_VERSION = 3  # 2: the index contains the findings of reports; 3: an index of this package instead of FTS5
_NOT_CREATED = 0  # SQLite's value for a new file

_VALUE = "SELECT value FROM collection WHERE key = ?"
_ADD = "INSERT OR IGNORE INTO collection (key, value) VALUES (?, ?)"
_SET = "INSERT OR REPLACE INTO collection (key, value) VALUES (?, ?)"
_ADD_ROOT = "INSERT OR IGNORE INTO roots (path) VALUES (?)"
_COLUMNS = "SELECT name FROM pragma_table_info('studies')"
_LATER_COLUMNS: dict[str, LiteralString] = {
    "labels_by": "ALTER TABLE studies ADD COLUMN labels_by TEXT",
    "positives_only": "ALTER TABLE studies ADD COLUMN positives_only INTEGER",
    "sex": "ALTER TABLE studies ADD COLUMN sex TEXT",
    "age": "ALTER TABLE studies ADD COLUMN age INTEGER",
    "report_language": "ALTER TABLE studies ADD COLUMN report_language TEXT",
}
_LATER_INDEXES = (
    "CREATE INDEX IF NOT EXISTS studies_of_positives ON studies (number) WHERE positives_only",
    "CREATE INDEX IF NOT EXISTS studies_by_sex ON studies (sex) WHERE sex IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS studies_by_age ON studies (age) WHERE age IS NOT NULL",
)
_ROOTS = "SELECT path FROM roots ORDER BY number"
# An external row has no root, and its whole path.
_UNUSED: LiteralString = """
FROM roots WHERE path = :path AND NOT EXISTS (
    SELECT 1 FROM images
    WHERE root = path OR made_by IS NULL AND substr(image_path, 1, length(:within)) = :within)"""


def require_archive(connection: Connection, location: str) -> None:
    """Check that the archive exists and has this schema.

    Raises:
        StoreMissing: It does not exist.
        SchemaMismatch: It has another schema.
    """
    if not _exists(connection, location):
        raise store_missing(location)


def create(
    connection: Connection, location: str, fingerprint: Fingerprint | None, root: str | None, key_check: str | None
) -> bool:
    """Create missing tables, record the arguments, and return whether the tables were created now."""
    is_new = not _exists(connection, location)
    if is_new:
        schema = resources.files("mcp_cxr.stores.embedded.database").joinpath("schema.sql").read_text(encoding="utf-8")
        for statement in schema.split(";\n"):  # `executescript` would commit first
            connection.execute(statement)
        record_report_reader(connection)
    check_fingerprint(fingerprint_of(connection), fingerprint)
    check_key(_value(connection, "key_check"), key_check)
    if fingerprint:
        connection.execute(_ADD, ("fingerprint", json.dumps(asdict(fingerprint))))
    if key_check:
        connection.execute(_ADD, ("key_check", key_check))
    if root:
        connection.execute(_ADD_ROOT, (path_to_cell(root),))
    return is_new


def update_fingerprint(connection: Connection, fingerprint: Fingerprint) -> None:
    """Record another service version or dialect that makes the same vectors."""
    check_fingerprint(require_fingerprint(fingerprint_of(connection)), fingerprint)
    connection.execute(_SET, ("fingerprint", json.dumps(asdict(fingerprint))))


def info(connection: Connection) -> StoreInfo:
    """Return the schema version, fingerprint, roots and key check."""
    return StoreInfo(
        schema_version=SCHEMA_VERSION,
        fingerprint=fingerprint_of(connection),
        roots=tuple(path_from_cell(path) for (path,) in connection.execute(_ROOTS)),
        key_check=_value(connection, "key_check"),
        reader_version=reader_version(connection),
    )


def count_unused_roots(connection: Connection, roots: Sequence[str], *, remove: bool) -> int:
    """Return how many of these roots no image comes from, and remove them if asked."""
    bound = [{"path": path_to_cell(root), "within": path_to_cell(root.rstrip(os.sep) + os.sep)} for root in roots]
    unused = sum(connection.execute("SELECT count(*)" + _UNUSED, values).fetchone()[0] for values in bound)
    if remove:
        connection.executemany("DELETE" + _UNUSED, bound)
    return unused


def fingerprint_of(connection: Connection) -> Fingerprint | None:
    """Return the fingerprint of the archive's vectors; None before the first ingest."""
    stored = _value(connection, "fingerprint")
    return _read(stored) if stored else None


def reader_version(connection: Connection) -> int:
    """Return the version of the reader that derived the documents."""
    return int(_value(connection, "reader") or 1)


def record_report_reader(connection: Connection) -> None:
    """Record that this version of the reader derived the documents."""
    connection.execute(_SET, ("reader", str(READER_VERSION)))


def has_later_columns(connection: Connection) -> bool:
    """Return whether the table of studies has the columns that archives of older versions lack."""
    return _LATER_COLUMNS.keys() <= {name for (name,) in connection.execute(_COLUMNS)}


def add_later_columns(connection: Connection) -> None:
    """Add these columns if they are missing."""
    known = {name for (name,) in connection.execute(_COLUMNS)}
    for name, statement in _LATER_COLUMNS.items():
        if name not in known:
            connection.execute(statement)
    for statement in _LATER_INDEXES:
        connection.execute(statement)


@lru_cache(maxsize=4)
def _read(stored: str) -> Fingerprint:
    return Fingerprint(**json.loads(stored))


def _exists(connection: Connection, location: str) -> bool:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version not in (_NOT_CREATED, SCHEMA_VERSION):
        raise schema_mismatch(location, found=version, wanted=SCHEMA_VERSION)
    return version != _NOT_CREATED


def _value(connection: Connection, key: str) -> str | None:
    row = connection.execute(_VALUE, (key,)).fetchone()
    return row[0] if row else None
