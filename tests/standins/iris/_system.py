"""Queries of the system: the version, options of SQL, and plans, as the driver sends EXPLAIN."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tests.standins.iris._errors import SqlError

if TYPE_CHECKING:
    from tests.standins.iris._catalogue import Catalogue, Table
    from tests.standins.iris._lists import Value
    from tests.standins.iris._state import State

_VERSION = re.compile(r"SELECT \$ZVERSION", re.IGNORECASE)
_OPTION = re.compile(r"SELECT %SYSTEM_SQL ?\. ?Util_GetOption ?\( ?(\?|:%qpar\(1\)) ?\)", re.IGNORECASE)
_PLAN = re.compile(r"SELECT %SYSTEM ?\. ?QUERY_PLAN ?\(.*\) AS Plan", re.IGNORECASE)
_BY_VECTOR = re.compile(r"ORDER BY Score DESC\s*$", re.IGNORECASE)


class SystemQuery(NamedTuple):
    """One of them; `columns` and `needs` as of a `Statement`."""

    name: str
    columns: tuple[tuple[str, str], ...]
    needs: frozenset[str] = frozenset()

    def rows(self, values: list[Value], state: State, catalogue: Catalogue) -> list[tuple[str | None]]:
        """Return the rows of its result."""
        match self.name:
            case "version":
                return [(state.version,)]
            case "option":
                return [(state.options.get(str(values[0])),)]
            case _:
                return [(_plan(str(values[0]), state, catalogue),)]


def system_query(text: str) -> SystemQuery | None:
    """Return the query of the system that a statement is, if it is one."""
    for name, pattern in (("version", _VERSION), ("option", _OPTION), ("plan", _PLAN)):
        if pattern.fullmatch(text.strip()):
            return SystemQuery(name, (("Plan" if name == "plan" else "Expression_1", "text"),))
    return None


def _plan(query: str, state: State, catalogue: Catalogue) -> str:
    """Return a plan as IRIS words it: the query, its cost, and a line for each table."""
    if not state.explains:
        raise SqlError(-99, f"no privilege to explain {query}")
    named = [table for table in catalogue.tables.values() if re.search(rf"\b{table.full_name}\b", query)]
    lines = [_line(table, query, state) for table in named]
    return (
        f'<plans>\n <plan>\n <sql>\n{query}\n </sql>\n <cost value="407137"/>\n'
        + "\n".join(lines)
        + "\n</plan></plans>"
    )


def _line(table: Table, query: str, state: State) -> str:
    index = next((index for index in table.indexes.values() if index.hnsw), None)
    if index and state.uses_index and _BY_VECTOR.search(query):
        return f"Read index map {table.full_name}.{index.name}, using the given vector, and looping on ID (HNSW)."
    return f"Read master map {table.full_name}.IDKEY, looping on ID."
