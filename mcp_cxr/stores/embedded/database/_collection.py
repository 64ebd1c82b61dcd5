"""What the collection knows of itself: its schema version, fingerprint, roots and key check."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

from mcp_cxr.records import Collection, Fingerprint
from mcp_cxr.stores._checks import check_fingerprint, check_key, require_fingerprint, schema_mismatch, store_missing
from mcp_cxr.stores.embedded.database._paths import from_cell, to_cell

if TYPE_CHECKING:
    from collections.abc import Sequence
    from sqlite3 import Connection
    from typing import LiteralString

SCHEMA_VERSION = 3  # 2: the words index holds what reports say of findings; 3: it is ours, not FTS5's
_NOT_MADE = 0  # what SQLite gives for a new file

_VALUE = "SELECT value FROM collection WHERE key = ?"
_ENTER = "INSERT OR REPLACE INTO collection (key, value) VALUES (?, ?)"
_ADD_ROOT = "INSERT OR IGNORE INTO roots (path) VALUES (?)"
_ROOTS = "SELECT path FROM roots ORDER BY number"
# What another program wrote has no root, and its whole path.
_IDLE: LiteralString = """
FROM roots WHERE path = :path AND NOT EXISTS (
    SELECT 1 FROM images
    WHERE root = path OR made_by IS NULL AND substr(image_path, 1, length(:within)) = :within)"""


def require(connection: Connection, location: str) -> None:
    """Check that there is a collection, and that it is of this schema.

    Raises:
        StoreMissing: There is none.
        SchemaMismatch: It is of another schema.
    """
    if not _is_made(connection, location):
        raise store_missing(location)


def make(
    connection: Connection, location: str, fingerprint: Fingerprint | None, root: str | None, key_check: str | None
) -> bool:
    """Make the tables if they are missing, enter what is given, and return whether they were made now."""
    made_now = not _is_made(connection, location)
    if made_now:
        schema = resources.files("mcp_cxr.stores.embedded.database").joinpath("schema.sql").read_text(encoding="utf-8")
        for statement in schema.split(";\n"):  # `executescript` would commit first
            connection.execute(statement)
    if fingerprint:
        _claim_space(connection, fingerprint)
    if key_check:
        _claim_key(connection, key_check)
    if root:
        connection.execute(_ADD_ROOT, (to_cell(root),))
    return made_now


def renew(connection: Connection, fingerprint: Fingerprint) -> None:
    """Enter another service behind the same space."""
    check_fingerprint(require_fingerprint(fingerprint_of(connection)), fingerprint)
    connection.execute(_ENTER, ("fingerprint", json.dumps(asdict(fingerprint))))


def collection(connection: Connection) -> Collection:
    """Return what the collection knows of itself."""
    return Collection(
        schema_version=SCHEMA_VERSION,
        fingerprint=fingerprint_of(connection),
        roots=tuple(from_cell(path) for (path,) in connection.execute(_ROOTS)),
        key_check=_value(connection, "key_check"),
    )


def count_idle_roots(connection: Connection, roots: Sequence[str]) -> int:
    """Return how many of these roots no image comes from."""
    return sum(connection.execute("SELECT count(*)" + _IDLE, _bound(root)).fetchone()[0] for root in roots)


def remove_idle_roots(connection: Connection, roots: Sequence[str]) -> int:
    """Remove them, and return how many they were."""
    return sum(connection.execute("DELETE" + _IDLE, _bound(root)).rowcount for root in roots)


def fingerprint_of(connection: Connection) -> Fingerprint | None:
    """Return what made the collection's vectors; None until the first ingest."""
    stored = _value(connection, "fingerprint")
    return _read(stored) if stored else None


def _bound(root: str) -> dict[str, str | bytes]:
    return {"path": to_cell(root), "within": to_cell(root.rstrip(os.sep) + os.sep)}


@lru_cache(maxsize=4)
def _read(stored: str) -> Fingerprint:
    return Fingerprint(**json.loads(stored))


def _is_made(connection: Connection, location: str) -> bool:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version not in (_NOT_MADE, SCHEMA_VERSION):
        raise schema_mismatch(location, found=version, wanted=SCHEMA_VERSION)
    return version != _NOT_MADE


def _claim_space(connection: Connection, given: Fingerprint) -> None:
    stored = fingerprint_of(connection)
    check_fingerprint(stored, given)
    if stored is None:
        connection.execute(_ENTER, ("fingerprint", json.dumps(asdict(given))))


def _claim_key(connection: Connection, given: str) -> None:
    stored = _value(connection, "key_check")
    check_key(stored, given)
    if stored is None:
        connection.execute(_ENTER, ("key_check", given))


def _value(connection: Connection, key: str) -> str | None:
    row = connection.execute(_VALUE, (key,)).fetchone()
    return row[0] if row else None
