"""One connection: the only module that calls the driver, and what keeps the driver from crashing this process.

A link is used by one thread at a time, and closed by the one that uses it. `cut` alone may be called from another.
The driver crashes on a `close` during a call, and on too few values for a statement that was run before; it binds the
first element of a list; it loses its place when a result is not read to its end; it ends the process when a cursor is
collected that lost its connection between two pages and was not closed; and without a file of TLS configurations it
was seen to close a descriptor that was not its own. None of this can be done here.
"""

from __future__ import annotations

import logging
import math
import os
import random
import socket
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import iris.dbapi as driver  # pyright: ignore[reportMissingTypeStubs]  # has none; wrapped here

from mcp_cxr.stores.iris.driver._errors import FAILURES, meaning_of, no_tls, sqlcode, translated
from mcp_cxr.stores.iris.driver._socket import connected

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from mcp_cxr.stores.iris.driver._config import IrisConfig

_log = logging.getLogger(__name__)

Row = tuple[Any, ...]

_BINDABLE = (str, int, float, type(None))
_YOUNGEST = 0.8  # of the lifetime: links that were opened together are not replaced together


class Link:
    """An open connection.

    Args:
        config: Whom to connect to.
        generation: Which tables it knows: after these are made or dropped, older links are replaced.

    Raises:
        StoreUnavailable: The server cannot be reached.
        ConfigError: It refuses the login.
    """

    def __init__(self, config: IrisConfig, generation: int) -> None:
        self.generation = generation
        self.idle_since = time.monotonic()
        self._location = config.location
        self._call_timeout_s = config.call_timeout_s
        self._deadline = math.inf
        self._cutting = threading.Lock()
        if config.ssl_config and not Path(os.environ.get("ISC_SSLconfigurations", "")).is_file():  # noqa: SIM112  # its name
            raise no_tls(self._location)
        with translated(self._location):
            self._connection, self._socket = connected(lambda: _connect(config), config.port)
        if self._socket is None:
            _log.warning("No socket found below the connection to %s: its calls cannot be stopped", self._location)
        self._old_at = time.monotonic() + config.lifetime_s * random.uniform(_YOUNGEST, 1)  # noqa: S311  # no secret

    @property
    def left_s(self) -> float:
        """Seconds that the running call still has; while none runs, those the next one will have."""
        return min(self._deadline - time.monotonic(), self._call_timeout_s)

    @property
    def is_old(self) -> bool:
        """Whether it is to be replaced before its next use."""
        return time.monotonic() > self._old_at

    def rows(self, statement: str, values: Sequence[object]) -> list[Row]:
        """Return all rows of a query."""
        _check(statement, [values])
        with self._call() as cursor:
            cursor.execute(statement, list(values))
            return [tuple(row) for row in cursor.fetchall()]

    def run(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        """Run an update for each of `rows`, in one message."""
        _check(statement, rows)
        with self._call() as cursor:
            if len(rows) == 1:
                cursor.execute(statement, list(rows[0]))
            else:
                cursor.executemany(statement, [list(row) for row in rows])

    def attempt(self, statement: str, values: Sequence[object] = ()) -> int:
        """Run an update that the server may refuse; return the refusal's positive SQLCODE, or 0."""
        _check(statement, [values])
        try:
            with self._raw_call() as cursor:
                cursor.execute(statement, list(values))
        except FAILURES as exc:
            code = sqlcode(exc)
            if code is None:
                with translated(self._location):
                    raise
            return code
        return 0

    def check(self, code: int) -> None:
        """Raise what a refusal means that `attempt` returned; 0 is none."""
        if code:
            raise meaning_of(code, self._location)

    def commit(self) -> None:
        """Keep what was written."""
        with self._call():
            self._connection.commit()

    def rollback(self) -> None:
        """Take back what was written since the last commit."""
        with self._call():
            self._connection.rollback()

    def cut(self) -> None:
        """End the running call with an error, and the connection with it; from any thread."""
        with self._cutting:
            if self._socket:
                with suppress(OSError):  # the server was faster
                    self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close it, which takes back what was not committed."""
        with suppress(*FAILURES):  # it was dead already
            self._connection.close()
        with self._cutting:
            if self._socket:
                self._socket.close()
                self._socket = None

    @contextmanager
    def _call(self) -> Generator[Any]:
        with translated(self._location), self._raw_call() as cursor:
            yield cursor

    @contextmanager
    def _raw_call(self) -> Generator[Any]:
        """Give a cursor whose statement has a deadline, which the server is told too."""
        self._deadline = time.monotonic() + self._call_timeout_s
        cursor: Any = self._connection.cursor()
        try:
            cursor.setQueryTimeout(math.ceil(self._call_timeout_s))
            yield cursor
            cursor.close()
        except BaseException:
            with suppress(*FAILURES):  # what it could not send before, it cannot now
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
        sharedmemory=False,  # there is no socket to stop a call at
        autoCommit=False,
        **({"sslconfig": config.ssl_config} if config.ssl_config else {}),
    )


def _check(statement: str, rows: Sequence[Sequence[object]]) -> None:
    """Keep from the driver what it would crash on, or silently bind otherwise.

    Raises:
        ValueError: A row has not one value for each question mark.
        TypeError: A value is no text, number or None.
    """
    wanted = statement.count("?")
    for row in rows:
        if len(row) != wanted:
            raise ValueError(f"The statement takes {wanted} values; {len(row)} were given.")
        if not all(isinstance(value, _BINDABLE) for value in row):
            raise TypeError("Values must be text, numbers or None.")
