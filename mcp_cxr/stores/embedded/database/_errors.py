"""SQLite's errors in this package's words: the one place where they are translated."""

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
    "{location} is damaged, or no database. Put a backup in its place, or remove it and ingest again.",
)
_LOCKED = (StoreUnavailable, "{location} is being written by another program. Try again when that one has finished.")
_DENIED = (StoreError, "{location} cannot be written. Check that you may write to the file and to its folder.")
_MEANINGS: dict[int, tuple[type[StoreError], str]] = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_FULL: (
        StoreUnavailable,
        "No space is left for {location}. Free some, then do the same again: nothing is half written.",
    ),
    sqlite3.SQLITE_IOERR: (StoreUnavailable, "{location} cannot be read or written. Check the disk it is on."),
    sqlite3.SQLITE_CANTOPEN: (
        StoreUnavailable,
        "{location} cannot be opened. Check that its folder is there and that you may read and write it.",
    ),
    sqlite3.SQLITE_PERM: _DENIED,
    sqlite3.SQLITE_READONLY: _DENIED,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}


@contextmanager
def translated(location: str) -> Generator[None]:
    """Turn what SQLite and the file system raise within into a `StoreError` that says what to do."""
    try:
        yield
    except sqlite3.Error as exc:
        raise _meaning(exc, location) from exc
    except OSError as exc:
        raise StoreUnavailable(
            f"{location} cannot be made ({exc.strerror}). Check that its folder is a folder and that you may write it."
        ) from exc


def _meaning(exc: sqlite3.Error, location: str) -> StoreError:
    """Return the error to raise. SQLite's own text stays out of it: it may quote what is stored."""
    code = getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    if known := _MEANINGS.get(code & _PRIMARY):
        kind, message = known
        return kind(message.format(location=location))
    name = getattr(exc, "sqlite_errorname", type(exc).__name__)
    return StoreError(
        f"{location} failed ({name}). Run `mcp-cxr table verify`; please report this if it finds nothing."
    )
