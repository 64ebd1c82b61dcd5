"""Keeps an int8 copy of the vectors beside the database, to be scanned instead of it.

The copy may lag behind the database, and never leads it: what SQLite has committed is appended, by one process at a
time; what the copy does not cover yet is read from SQLite. A copy that is missing, damaged, or of another state of the
database is made anew under another name, which then takes its place: deleting it at any moment costs that and nothing
else. Rows that SQLite has no more stay until they are wiped; hits are joined to SQLite, so they cannot surface.
"""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.errors import StoreUnavailable
from mcp_cxr.stores.embedded.database import CAN_LOCK, Changes, LockBusy, fingerprint_of, locked
from mcp_cxr.stores.embedded.vectors._blobs import as_they_are
from mcp_cxr.stores.embedded.vectors._int8_file import Copy, Int8Header, Writer
from mcp_cxr.stores.embedded.vectors._quantized import encode

if TYPE_CHECKING:
    from collections.abc import Generator
    from contextlib import AbstractContextManager
    from pathlib import Path
    from sqlite3 import Connection
    from typing import Any, Self

    from mcp_cxr.records import Vector
    from mcp_cxr.stores.embedded.vectors._quantized import Encoded

_log = logging.getLogger(__name__)

SMALLEST = 1024
"""Images from which on there is a copy; fewer are compared in SQLite in some milliseconds."""
LAG = 512
"""Slots that a reader takes from SQLite, some milliseconds' worth, before it has the copy brought up to date."""

_ENCODED_AT_ONCE = 4096

_ARE_MANY = "SELECT count(*) >= :n FROM (SELECT 1 FROM images WHERE made_by IS NOT NULL LIMIT :n)"
_COUNT = "SELECT count(*) FROM images WHERE made_by IS NOT NULL"
_SLOTS = "SELECT slot FROM images WHERE made_by IS NOT NULL"
_ROWS_AFTER = """
SELECT i.slot, coalesce((SELECT number FROM studies AS s WHERE s.study_id = i.study_id), 0), i.view_position,
    (SELECT vector FROM vectors AS v WHERE v.slot = i.slot)
FROM images AS i WHERE +i.made_by IS NOT NULL AND i.slot > ? ORDER BY i.slot"""
_ROW_BEFORE = """
SELECT i.slot, coalesce((SELECT number FROM studies AS s WHERE s.study_id = i.study_id), 0), i.view_position,
    (SELECT vector FROM vectors AS v WHERE v.slot = i.slot)
FROM images AS i WHERE +i.made_by IS NOT NULL AND i.slot <= ? ORDER BY i.slot DESC LIMIT 1"""
_TYPICAL = """
SELECT (SELECT vector FROM vectors AS v WHERE v.slot = images.slot) FROM images
WHERE made_by IS NOT NULL AND sample_key < 1152921504606846976 ORDER BY sample_key LIMIT 1024"""


class Stale(Exception):
    """The copy cannot serve this state of the database: bring it up to date, and ask in a new transaction."""


class Cache:
    """The copy of one database, in the file of its name that ends in `.int8`."""

    def __init__(self, database: Path) -> None:
        self._folder, self._path = database.parent, database.with_suffix(".int8")
        self._new = database.with_suffix(".int8.new")
        self._kept: Copy | None = None
        self._works = CAN_LOCK

    def copy(self, connection: Connection, *, max_lag: int | None) -> tuple[Copy | None, int]:
        """Return the copy, to be used within this transaction, and the slots it lags behind; None: there is to be none.

        Raises:
            Stale: It is missing or damaged, does not fit this state of the database, or lags by more slots.
        """
        if not self._works:
            return None, 0
        found = self._latest(connection)
        if found is None and not _are_many(connection):
            return None, 0
        changes = Changes.of(connection)
        if found is None or not _fits(found.header, changes):
            raise Stale
        lag = changes.last_slot - found.header.covered
        if max_lag is not None and lag > max_lag:
            raise Stale
        return found, lag

    def alone(self) -> AbstractContextManager[None]:
        """Return the lock in which the transaction of `bring_up` begins; raises `LockBusy` where it is held."""
        return locked(self._folder)

    def bring_up(self, connection: Connection) -> None:
        """Add what the database has and the copy has not, or make the copy anew."""
        if not self._works:
            return
        changes, found = Changes.of(connection), self._latest(connection)
        try:
            if found and _fits(found.header, changes) and _has_room(found.header, changes):
                self._extend(connection, found, changes)
            elif _are_many(connection):
                self._make(connection, changes)
        except FileNotFoundError:  # deleted meanwhile: who asks next makes it anew
            return
        except OSError as exc:
            self._works = False
            _log.warning("%s cannot be written (%s); searches go on without it, slower.", self._path, exc.strerror)

    def wiping(self, *, wait_s: float) -> Wiping:
        """Return what overwrites copies of images while these are removed."""
        return Wiping(self._folder, self._path, self._new, wait_s)

    @contextmanager
    def removing(self, *, wait_s: float) -> Generator[None]:
        """Remove the copy, and let none be made while all images are removed."""
        with self.wiping(wait_s=wait_s):
            self._path.unlink(missing_ok=True)
            yield

    def _latest(self, connection: Connection) -> Copy | None:
        """Return the copy as its file is now."""
        kept = self._kept
        found = kept.now(self._path) if kept else None
        if found is None:
            found = Copy.of(self._path)
            found = found if found and _agree(connection, found) else None
        self._kept = found
        return found

    def _extend(self, connection: Connection, copy: Copy, changes: Changes) -> None:
        if changes.last_slot > copy.header.covered:
            with _opened(self._path, os.O_RDWR) as file:
                _append(connection, Writer(file, copy.header, copy.rows.centre), changes)

    def _make(self, connection: Connection, changes: Changes) -> None:
        """Write a new file, and put it in the place of the old one."""
        (count,) = connection.execute(_COUNT).fetchone()
        centre = _centre(connection)
        header = Int8Header(
            centre.size,
            capacity=2 * count,  # of the disk it takes only what is written
            compacted=changes.removed,
            rewritten=changes.rewritten,
            identity=changes.identity.encode(),
        )
        try:
            with _opened(self._new, os.O_RDWR | os.O_CREAT | os.O_TRUNC) as file:
                os.ftruncate(file, header.size)
                _append(connection, Writer(file, header, centre), changes)
            self._new.replace(self._path)
        finally:
            self._new.unlink(missing_ok=True)


class Wiping:
    """Holds the lock around a transaction that removes images, so that no copy of them is made meanwhile.

    From `wipe` to the end of the transaction the file is not valid: whatever happens, nobody uses half of it.
    """

    def __init__(self, folder: Path, path: Path, new: Path, wait_s: float) -> None:
        self._lock = locked(folder, wait_s=wait_s)
        self._path, self._new = path, new
        self._wiped: tuple[Int8Header, Vector] | None = None

    def __enter__(self) -> Self:
        try:
            self._lock.__enter__()
        except LockBusy as exc:
            raise StoreUnavailable(f"{self._path} is being written by another process. Try again in a minute.") from exc
        self._new.unlink(missing_ok=True)  # left by a process that was killed
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            if kind is None and self._wiped:
                with suppress(OSError), _opened(self._path, os.O_RDWR) as file:  # else it stays invalid
                    Writer(file, *self._wiped).publish()
        finally:
            self._lock.__exit__(None, None, None)

    def wipe(self, connection: Connection) -> None:
        """Overwrite all rows that the database has no more."""
        copy, now = Copy.of(self._path), Changes.of(connection)
        if copy is None or not _fits(copy.header, now) or not _agree(connection, copy):
            self._path.unlink(missing_ok=True)  # it may hold anything
            return
        there = np.fromiter((slot for (slot,) in connection.execute(_SLOTS)), np.int64)
        gone = np.flatnonzero(~np.isin(copy.rows.slots, there))
        with suppress(FileNotFoundError), _opened(self._path, os.O_RDWR) as file:  # deleted meanwhile: then it is gone
            writer = Writer(file, copy.header, copy.rows.centre)
            writer.wipe(copy.rows, gone)
            self._wiped = replace(writer.header, removed=now.removed), copy.rows.centre


@contextmanager
def _opened(path: Path, flags: int) -> Generator[int]:
    file = os.open(path, flags, 0o600)
    try:
        yield file
    finally:
        os.close(file)


def _append(connection: Connection, writer: Writer, changes: Changes) -> None:
    """Add all rows beyond those that are covered."""
    rows = connection.execute(_ROWS_AFTER, (writer.header.covered,))
    while block := rows.fetchmany(_ENCODED_AT_ONCE):
        writer.append(_encoded(block, writer.centre))
    writer.publish(covered=changes.last_slot, removed=changes.removed)


def _encoded(rows: list[tuple[Any, ...]], centre: Vector) -> Encoded:
    slots, studies, views, blobs = zip(*rows, strict=True)
    return encode(slots, studies, views, as_they_are(blobs, centre.size), centre)


def _agree(connection: Connection, copy: Copy) -> bool:
    """Whether the last row that both should have is the same.

    It is not where a backup was put in the database's place, and slots were given to other images.
    """
    row = connection.execute(_ROW_BEFORE, (copy.header.covered,)).fetchone()
    if row is None:
        return True
    theirs = _encoded([row], copy.rows.centre)
    places, here = copy.rows.find(theirs.slots)
    return bool(here.all() and (copy.rows.codes[places] == theirs.codes).all())


def _fits(header: Int8Header, now: Changes) -> bool:
    """Whether the copy holds all rows of this state of the database, as far as it goes: it lost none still here."""
    same = (header.identity.decode(), header.rewritten) == (now.identity, now.rewritten)
    return same and header.removed <= now.removed


def _has_room(header: Int8Header, now: Changes) -> bool:
    """Whether what is new can be added, and the copy is not for the most part of removed images."""
    rows, new = header.rows, now.last_slot - header.covered
    return rows + new <= header.capacity and now.removed - header.compacted <= rows // 2 + SMALLEST


def _are_many(connection: Connection) -> bool:
    return bool(connection.execute(_ARE_MANY, {"n": SMALLEST}).fetchone()[0])


def _centre(connection: Connection) -> Vector:
    """Return about what all vectors have in common; any no longer than 1 would do, a good one bounds closely."""
    blobs = [blob for (blob,) in connection.execute(_TYPICAL)]
    fingerprint = fingerprint_of(connection)
    vectors = as_they_are(blobs, fingerprint.dimension if fingerprint else 0)
    sound = vectors[np.isfinite(vectors).all(axis=1)]
    return np.asarray(sound.sum(axis=0) / max(len(sound), 1), np.float32)
