"""Runs all parts that ask IRIS, one after the other, over one connection."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from anyio.lowlevel import checkpoint_if_cancelled

from mcp_cxr.first_contact._contact_parts import not_asked
from mcp_cxr.first_contact._contact_record import (
    CallFacts,
    Found,
    IrisFacts,
    Part,
    PlansFacts,
    PrivilegesFacts,
    ServerFacts,
    StatementsFacts,
)
from mcp_cxr.first_contact.iris import _server_facts
from mcp_cxr.first_contact.iris._recorded_statements import RecordedStatements, record_call
from mcp_cxr.first_contact.iris._store_calls import read_inputs, reads
from mcp_cxr.stores.iris.driver import Pool
from mcp_cxr.stores.iris.schema import create_tables

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType
    from typing import Self

    from mcp_cxr.first_contact._contact_parts import Parts
    from mcp_cxr.first_contact.iris._store_calls import Call, Inputs
    from mcp_cxr.records import Fingerprint
    from mcp_cxr.stores.iris import IrisConfig

T = TypeVar("T")

_DDL = frozenset({"CREATE", "ALTER", "DROP"})
_ONCE = frozenset({"reference sample"})
"""Operations that transfer 50 MB, run once."""
SHARES_S = {"server": 20.0, "privileges": 20.0, "statements": 120.0, "plans": 30.0}
"""Seconds of each part."""


class Session:
    """One connection at most, on which each operation has a deadline; a new one after a failure.

    Args:
        config: The server.
        table: The archive's, or one of its own.
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


async def contact_iris(config: IrisConfig, parts: Parts) -> IrisFacts:
    """Ask the server; no row changes."""
    async with Session(config, config.table) as session:

        async def run(part: type[Part], name: str, work: Callable[[Session, Found], Awaitable[None]]) -> Part:
            return await parts.run(part, f"IRIS {name}", SHARES_S[name], lambda found: work(session, found))

        server = await run(ServerFacts, "server", _server_part)
        if server.round_trip_ms is None:
            skipped = server.failure
            return IrisFacts(
                server=server,
                privileges=not_asked(PrivilegesFacts, skipped),
                statements=not_asked(StatementsFacts, skipped),
                plans=not_asked(PlansFacts, skipped),
            )
        return IrisFacts(
            server=server,
            privileges=await run(PrivilegesFacts, "privileges", _privileges),
            statements=await run(StatementsFacts, "statements", _statements),
            plans=await run(PlansFacts, "plans", _plans),
        )


async def _server_part(session: Session, found: Found) -> None:
    await session.run(lambda on: _server_facts.read_version(on, found))
    found["options"] = await session.run(_server_facts.read_options)
    await session.run(lambda on: _server_facts.read_archive(on, session.location, found))


async def _privileges(session: Session, found: Found) -> None:
    found["privileges"] = await session.run(lambda on: tuple(_server_facts.try_privileges(on)), may_write=True)


async def _statements(session: Session, found: Found) -> None:
    given = await session.run(lambda on: read_inputs(on, session.location))
    await record_reads(session, given, found)


async def record_reads(session: Session, given: Inputs, found: Found) -> None:
    """Add the operations that read, each as soon as it is done."""
    found.setdefault("calls", ())
    for call in reads(given):
        facts = await session.record(
            call, twice=call[0] not in _ONCE, has_later_columns=given.entries.has_later_columns
        )
        found["calls"] += (facts,)
        if facts.call == "facts at once" and facts.statements:
            found["facts_in_one_statement"] = facts.failure is None


async def _plans(session: Session, found: Found) -> None:
    def work(on: RecordedStatements) -> None:
        given = read_inputs(on, session.location)
        for plan in _server_facts.explain(on, given):
            found["plans"] = (*found.get("plans", ()), plan)

    await session.run(work)
