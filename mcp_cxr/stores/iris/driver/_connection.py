"""One connection. The only module that calls the driver; it prevents the calls that crash the driver.

A connection is used by one thread at a time, which also closes it; only `abort` may be called from another thread.

The driver crashes on a `close` during a call, and on too few values for a statement that was run before. It binds only
the first element of a list. A result that is not read to its end breaks the connection. A cursor that lost its
connection between two pages aborts the process if it is garbage-collected unclosed. Without a file of TLS
configurations the driver was seen to close a descriptor that it did not own. None of this can happen through this
module.
"""

from __future__ import annotations

import logging
import math
import os
import random
import socket
import stat
import threading
import time
from collections import deque
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import iris.dbapi as driver  # pyright: ignore[reportMissingTypeStubs]  # has none; wrapped here

from mcp_cxr.stores.iris.driver._errors import (
    DRIVER_ERRORS,
    error_for_sqlcode,
    server_message,
    sqlcode,
    tls_unavailable,
    translating_errors,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from mcp_cxr.stores.iris.driver._config import IrisConfig

_log = logging.getLogger(__name__)

Row = tuple[Any, ...]

_BINDABLE = (str, int, float, type(None))
_REMEMBERED_WRITES = 16
_TIMES_LAST_WRITES = 10
_LONGEST_WRITE_S = 600.0
_MIN_LIFETIME_SHARE = 0.8  # of the lifetime, at random: connections opened together are not replaced together

T = TypeVar("T")

_FOLDERS = (Path("/proc/self/fd"), Path("/dev/fd"))  # Linux; macOS and the BSDs. Windows has neither.
_connecting = threading.Lock()


class WriteTimes:
    """How long the last writes took: the next may take ten times as long, at least `least_s`, at most 10 minutes."""

    def __init__(self, least_s: float) -> None:
        self._least_s = least_s
        self._seconds: deque[float] = deque(maxlen=_REMEMBERED_WRITES)

    @property
    def limit_s(self) -> float:
        """Seconds that the next write may take."""
        return max(self._least_s, min(_LONGEST_WRITE_S, _TIMES_LAST_WRITES * max(self._seconds, default=0)))

    def record(self, seconds: float) -> None:
        """Add a write, also one that was stopped at its limit."""
        self._seconds.append(seconds)


class Connection:
    """An open connection.

    Args:
        config: The server, login and timeouts.
        write_times: Those of the pool.
        generation: Counts how often tables were created or dropped; connections of an older generation are replaced.

    Raises:
        StoreUnavailable: The server cannot be reached.
        ConfigError: It refuses the login.
    """

    def __init__(self, config: IrisConfig, generation: int, write_times: WriteTimes | None = None) -> None:
        self.generation = generation
        self.idle_since = time.monotonic()
        self._location = config.location
        self._call_timeout_s = config.call_timeout_s
        self._write_times = write_times or WriteTimes(config.call_timeout_s)
        self._deadline = math.inf
        self._has_changes = False
        self.limit_s = config.call_timeout_s
        """Seconds that the last statement could take."""
        self.sqlcode = 0
        """Positive SQLCODE of the last statement; 0 if it was not refused, or failed without one."""
        self.refusal = ""
        """The server's words when `try_execute` was refused last; they may quote a value, unless that was DDL."""
        self._socket_lock = threading.Lock()
        if config.ssl_config and not Path(os.environ.get("ISC_SSLconfigurations", "")).is_file():  # noqa: SIM112  # the driver's name
            raise tls_unavailable(self._location)
        with translating_errors(self._location):
            self._connection, self._socket = connect_with_socket(lambda: _connect(config), config.port)
        if self._socket is None:
            _log.warning(
                "Calls to IRIS at %s cannot be canceled after a timeout (connection socket not found).", self._location
            )
        self._expires_at = time.monotonic() + config.lifetime_s * random.uniform(_MIN_LIFETIME_SHARE, 1)  # noqa: S311  # no secret

    @property
    def remaining_s(self) -> float:
        """Seconds until the deadline of the running statement; if none runs, those that the next one will have."""
        return min(self._deadline - time.monotonic(), self._call_timeout_s)

    @property
    def is_expired(self) -> bool:
        """Whether it must be replaced before its next use."""
        return time.monotonic() > self._expires_at

    def fetch_all(self, statement: str, values: Sequence[object]) -> list[Row]:
        """Return all rows of a query."""
        _check_values(statement, [values])
        with self._cursor() as cursor:
            cursor.execute(statement, list(values))
            return [tuple(row) for row in cursor.fetchall()]

    def execute_many(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        """Run an update for each of `rows`, in one message."""
        _check_values(statement, rows)
        self._has_changes = True
        started = time.monotonic()
        try:
            with self._cursor(self._write_times.limit_s) as cursor:
                if len(rows) == 1:
                    cursor.execute(statement, list(rows[0]))
                else:
                    cursor.executemany(statement, [list(row) for row in rows])
        finally:
            self._write_times.record(time.monotonic() - started)

    def try_execute(self, statement: str, values: Sequence[object] = (), *, limit_s: float | None = None) -> int:
        """Run an update that the server may refuse; return the positive SQLCODE of the refusal, or 0."""
        _check_values(statement, [values])
        self._has_changes = True
        try:
            with self._untranslated_cursor(limit_s) as cursor:
                cursor.execute(statement, list(values))
        except DRIVER_ERRORS as exc:
            code = sqlcode(exc)
            self.refusal = server_message(exc)
            if code is None:
                with translating_errors(self._location):
                    raise
            return code
        return 0

    def raise_for_sqlcode(self, code: int) -> None:
        """Raise the error for a code that `try_execute` returned; none for 0."""
        if code:
            raise error_for_sqlcode(code, self._location)

    def commit(self) -> None:
        """Commit the transaction; no message is sent if nothing was changed in it."""
        if self._has_changes:
            with self._cursor():
                self._connection.commit()
            self._has_changes = False

    def rollback(self) -> None:
        """Roll back the transaction."""
        with self._cursor():
            self._connection.rollback()
        self._has_changes = False

    def abort(self) -> None:
        """Shut down the socket, from any thread: the running call fails, and the connection is lost."""
        with self._socket_lock:
            if self._socket:
                with suppress(OSError):  # the server closed it first
                    self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close it; the server rolls back what was not committed."""
        with suppress(*DRIVER_ERRORS):  # it was lost already
            self._connection.close()
        with self._socket_lock:
            if self._socket:
                self._socket.close()
                self._socket = None

    @contextmanager
    def _cursor(self, limit_s: float | None = None) -> Generator[Any]:
        with translating_errors(self._location), self._untranslated_cursor(limit_s) as cursor:
            yield cursor

    @contextmanager
    def _untranslated_cursor(self, limit_s: float | None = None) -> Generator[Any]:
        """Yield a cursor whose statement has a deadline, here and at the server."""
        self.limit_s = limit_s or self._call_timeout_s
        self._deadline = time.monotonic() + self.limit_s
        self.sqlcode = 0
        cursor: Any = self._connection.cursor()
        try:
            cursor.setQueryTimeout(math.ceil(self.limit_s))
            yield cursor
            cursor.close()
        except BaseException as exc:
            self.sqlcode = sqlcode(exc) or 0
            with suppress(*DRIVER_ERRORS):  # the connection is lost
                cursor.close()
            raise
        finally:
            self._deadline = math.inf


def _connect(config: IrisConfig) -> driver.IRISConnection:
    return driver.connect(  # pyright: ignore[reportUnknownMemberType]  # takes anything
        hostname=config.host,
        port=config.port,
        namespace=config.namespace,
        username=config.username,
        password=config.password,
        timeout=config.connect_timeout_s,
        sharedmemory=False,  # shared memory has no socket to shut down
        autoCommit=False,
        **({"sslconfig": config.ssl_config} if config.ssl_config else {}),
    )


def _check_values(statement: str, rows: Sequence[Sequence[object]]) -> None:
    """Refuse values that would crash the driver, or that it would bind wrongly.

    Raises:
        ValueError: The number of values in a row is not that of question marks.
        TypeError: A value is not text, a number or None.
    """
    wanted = statement.count("?")
    for row in rows:
        if len(row) != wanted:
            raise ValueError(f"The statement takes {wanted} values; {len(row)} were given.")
        if not all(isinstance(value, _BINDABLE) for value in row):
            raise TypeError("Values must be text, numbers or None.")


def connect_with_socket(connect: Callable[[], T], port: int) -> tuple[T, socket.socket | None]:
    """Run `connect`; return its result, and a duplicate of the socket it opened to `port`.

    Runs one at a time in this process: the socket is the one that is new. None if it cannot be identified; a call on
    that connection then cannot be stopped.
    """
    with _connecting:
        before = _sockets()
        connection = connect()
        new = [found for key in _sockets() - before if (found := _duplicate(key[0], port))]
    if len(new) == 1:
        return connection, new[0]
    for found in new:
        found.close()
    return connection, None


def _sockets() -> set[tuple[int, int]]:
    """Return descriptor and inode of each socket of this process."""
    folder = next((folder for folder in _FOLDERS if folder.is_dir()), None)
    found: set[tuple[int, int]] = set()
    for name in os.listdir(folder) if folder else ():  # noqa: PTH208  # names, not paths
        try:
            status = os.fstat(int(name))
        except OSError:  # the descriptor of the listing itself
            continue
        if stat.S_ISSOCK(status.st_mode):
            found.add((int(name), status.st_ino))
    return found


def _duplicate(descriptor: int, port: int) -> socket.socket | None:
    """Return a duplicate if the descriptor is a TCP socket connected to `port`."""
    try:
        copy = socket.socket(fileno=os.dup(descriptor))
    except OSError:  # closed by its owner meanwhile
        return None
    try:
        if copy.family in (socket.AF_INET, socket.AF_INET6) and copy.getpeername()[1] == port:
            return copy
    except OSError:  # not connected
        pass
    copy.close()
    return None
