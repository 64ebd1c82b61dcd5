"""Statements that record themselves: verb, SQLCODE, times, and the kinds of what comes back; never a value."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from mcp_cxr.errors import CxrError
from mcp_cxr.server_check._allowed_values import Verb, cell_kind, power_of_ten
from mcp_cxr.server_check._record import CallFacts, StatementFacts
from mcp_cxr.server_check._timed_parts import UNEXPECTED, failure_name
from mcp_cxr.stores.iris.driver import Statements

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from typing import LiteralString

    from mcp_cxr.server_check._allowed_values import CellKind, Failure
    from mcp_cxr.stores.iris.driver import Connection, Row

_VERBS = frozenset(get_args(Verb))
_MAX_KINDS = 40  # columns


@dataclass(slots=True)
class _Run:
    """One statement as it was run once."""

    statement: str
    verb: Verb
    milliseconds: float = 0
    sqlcode: int = 0
    rows: int | None = None
    kinds: tuple[CellKind, ...] = ()


class RecordedStatements(Statements):
    """Statements on one table that record themselves.

    Args:
        connection: Used by nothing else meanwhile.
        table: The archive's, or a scratch table.
        may_write: Whether updates and DDL are run; if not, they raise RuntimeError and nothing is sent.
        has_nolock: As of `Statements`.
    """

    def __init__(self, connection: Connection, table: str, *, may_write: bool = False, has_nolock: bool = True) -> None:
        super().__init__(connection, table, has_nolock=has_nolock)
        self._may_write = may_write
        self.runs: list[_Run] = []
        self.last_query: tuple[str, list[str | int | None]] = ("", [])
        """Text and values of the last query, as the driver was given them."""

    def fetch_all(
        self, statement: LiteralString, parameters: Mapping[str, str | int | None] | None = None
    ) -> list[Row]:
        """Return all rows of a query."""
        self.last_query = self._compiled(statement, parameters)
        with self._recorded(statement) as run:
            rows = super().fetch_all(statement, parameters)
            run.rows = len(rows)
            run.kinds = tuple(cell_kind(cell) for cell in rows[0][:_MAX_KINDS]) if rows else ()
        return rows

    def execute(self, statement: LiteralString, parameters: Mapping[str, str | int | None] | None = None) -> None:
        """Run an update."""
        self._require_write()
        with self._recorded(statement):
            super().execute(statement, parameters)

    def execute_many(self, statement: LiteralString, rows: Sequence[Row], *, small: bool = False) -> None:
        """Run an update for each row."""
        self._require_write()
        with self._recorded(statement):
            super().execute_many(statement, rows, small=small)

    def try_execute(
        self,
        statement: LiteralString,
        parameters: Mapping[str, str | int | None] | None = None,
        *,
        limit_s: float | None = None,
    ) -> int:
        """Run an update that the server may refuse; return the positive SQLCODE of the refusal, or 0."""
        self._require_write()
        with self._recorded(statement) as run:
            run.sqlcode = super().try_execute(statement, parameters, limit_s=limit_s)
        return run.sqlcode

    def _require_write(self) -> None:
        if not self._may_write:
            raise RuntimeError("nothing is written without --write")

    @contextmanager
    def _recorded(self, statement: str) -> Generator[_Run]:
        word = statement.split(None, 1)[0].upper()
        run = _Run(statement, word if word in _VERBS else "other")  # pyright: ignore[reportArgumentType]  # it is in `_VERBS`
        self.runs.append(run)
        started = time.perf_counter()
        try:
            yield run
        finally:
            run.milliseconds = (time.perf_counter() - started) * 1000
            run.sqlcode = run.sqlcode or self.connection.sqlcode


def record_call(name: str, statements: RecordedStatements, call: Callable[[], object], *, twice: bool) -> CallFacts:
    """Run an operation, and return what its statements did.

    Args:
        name: Its code.
        statements: What it runs on.
        call: The operation.
        twice: Whether to run it again, for the times once the server has compiled its statements.
    """
    first, failure = _run(statements, call)
    second = _run(statements, call)[0] if twice and failure is None else {}
    facts = tuple(_to_facts(run, second.get(text)) for text, run in first.items())
    return CallFacts(call=name, failure=failure, statements=facts)


def _run(statements: RecordedStatements, call: Callable[[], object]) -> tuple[dict[str, _Run], Failure | None]:
    """Return the first run of each statement by its text, or the one that was refused; and what failed."""
    statements.runs = []
    failure = None
    try:
        call()
    except (CxrError, *UNEXPECTED) as exc:
        failure = failure_name(exc)
    runs: dict[str, _Run] = {}
    for run in statements.runs:
        known = runs.setdefault(run.statement, run)
        if run.sqlcode and not known.sqlcode:
            runs[run.statement] = run
    return runs, failure


def _to_facts(first: _Run, second: _Run | None) -> StatementFacts:
    return StatementFacts(
        verb=first.verb,
        sqlcode=min(first.sqlcode, 9999),
        first_ms=round(first.milliseconds, 2),
        second_ms=round(second.milliseconds, 2) if second else None,
        rows=None if first.rows is None else power_of_ten(first.rows),
        kinds=first.kinds,
    )
