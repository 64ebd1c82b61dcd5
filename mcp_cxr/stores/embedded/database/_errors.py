"""Translates SQLite's errors into `StoreError`s."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mcp_cxr.errors import StoreError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Generator

_PRIMARY = 0xFF  # an extended result code keeps the primary one in its lowest byte (SQLite documentation, rescode)

_DAMAGED = (
    StoreError,
    "{location} is damaged or not a database. Restore a backup, or remove it and ingest again.",
)
_LOCKED = (
    StoreUnavailable,
    "{location} is locked by another program that writes to it. Try again when that program has finished.",
)
_DENIED = (StoreError, "{location} cannot be written. Check the permissions of the file and its folder.")
_MEANINGS: dict[int, tuple[type[StoreError], str]] = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_FULL: (
        StoreUnavailable,
        "No space is left for {location}. Free some and repeat the command; nothing was half written.",
    ),
    sqlite3.SQLITE_IOERR: (StoreUnavailable, "{location} cannot be read or written. Check the disk it is on."),
    sqlite3.SQLITE_CANTOPEN: (
        StoreUnavailable,
        "{location} cannot be opened. Check that its folder exists and that you may read and write it.",
    ),
    sqlite3.SQLITE_PERM: _DENIED,
    sqlite3.SQLITE_READONLY: _DENIED,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}


@contextmanager
def translated_errors(location: str) -> Generator[None]:
    """Raise errors of SQLite and the file system as a `StoreError` that says what to do."""
    try:
        yield
    except sqlite3.Error as exc:
        raise _meaning(exc, location) from exc
    except OSError as exc:
        raise StoreUnavailable(
            f"{location} cannot be created ({exc.strerror}). Check that its folder is a folder that you may write to."
        ) from exc


def _meaning(exc: sqlite3.Error, location: str) -> StoreError:
    """Return the error to raise. SQLite's own text is left out: it may quote stored values."""
    code = getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    if known := _MEANINGS.get(code & _PRIMARY):
        kind, message = known
        return kind(message.format(location=location))
    name = getattr(exc, "sqlite_errorname", type(exc).__name__)
    return StoreError(
        f"{location} failed ({name}). Run `mcp-cxr table verify`; if it finds nothing, please file an issue."
    )
