"""Keeps an int8 copy of the vectors beside the database, which is scanned instead of it.

The copy may lag behind the database but never runs ahead: committed rows are appended, by one process at a time, some
at each query or write, so that none waits for all; rows that the copy does not cover yet are read from SQLite. A copy
that is missing, damaged, or of another state of the database is made under another name and then replaced: it may
be deleted at any time. Rows that SQLite has deleted stay in the copy until they are wiped; they cannot become hits,
because hits are joined to SQLite.
"""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.errors import StoreUnavailable
from mcp_cxr.stores.embedded.database import (
    CAN_LOCK,
    Changes,
    LockBusy,
    StaleCopy,
    fingerprint_of,
    locked,
    stack_blobs_or_nan,
)
from mcp_cxr.stores.embedded.vectors._int8_file import Int8Header, Int8Snapshot, Writer
from mcp_cxr.stores.embedded.vectors._quantized import quantize

if TYPE_CHECKING:
    from collections.abc import Generator
    from contextlib import AbstractContextManager
    from pathlib import Path
    from sqlite3 import Connection
    from typing import Any, Self

    from numpy.typing import NDArray

    from mcp_cxr.records import Vector
    from mcp_cxr.stores.embedded.vectors._quantized import QuantizedRows

_log = logging.getLogger(__name__)

MIN_IMAGES_FOR_COPY = 1024
"""Images from which on there is a copy; fewer are read from SQLite in some milliseconds."""
MAX_LAG_SLOTS = 64
"""Slots that a reader takes from SQLite before it updates the copy."""
LEAST_APPENDED = 512
"""Slots that a writer lets come together: a file that grows in smaller pieces is slower to scan."""
MOST_APPENDED = 32_768
"""Rows that one update appends at most, in a fraction of a second; the next update continues."""

_READ_AT_ONCE = 4096
_COPIED_AT_ONCE = 32_768

_ARE_MANY = "SELECT count(*) >= :n FROM (SELECT 1 FROM images WHERE made_by IS NOT NULL LIMIT :n)"
_COUNT = "SELECT count(*) FROM images WHERE made_by IS NOT NULL"
_SLOTS = "SELECT slot FROM images WHERE made_by IS NOT NULL"
_ROWS_AFTER = """
SELECT i.slot, coalesce((SELECT number FROM studies AS s WHERE s.study_id = i.study_id), 0), i.view_position,
    (SELECT vector FROM vectors AS v WHERE v.slot = i.slot)
FROM images AS i WHERE +i.made_by IS NOT NULL AND i.slot > ? ORDER BY i.slot LIMIT ?"""
_ROW_BEFORE = """
SELECT i.slot, coalesce((SELECT number FROM studies AS s WHERE s.study_id = i.study_id), 0), i.view_position,
    (SELECT vector FROM vectors AS v WHERE v.slot = i.slot)
FROM images AS i WHERE +i.made_by IS NOT NULL AND i.slot <= ? ORDER BY i.slot DESC LIMIT 1"""
_TYPICAL = """
SELECT (SELECT vector FROM vectors AS v WHERE v.slot = images.slot) FROM images
WHERE made_by IS NOT NULL AND sample_key < 1152921504606846976 ORDER BY sample_key LIMIT 1024"""


class Int8Copy:
    """The int8 copy of one database, in the file of the same name that ends in `.int8`."""

    def __init__(self, database: Path) -> None:
        self._folder, self._path = database.parent, database.with_suffix(".int8")
        self._new = database.with_suffix(".int8.new")
        self._kept: Int8Snapshot | None = None
        self._works = self._can_be_written = CAN_LOCK

    def snapshot(self, connection: Connection, *, max_lag: int | None) -> tuple[Int8Snapshot | None, int]:
        """Return the copy for use within this transaction, and the slots it lags behind; None if it needs no copy.

        Raises:
            StaleCopy: It is missing, damaged, of another state of the database, or lags by more slots.
        """
        if not self._works:
            return None, 0
        found = self._latest(connection)
        if found is None and not _are_many(connection):
            return None, 0
        changes = Changes.of(connection)
        if found is None or not _fits(found.header, changes):
            if not self._can_be_written:
                return None, 0
            raise StaleCopy
        lag = changes.last_slot - found.header.covered
        if max_lag is not None and lag > max_lag and self._can_be_written:
            raise StaleCopy
        return found, lag

    def lag(self, connection: Connection) -> int:
        """Return the slots that queries read from SQLite until updates have made or extended the copy."""
        if not (self._can_be_written and _are_many(connection)):
            return 0
        found, changes = self._latest(connection), Changes.of(connection)
        return changes.last_slot - (found.header.covered if found and _fits(found.header, changes) else 0)

    def clear(self) -> None:
        """Remove from memory what was computed from its rows; the next query opens the file again."""
        self._kept = None

    def lock(self) -> AbstractContextManager[None]:
        """Return the lock to hold around the transaction of `update`; entering it raises `LockBusy` if it is held."""
        return locked(self._folder)

    def update(self, connection: Connection, least: int = 1) -> None:
        """Append rows that the copy does not have, at most `MOST_APPENDED`; make or replace the file if necessary.

        Args:
            connection: In a transaction.
            least: Slots that the copy must lag behind, else nothing is done.
        """
        if not self._can_be_written:
            return
        changes, found = Changes.of(connection), self._latest(connection)
        try:
            if found and _fits(found.header, changes):
                if changes.last_slot - found.header.covered >= least:
                    self._extend(connection, found, changes)
            elif _are_many(connection):
                self._make(connection, changes)
        except FileNotFoundError:  # deleted meanwhile: the next query rebuilds it
            return
        except OSError as exc:
            self._can_be_written = False
            _log.warning("%s cannot be written (%s); searches continue without it, slower.", self._path, exc.strerror)

    def wiper(self, *, wait_s: float) -> CopyWiper:
        """Return the context that overwrites rows of the copy while their images are removed."""
        return CopyWiper(self._folder, self._path, self._new, wait_s)

    @contextmanager
    def removal(self, *, wait_s: float) -> Generator[None]:
        """Remove the copy, and prevent a rebuild while all images are removed."""
        with self.wiper(wait_s=wait_s):
            self._path.unlink(missing_ok=True)
            yield

    def _latest(self, connection: Connection) -> Int8Snapshot | None:
        """Return the copy as its file is now; None if it is missing or damaged."""
        kept = self._kept
        found = kept.refreshed(self._path) if kept else None
        if found is None:
            found = Int8Snapshot.open(self._path)
            found = found if found and _agree(connection, found) else None
        self._kept = found
        return found

    def _extend(self, connection: Connection, copy: Int8Snapshot, changes: Changes) -> None:
        """Append rows, to a new file if there is no room or most rows are of removed images, which it leaves out."""
        if _is_mostly_removed(copy.header, changes):
            with self._new_file(connection, copy.rows.center, changes) as writer:
                in_use = copy.rows.at(np.flatnonzero(np.isin(copy.rows.slots, _stored_slots(connection))))
                for start in range(0, len(in_use.slots), _COPIED_AT_ONCE):
                    writer.append(in_use.at(slice(start, start + _COPIED_AT_ONCE)))
                writer.publish(covered=copy.header.covered, removed=changes.removed)
                _append(connection, writer, changes)
        elif copy.header.rows + changes.last_slot - copy.header.covered > copy.header.capacity:
            with self._new_file(connection, copy.rows.center, changes, old=copy.header) as writer:
                writer.copy_rows(copy)
                writer.publish(covered=copy.header.covered)
                _append(connection, writer, changes)
        else:
            with _opened(self._path, os.O_RDWR) as file:
                _append(connection, Writer(file, copy.header, copy.rows.center), changes)

    def _make(self, connection: Connection, changes: Changes) -> None:
        """Write a file with the first rows in place of one that is missing or does not fit."""
        with self._new_file(connection, _center(connection), changes) as writer:
            _append(connection, writer, changes)

    @contextmanager
    def _new_file(
        self, connection: Connection, center: Vector, changes: Changes, *, old: Int8Header | None = None
    ) -> Generator[Writer]:
        """Yield the writer of a file with room for twice the images, which then replaces the old one.

        Args:
            old: Of the file whose rows it takes over, those of removed images too.
        """
        (count,) = connection.execute(_COUNT).fetchone()
        header = Int8Header(
            center.size,
            capacity=2 * max(count, old.rows if old else 0),  # the file is sparse: only written rows take disk space
            compacted=old.compacted if old else changes.removed,
            rewritten=changes.rewritten,
            identity=changes.identity.encode(),
        )
        try:
            with _opened(self._new, os.O_RDWR | os.O_CREAT | os.O_TRUNC) as file:
                os.ftruncate(file, header.size)
                yield Writer(file, header, center)
            self._new.replace(self._path)
        finally:
            self._new.unlink(missing_ok=True)


class CopyWiper:
    """Holds the lock around a transaction that removes images, and overwrites their rows in the copy.

    From `wipe` to the end of the transaction the file is invalid, so that a half-wiped one is never used.
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
        """Overwrite all rows whose images the database has no longer."""
        copy, now = Int8Snapshot.open(self._path), Changes.of(connection)
        if copy is None or not _fits(copy.header, now) or not _agree(connection, copy):
            self._path.unlink(missing_ok=True)  # it may hold anything
            return
        gone = np.flatnonzero(~np.isin(copy.rows.slots, _stored_slots(connection)))
        with suppress(FileNotFoundError), _opened(self._path, os.O_RDWR) as file:  # deleted meanwhile: nothing to wipe
            writer = Writer(file, copy.header, copy.rows.center)
            writer.wipe(copy.rows, gone)
            self._wiped = replace(writer.header, removed=now.removed), copy.rows.center


@contextmanager
def _opened(path: Path, flags: int) -> Generator[int]:
    file = os.open(path, flags, 0o600)
    try:
        yield file
    finally:
        os.close(file)


def _append(connection: Connection, writer: Writer, changes: Changes) -> None:
    """Append the next rows that are not covered yet."""
    covered, appended = changes.last_slot, 0
    rows = connection.execute(_ROWS_AFTER, (writer.header.covered, MOST_APPENDED))
    while block := rows.fetchmany(_READ_AT_ONCE):
        writer.append(_quantized(block, writer.center))
        if (appended := appended + len(block)) >= MOST_APPENDED:
            covered = block[-1][0]
    writer.publish(covered=covered, removed=changes.removed)


def _stored_slots(connection: Connection) -> NDArray[np.int64]:
    return np.fromiter((slot for (slot,) in connection.execute(_SLOTS)), np.int64)


def _quantized(rows: list[tuple[Any, ...]], center: Vector) -> QuantizedRows:
    slots, studies, views, blobs = zip(*rows, strict=True)
    return quantize(slots, studies, views, stack_blobs_or_nan(blobs, center.size), center)


def _agree(connection: Connection, copy: Int8Snapshot) -> bool:
    """Return whether the last row that both should have is the same.

    It is not if a backup replaced the database, and slots were given to other images.
    """
    row = connection.execute(_ROW_BEFORE, (copy.header.covered,)).fetchone()
    if row is None:
        return True
    expected = _quantized([row], copy.rows.center)
    positions, here = copy.rows.find(expected.slots)
    return bool(here.all() and (copy.rows.codes[positions] == expected.codes).all())


def _fits(header: Int8Header, now: Changes) -> bool:
    """Return whether the copy holds all rows of this state of the database, up to the slot that it covers."""
    same = (header.identity.decode(), header.rewritten) == (now.identity, now.rewritten)
    return same and header.removed <= now.removed


def _is_mostly_removed(header: Int8Header, now: Changes) -> bool:
    """Return whether most rows of the copy may be of removed images."""
    return now.removed - header.compacted > header.rows // 2 + MIN_IMAGES_FOR_COPY


def _are_many(connection: Connection) -> bool:
    return bool(connection.execute(_ARE_MANY, {"n": MIN_IMAGES_FOR_COPY}).fetchone()[0])


def _center(connection: Connection) -> Vector:
    """Return about the mean of all vectors; any center no longer than 1 is correct, a good one gives tight bounds."""
    blobs = [blob for (blob,) in connection.execute(_TYPICAL)]
    fingerprint = fingerprint_of(connection)
    vectors = stack_blobs_or_nan(blobs, fingerprint.dimension if fingerprint else 0)
    sound = vectors[np.isfinite(vectors).all(axis=1)]
    return np.asarray(sound.sum(axis=0) / max(len(sound), 1), np.float32)
