"""One connection to IRIS over which the operations of a check run, each with a deadline."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from anyio.lowlevel import checkpoint_if_cancelled

from mcp_cxr.server_check.iris._recorded_statements import RecordedStatements, record_call
from mcp_cxr.stores.iris.driver import Pool
from mcp_cxr.stores.iris.schema import create_tables

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from mcp_cxr.records import Fingerprint
    from mcp_cxr.server_check._record import CallFacts
    from mcp_cxr.server_check.iris._store_calls import Call
    from mcp_cxr.stores.iris import IrisConfig

T = TypeVar("T")

_DDL = frozenset({"CREATE", "ALTER", "DROP"})


class Session:
    """One connection at most, on which each operation has a deadline; a new one after a failure.

    Args:
        config: The server.
        table: The archive's, or a scratch table.
    """

    def __init__(self, config: IrisConfig, table: str) -> None:
        self.table = table
        self.has_nolock = True
        """Whether the user has the privilege %NOLOCK."""
        self.location = config.location
        self._pool = Pool(replace(config, pool_size=1))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pool.close()

    async def run(self, work: Callable[[RecordedStatements], T], *, may_write: bool = False) -> T:
        """Return the result of `work`, in a thread."""
        result = await self._pool.run(
            lambda connection: work(
                RecordedStatements(connection, self.table, may_write=may_write, has_nolock=self.has_nolock)
            ),
            idempotent=False,
        )
        await checkpoint_if_cancelled()  # `work` may have recorded that its connection was aborted
        return result

    async def record(
        self, call: Call, *, twice: bool, has_later_columns: bool = True, may_write: bool = False
    ) -> CallFacts:
        """Run an operation, and return what its statements did."""

        def work(statements: RecordedStatements) -> CallFacts:
            statements.has_later_columns = has_later_columns
            facts = record_call(call[0], statements, lambda: call[1](statements), twice=twice)
            if facts.failure and may_write:
                statements.connection.rollback()
            return facts

        facts = await self.run(work, may_write=may_write)
        if facts.failure or any(one.verb in _DDL for one in facts.statements):
            self.reconnect()  # it may be lost, or hold statements on other tables
        return facts

    def reconnect(self) -> None:
        """Use a new connection from now on: this one may hold statements that were prepared for other tables."""
        self._pool.replace_all()


async def create(session: Session, fingerprint: Fingerprint) -> None:
    """Create the tables of an archive."""
    await session.run(lambda on: create_tables(on, session.location, fingerprint, None, None), may_write=True)
    session.reconnect()
