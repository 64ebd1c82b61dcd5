"""What a user without %All may do, by the documentation (GSQL_privileges, RSQL_createtable, RSQL_createindex)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.standins.iris._ddl import AddColumn, CreateIndex, CreateTable, Drop, Other
from tests.standins.iris._errors import SqlError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tests.standins.iris._ddl import Definition
    from tests.standins.iris._system import SystemQuery
    from tests.standins.iris._translate import Statement


def check_privileges(
    run: Statement | Definition | SystemQuery, grants: Collection[str] | None, username: str, owners: Mapping[str, str]
) -> None:
    """Refuse a statement for which the user lacks a privilege.

    Args:
        run: The statement.
        grants: `%CREATE_TABLE`, `SELECT ON Schema.Table`, ...; None: all.
        username: May do everything with the rows of the tables that this user created.
        owners: Who created each table, by its name in capitals.

    Raises:
        SqlError: -99.
    """
    if grants is None:
        return
    for needed in sorted(_needs(run)):
        table = needed.partition(" ON ")[2]
        is_view = table.startswith(("INFORMATION_SCHEMA", "%Dictionary"))
        if needed not in grants and not is_view and owners.get(table.upper()) != username:
            raise SqlError(-99, f"User {username} is not privileged for the operation ({needed})")


def _needs(run: Statement | Definition | SystemQuery) -> frozenset[str]:
    match run:
        case CreateTable():
            return frozenset({"%CREATE_TABLE"})
        case Drop(index=None):
            return frozenset({"%DROP_TABLE"})
        case AddColumn() | CreateIndex() | Drop():
            return frozenset({"%ALTER_TABLE"})
        case Other():
            return frozenset({"%ALTER_TABLE" if run.verb == "TUNE" else f"DELETE ON {run.table}"})
        case _:
            return run.needs
