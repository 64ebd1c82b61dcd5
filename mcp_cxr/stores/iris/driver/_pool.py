"""A pool of connections. Each call runs in a thread on a connection of its own, and can be stopped from the event loop.

A call that succeeds returns its connection to the pool. One that fails, is cancelled or exceeds its deadline closes it,
and the server rolls back what was not committed. If the connection is lost during a call, the call is retried once on a
new one.
"""

from __future__ import annotations

import logging
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from anyio import CancelScope, CapacityLimiter, Semaphore, create_task_group, fail_after, sleep, to_thread
from anyio.lowlevel import checkpoint_if_cancelled

from mcp_cxr.errors import CxrError, StoreError, StoreUnavailable, unwrap_exception_group
from mcp_cxr.stores.iris.driver._connection import Connection, WriteTimes
from mcp_cxr.stores.iris.driver._errors import ConnectionLost, call_timed_out

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from mcp_cxr.stores.iris.driver._config import IrisConfig

T = TypeVar("T")

_log = logging.getLogger(__name__)

_PING = "SELECT 1"


@dataclass(slots=True)
class _Checkout:
    """A connection in use by one call: its thread runs statements on it, its task may abort it."""

    connection: Connection | None
    is_finished: bool = False
    was_aborted: bool = False
    timed_out: bool = False
    limit_s: float = 0
    """After how many seconds."""

    def abort(self) -> None:
        self.was_aborted = True
        if self.connection:
            self.connection.abort()


class Pool:
    """At most `config.pool_size` connections to one server."""

    def __init__(self, config: IrisConfig) -> None:
        self._config = config
        self._idle: list[Connection] = []
        self._generation = 0
        self._write_times = WriteTimes(config.call_timeout_s)
        self._suspect_before = 0.0
        self._slots = Semaphore(config.pool_size)
        self._threads = CapacityLimiter(config.pool_size)
        self._opened = self._lost = self._retried = self._calls_timed_out = self._acquires_timed_out = 0

    async def run(self, work: Callable[[Connection], T], *, idempotent: bool = True) -> T:
        """Run `work` in a thread, on a connection that no other call uses meanwhile.

        Args:
            work: It commits what it writes; after an error, what it did not commit is rolled back.
            idempotent: Whether running it twice has the effect of running it once. If not, it is never retried.

        Raises:
            StoreUnavailable: No connection became free in time, none can be opened, or a statement timed out.
        """
        async with self._slot():
            try:
                return await self._run_once(work, self._idle.pop() if self._idle else None)
            except ConnectionLost:
                if not idempotent:
                    raise
            self._retried += 1
            _log.warning("The connection to %s was lost; retrying once.", self._config.location)
            return await self._run_once(work, None)

    def replace_all(self) -> None:
        """Replace every connection before its next use: its prepared statements may be for tables that were dropped."""
        self._generation += 1

    @property
    def status(self) -> str:
        """State of the pool, and counts since it was made, for people."""
        size = self._config.pool_size
        return (
            f"of {size} connections {size - self._slots.value} busy, {len(self._idle)} idle; {self._opened} opened,"
            f" {self._lost} lost; calls: {self._retried} retried, {self._calls_timed_out} timed out,"
            f" {self._acquires_timed_out} without a connection"
        )

    async def close(self) -> None:
        """Close the idle connections."""
        idle, self._idle = self._idle, []
        with CancelScope(shield=True):
            await to_thread.run_sync(lambda: [connection.close() for connection in idle], limiter=self._threads)

    @asynccontextmanager
    async def _slot(self) -> AsyncGenerator[None]:
        """Wait until fewer than `pool_size` connections are in use, and hold one's slot."""
        try:
            with fail_after(self._config.acquire_timeout_s):
                await self._slots.acquire()
        except TimeoutError:
            self._acquires_timed_out += 1
            raise StoreUnavailable(
                f"All {self._config.pool_size} connections to IRIS at {self._config.location} were in use for"
                f" {self._config.acquire_timeout_s:g} s. Try again, or raise IRIS_POOL_SIZE if the license allows more."
            ) from None
        try:
            yield
        finally:
            self._slots.release()

    async def _run_once(self, work: Callable[[Connection], T], connection: Connection | None) -> T:
        checkout = _Checkout(connection)
        try:
            with unwrap_exception_group():
                return await self._run_in_thread(checkout, work)
        except CxrError as exc:
            await checkpoint_if_cancelled()  # if cancelled, the error is only that the connection was aborted
            raise self._failure(checkout, exc) from None
        finally:
            self._release(checkout)

    async def _run_in_thread(self, checkout: _Checkout, work: Callable[[Connection], T]) -> T:
        """Run the work in a thread; the task group can only swallow a cancellation that is its own."""
        results: list[T] = []
        async with create_task_group() as watch:
            watch.start_soon(self._abort_at_deadline, checkout)
            with CancelScope(shield=True):  # the thread ends at once when its connection is aborted
                results.append(await to_thread.run_sync(self._run_blocking, checkout, work, limiter=self._threads))
            watch.cancel_scope.cancel()
        return results[0]

    async def _abort_at_deadline(self, checkout: _Checkout) -> None:
        """Abort the connection if a statement exceeds its deadline, or if the caller is cancelled."""
        try:
            while (seconds := self._remaining_s(checkout)) > 0:  # noqa: ASYNC110  # no event
                await sleep(seconds)  # each statement moves the deadline on
            checkout.timed_out = True
            checkout.limit_s = checkout.connection.limit_s if checkout.connection else self._config.call_timeout_s
        finally:
            if not checkout.is_finished:
                checkout.abort()

    def _remaining_s(self, checkout: _Checkout) -> float:
        return checkout.connection.remaining_s if checkout.connection else self._config.call_timeout_s

    def _run_blocking(self, checkout: _Checkout, work: Callable[[Connection], T]) -> T:
        """Run the work, in its thread; close the connection if it fails."""
        try:
            checkout.connection = connection = self._checked(checkout.connection)
            if checkout.was_aborted:  # while it was being opened, when there was nothing to abort yet
                connection.abort()
            return work(connection)
        except BaseException:
            if checkout.connection:
                checkout.connection.close()
                checkout.connection = None
            raise
        finally:
            checkout.is_finished = True

    def _checked(self, connection: Connection | None) -> Connection:
        """Return the connection if it can still be used, else a new one."""
        if connection and (connection.is_expired or connection.generation != self._generation):
            connection.close()
            connection = None
        if connection and connection.idle_since < max(
            time.monotonic() - self._config.ping_after_s, self._suspect_before
        ):
            try:
                connection.fetch_all(_PING, ())
            except StoreError:
                connection.close()
                connection = None
        if connection is None:
            connection = Connection(self._config, self._generation, self._write_times)
            self._opened += 1
        return connection

    def _release(self, checkout: _Checkout) -> None:
        """Return the connection to the pool, or close it if it was aborted just after the work was done."""
        connection, checkout.connection = checkout.connection, None
        if connection and checkout.was_aborted:
            connection.close()
        elif connection:
            connection.idle_since = time.monotonic()
            self._idle.append(connection)

    def _failure(self, checkout: _Checkout, exc: CxrError) -> CxrError:
        """Count the failure, and return the error to raise for it."""
        if checkout.timed_out:
            self._calls_timed_out += 1
            return call_timed_out(self._config.location, checkout.limit_s)
        if isinstance(exc, ConnectionLost):
            self._lost += 1
            self._suspect_before = time.monotonic()  # what broke this one may have broken the idle ones
        return exc
