"""Runs each transaction in a thread, on a connection that no other thread uses meanwhile; only here is SQLite opened.

A call that fails or is cancelled closes its connection, which rolls back; one that succeeds returns it.

In a folder that cannot be written, SQLite cannot create the files that write-ahead logging needs. A finished archive,
whose log is empty, is opened there as immutable; if its file changes during a call, the call fails.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager, nullcontext
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from anyio import CancelScope, CapacityLimiter, Lock, from_thread, to_thread

from mcp_cxr.errors import StoreError, StoreUnavailable
from mcp_cxr.safe_files import create_private_folder
from mcp_cxr.stores._shared import store_missing

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager
    from pathlib import Path

T = TypeVar("T")
_Identity: TypeAlias = "tuple[int, ...] | None"

_SIZE = 3  # more at once answer no more: half of a search holds the interpreter's lock, and each keeps some 10 MB
# For each image a batch changes a page of every index by random ids, and each is written twice; a vector of 1,024
# takes little more than two pages.
_PAGE_SIZE = "PRAGMA page_size = 2048"
_SETTINGS = (
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",  # deleted rows are overwritten
    "PRAGMA synchronous = FULL",  # a reported write survives a power loss
    "PRAGMA mmap_size = 2147418112",  # SQLite's maximum: a row is read in place, not with its whole page
)
_LOG_SIZE = 2**27  # bytes of the write-ahead log: pages that many batches change are written back once
_READER_CACHE = "PRAGMA cache_size = -2048"  # KiB for each connection: most pages are mapped
_WRITER_CACHE = "PRAGMA cache_size = -65536"  # the pages of a batch are written once
_READ, _WRITE = "BEGIN", "BEGIN IMMEDIATE"
_WAIT_SHORTLY = "PRAGMA busy_timeout = 1000"  # ms
_TRUNCATE_LOG = "PRAGMA wal_checkpoint(TRUNCATE)"
_OPS_BETWEEN_CHECKS = 20_000  # instructions of SQLite's virtual machine: some milliseconds

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
        (
            "No space is left for {location}. Free disk space and repeat the command. The archive is unchanged since"
            " the last completed batch."
        ),
    ),
    sqlite3.SQLITE_IOERR: (StoreUnavailable, "{location} cannot be read or written. Check the disk it is on."),
    sqlite3.SQLITE_CANTOPEN: (
        StoreUnavailable,
        "{location} cannot be opened. Check that its folder exists and is writable.",
    ),
    sqlite3.SQLITE_PERM: _DENIED,
    sqlite3.SQLITE_READONLY: _DENIED,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}


_CHANGED = "{location} was changed by another program while it was read. Try again."
_UNFINISHED = (
    "{location} is in a folder that cannot be written, and its last changes are still in {log}. Run `mcp-cxr table"
    " stats` once where the folder can be written."
)


class Connections:
    """Lends connections to one file.

    Args:
        path: The file. Only `create_file` creates it.
        busy_timeout_s: How long to wait for another process that writes.
        on_other_file: Called when another file is found at the path, as after a backup was restored.
    """

    def __init__(
        self, path: Path, *, busy_timeout_s: float, on_other_file: Callable[[], object] = lambda: None
    ) -> None:
        self._path = path
        self._on_other_file = on_other_file
        self._busy_timeout_s = busy_timeout_s
        self._idle: list[tuple[_Identity, sqlite3.Connection]] = []
        self._threads = CapacityLimiter(_SIZE)
        self._writing = Lock()  # SQLite's own queue of writers is unfair, and would hold a thread for each

    async def read(
        self, work: Callable[[sqlite3.Connection], T], *, within: AbstractContextManager[object] | None = None
    ) -> T:
        """Run `work` on one state of the file.

        Args:
            within: Entered before the transaction begins, and left after it.

        Raises:
            StoreMissing: There is no file.
        """
        return await to_thread.run_sync(self._transact, _READ, work, within, limiter=self._threads)

    async def write(
        self, work: Callable[[sqlite3.Connection], T], *, within: AbstractContextManager[object] | None = None
    ) -> T:
        """Run `work` as the only writer, in one transaction.

        Args:
            within: Entered before the transaction, and left after its commit, or with the error.

        Raises:
            StoreMissing: There is no file.
        """
        async with self._writing:
            return await to_thread.run_sync(self._transact, _WRITE, work, within, limiter=self._threads)

    async def create_file(self) -> None:
        """Create the folder and an empty file if they are missing."""
        async with self._writing:
            await to_thread.run_sync(self._create_file, limiter=self._threads)

    async def clear(self, *, within: AbstractContextManager[object]) -> None:
        """Remove all content of the file, of any schema; does nothing if there is no file."""
        async with self._writing:
            await to_thread.run_sync(self._clear, within, limiter=self._threads)

    async def truncate_log(self) -> None:
        """Truncate the write-ahead log, which holds overwritten rows, unless another connection still reads it."""
        async with self._writing:
            await to_thread.run_sync(self._truncate_log, limiter=self._threads)

    async def close(self) -> None:
        """Close the idle connections."""
        with CancelScope(shield=True):
            await to_thread.run_sync(self._close_idle, limiter=self._threads)

    def _transact(
        self, begin: str, work: Callable[[sqlite3.Connection], T], within: AbstractContextManager[object] | None
    ) -> T:
        with translated_errors(str(self._path)), within or nullcontext(), self._borrowed() as connection:
            connection.execute(_READER_CACHE if begin == _READ else _WRITER_CACHE)
            connection.execute(begin)
            result = work(connection)
            connection.execute("COMMIT")
            return result

    def _create_file(self) -> None:
        with translated_errors(str(self._path)):
            create_private_folder(self._path.parent)
            if not self._path.exists():
                self._path.touch(mode=0o600)
            with self._borrowed() as connection:
                connection.execute(_PAGE_SIZE)
                _use_wal(connection)

    def _truncate_log(self) -> None:
        with translated_errors(str(self._path)), self._borrowed() as connection:
            connection.execute(_WAIT_SHORTLY)
            connection.execute(_TRUNCATE_LOG)
            connection.execute(f"PRAGMA busy_timeout = {int(1000 * self._busy_timeout_s)}")

    def _clear(self, within: AbstractContextManager[object]) -> None:
        """Copy an empty database over this one, in one transaction of SQLite's.

        The file stays: a process that has it open would continue to write to a removed file, and lose its rows.
        """

        def give_up(status: int, _remaining: int, _total: int) -> None:
            if status not in (sqlite3.SQLITE_OK, sqlite3.SQLITE_DONE):  # else Python would retry forever
                error = sqlite3.OperationalError("no exclusive access")
                error.sqlite_errorcode = status
                raise error

        if not self._path.is_file():
            return
        with (
            translated_errors(str(self._path)),
            within,
            self._borrowed() as connection,
            closing(sqlite3.connect(":memory:")) as nothing,
        ):
            nothing.execute(_PAGE_SIZE)
            nothing.backup(connection, progress=give_up)
            connection.execute(_TRUNCATE_LOG)

    @contextmanager
    def _borrowed(self) -> Generator[sqlite3.Connection]:
        is_immutable = self._is_immutable()
        file = _identity(self._path, is_immutable=is_immutable)
        connection = self._kept(file) or self._connect(is_immutable=is_immutable)
        try:
            yield connection
        except BaseException as exc:
            connection.close()
            if is_immutable and _identity(self._path, is_immutable=True) != file:
                raise StoreUnavailable(_CHANGED.format(location=self._path)) from exc
            if isinstance(exc, sqlite3.OperationalError):
                from_thread.check_cancelled()  # then it was the progress handler that stopped it
            raise
        self._idle.append((file, connection))
        if is_immutable and _identity(self._path, is_immutable=True) != file:
            raise StoreUnavailable(_CHANGED.format(location=self._path))

    def _is_immutable(self) -> bool:
        """Whether the file is to be read as one that nobody changes: its folder cannot be written.

        Raises:
            StoreUnavailable: The write-ahead log is not empty, and cannot be read there.
        """
        if os.access(self._path.parent, os.W_OK) or not self._path.is_file():
            return False
        log, shared_memory = (self._path.with_name(f"{self._path.name}-{ending}") for ending in ("wal", "shm"))
        if not log.exists() or not log.stat().st_size:
            return True
        if not shared_memory.exists():
            raise StoreUnavailable(_UNFINISHED.format(location=self._path, log=log.name))
        return False  # another process writes

    def _kept(self, file: _Identity) -> sqlite3.Connection | None:
        """Return an idle connection to this file; close those to a file that was at this path before.

        If a backup replaced the file, they would read the old one, and what they write would be lost with it.
        """
        while True:
            try:
                opened, connection = self._idle.pop()
            except IndexError:
                return None
            if opened == file:
                return connection
            connection.close()
            self._on_other_file()

    def _connect(self, *, is_immutable: bool) -> sqlite3.Connection:
        if not self._path.is_file():
            raise store_missing(str(self._path))
        connection = sqlite3.connect(
            f"{self._path.absolute().as_uri()}?{'immutable=1' if is_immutable else 'mode=rw'}",
            uri=True,
            timeout=self._busy_timeout_s,
            isolation_level=None,  # no implicit transactions
            check_same_thread=False,  # one thread at a time, but not always the same
        )
        try:
            for setting in _SETTINGS:
                connection.execute(setting)
            (page_size,) = connection.execute("PRAGMA page_size").fetchone()
            connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_SIZE // page_size}")
        except sqlite3.Error:
            connection.close()
            raise
        connection.set_progress_handler(from_thread.check_cancelled, _OPS_BETWEEN_CHECKS)  # SQLite stops if it raises
        return connection

    def _close_idle(self) -> None:
        while self._idle:
            self._idle.pop()[1].close()


def _identity(path: Path, *, is_immutable: bool) -> _Identity:
    try:
        status = path.stat()
    except OSError:  # reported when the file is opened
        return None
    state = (status.st_size, status.st_mtime_ns) if is_immutable else ()
    return status.st_dev, status.st_ino, *state


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch the file to write-ahead logging, which lets readers and a writer work at the same time.

    If several processes create the same file, SQLite refuses all but one without waiting (the others would have to
    give up their read lock first): so wait here until the file is free once.
    """
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("COMMIT")
        else:
            return


@contextmanager
def translated_errors(location: str) -> Generator[None]:
    """Raise errors of SQLite and the file system as a `StoreError` that says what to do."""
    try:
        yield
    except sqlite3.Error as exc:
        raise _meaning(exc, location) from exc
    except OSError as exc:
        raise StoreUnavailable(
            f"Cannot create {location} ({exc.strerror}). Set MCP_CXR_DATA_DIR to a folder that you can write to."
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
