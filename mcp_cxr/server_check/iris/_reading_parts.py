"""The parts of the check that change no row: server, privileges, statements that read, and query plans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_cxr.server_check._record import (
    Found,
    IrisFacts,
    Part,
    PlansFacts,
    PrivilegesFacts,
    ServerFacts,
    StatementsFacts,
)
from mcp_cxr.server_check._timed_parts import not_asked
from mcp_cxr.server_check.iris import _server_facts
from mcp_cxr.server_check.iris._session import Session
from mcp_cxr.server_check.iris._store_calls import read_inputs, reads

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp_cxr.server_check._timed_parts import Parts
    from mcp_cxr.server_check.iris._recorded_statements import RecordedStatements
    from mcp_cxr.server_check.iris._store_calls import Inputs
    from mcp_cxr.stores.iris import IrisConfig

_ONCE = frozenset({"reference sample"})
"""Operations that transfer 50 MB, run once."""
SHARES_S = {"server": 20.0, "privileges": 20.0, "statements": 120.0, "plans": 30.0}
"""Seconds of each part."""


async def check_iris(config: IrisConfig, parts: Parts) -> IrisFacts:
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
