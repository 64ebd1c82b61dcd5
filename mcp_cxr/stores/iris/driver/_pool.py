"""Connections, lent to one caller at a time; the caller's work runs in a thread, and can be stopped from the loop.

A call that fails, is cancelled or overruns its deadline ends its connection, which takes back what it wrote; one that
succeeds gives it back. A connection that dies under a call is no reason to fail: the call is made once more, on a fresh
one.
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
from mcp_cxr.stores.iris.driver._connection import Link
from mcp_cxr.stores.iris.driver._errors import LinkLost, overdue

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from mcp_cxr.stores.iris.driver._config import IrisConfig

T = TypeVar("T")

_log = logging.getLogger(__name__)

_PING = "SELECT 1"


@dataclass(frozen=True, slots=True)
class PoolStats:
    """How the pool is, and what it has seen since it was made."""

    size: int
    busy: int
    idle: int
    waiting: int
    """Callers without a connection."""
    opened: int
    """Connections made so far."""
    lost: int
    """Calls under which the connection died."""
    retried: int
    overdue: int
    """Calls stopped at their deadline."""
    starved: int
    """Callers that waited for a connection in vain."""


@dataclass(slots=True)
class _Loan:
    """What one caller holds: its thread uses the link, its task may cut it."""

    link: Link | None
    is_done: bool = False
    was_cut: bool = False
    is_overdue: bool = False

    def cut(self) -> None:
        self.was_cut = True
        if self.link:
            self.link.cut()


class Pool:
    """At most `config.pool_size` connections to one server."""

    def __init__(self, config: IrisConfig) -> None:
        self._config = config
        self._idle: list[Link] = []
        self._generation = 0
        self._sound_since = 0.0
        self._free = Semaphore(config.pool_size)
        self._threads = CapacityLimiter(config.pool_size)
        self._opened = self._lost = self._retried = self._overdue = self._starved = 0

    async def run(self, work: Callable[[Link], T], *, repeatable: bool = True) -> T:
        """Run `work` on a connection that nobody else uses meanwhile.

        Args:
            work: It commits what it writes; what it leaves uncommitted by an error is taken back.
            repeatable: Whether doing it twice is doing it once. Else it is not tried again.

        Raises:
            StoreUnavailable: No connection became free in time, none can be made, or a call did not end in time.
        """
        async with self._lent():
            try:
                return await self._attempt(work, self._idle.pop() if self._idle else None)
            except LinkLost:
                if not repeatable:
                    raise
            self._retried += 1
            _log.warning("The connection to %s was lost; trying once more", self._config.location)
            return await self._attempt(work, None)

    def recycle(self) -> None:
        """Replace every connection before its next use: what it prepared may be for tables that are no more."""
        self._generation += 1

    @property
    def stats(self) -> PoolStats:
        """How the pool is now."""
        size = self._config.pool_size
        return PoolStats(
            size=size,
            busy=size - self._free.value,
            idle=len(self._idle),
            waiting=self._free.statistics().tasks_waiting,
            opened=self._opened,
            lost=self._lost,
            retried=self._retried,
            overdue=self._overdue,
            starved=self._starved,
        )

    async def close(self) -> None:
        """Close what is not lent."""
        idle, self._idle = self._idle, []
        with CancelScope(shield=True):
            await to_thread.run_sync(lambda: [link.close() for link in idle], limiter=self._threads)

    @asynccontextmanager
    async def _lent(self) -> AsyncGenerator[None]:
        """Wait for the right to one connection."""
        try:
            with fail_after(self._config.acquire_timeout_s):
                await self._free.acquire()
        except TimeoutError:
            self._starved += 1
            raise StoreUnavailable(
                f"All {self._config.pool_size} connections to IRIS at {self._config.location} were in use for"
                f" {self._config.acquire_timeout_s:g} s. Try again, or raise IRIS_POOL_SIZE if the licence allows more."
            ) from None
        try:
            yield
        finally:
            self._free.release()

    async def _attempt(self, work: Callable[[Link], T], link: Link | None) -> T:
        loan = _Loan(link)
        try:
            with unwrap_exception_group():
                return await self._watched(loan, work)
        except CxrError as exc:
            await checkpoint_if_cancelled()  # then it was the guard's doing, and nobody waits for an answer
            raise self._explained(loan, exc) from None
        finally:
            self._take_back(loan)

    async def _watched(self, loan: _Loan, work: Callable[[Link], T]) -> T:
        """Do the work in a thread; the task group can only swallow a cancellation that is its own."""
        results: list[T] = []
        async with create_task_group() as watch:
            watch.start_soon(self._guard, loan)
            with CancelScope(shield=True):  # the thread ends at once when its link is cut
                results.append(await to_thread.run_sync(self._serve, loan, work, limiter=self._threads))
            watch.cancel_scope.cancel()
        return results[0]

    async def _guard(self, loan: _Loan) -> None:
        """Cut the link where a statement overruns its deadline, or where the caller is cancelled."""
        try:
            while (left_s := loan.link.left_s if loan.link else self._config.call_timeout_s) > 0:  # noqa: ASYNC110  # no event
                await sleep(left_s)  # to a deadline that each statement moves on
            loan.is_overdue = True
        finally:
            if not loan.is_done:
                loan.cut()

    def _serve(self, loan: _Loan, work: Callable[[Link], T]) -> T:
        """Do the work, in a thread of its own; end the link if it fails."""
        try:
            loan.link = link = self._usable(loan.link)
            if loan.was_cut:  # while it was being made, when there was nothing to cut yet
                link.cut()
            return work(link)
        except BaseException:
            if loan.link:
                loan.link.close()
                loan.link = None
            raise
        finally:
            loan.is_done = True

    def _usable(self, link: Link | None) -> Link:
        """Return the link if it can be trusted, else a new one."""
        if link and (link.is_old or link.generation != self._generation):
            link.close()
            link = None
        if link and link.idle_since < max(time.monotonic() - self._config.ping_after_s, self._sound_since):
            try:
                link.rows(_PING, ())
            except StoreError:
                link.close()
                link = None
        if link is None:
            link = Link(self._config, self._generation)
            self._opened += 1
        return link

    def _take_back(self, loan: _Loan) -> None:
        link, loan.link = loan.link, None
        if link and loan.was_cut:  # just after the work was done
            link.close()
        elif link:
            link.idle_since = time.monotonic()
            self._idle.append(link)

    def _explained(self, loan: _Loan, exc: CxrError) -> CxrError:
        if loan.is_overdue:
            self._overdue += 1
            return overdue(self._config.location, self._config.call_timeout_s)
        if isinstance(exc, LinkLost):
            self._lost += 1
            self._sound_since = time.monotonic()  # what took this one may have taken the idle ones
        return exc
