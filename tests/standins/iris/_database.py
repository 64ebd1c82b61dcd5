"""The tables, in one SQLite database in memory that all connections share.

One transaction writes at a time; the others wait for it until the lock time-out, -110 (IRIS locks rows, and allows
more). Readers never wait and see what is not committed, as at IRIS's default isolation, READ UNCOMMITTED. DDL commits
the open transaction of its connection.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.standins.iris._catalogue import Catalogue, Index, Table
from tests.standins.iris._ddl import (
    MAX_SUBSCRIPT_BYTES,
    AddColumn,
    CreateIndex,
    CreateTable,
    Drop,
    Other,
    column_text,
    sqlite_columns,
)
from tests.standins.iris._errors import SqlError
from tests.standins.iris._functions import Functions, vector_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.standins.iris._ddl import Definition
    from tests.standins.iris._state import State

_INTEGRITY = {"UNIQUE": (-119, -120), "NOT NULL": (-108, -108), "CHECK": (-104, -105), "<SUBSCRIPT>": (-400, -400)}
_OPERATIONAL = {
    "no such column": -29,
    "has no column": -29,
    "ambiguous column": -27,
    "no such function": -359,
    "no such table": -30,
    "syntax error": -1,
    "values for": -62,
}


class Database:
    def __init__(self, state: State) -> None:
        self.catalogue = Catalogue()
        self._state = state
        self._condition = threading.Condition()
        self._writer: object | None = None
        self._locked_rows: Counter[str] = Counter()
        self.owners: dict[str, str] = {}
        """Who created each table, by its name in capitals."""
        self._sqlite = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._functions = Functions(self._sqlite)
        self.catalogue.make_views(self._sqlite)

    # Rows

    def check(self, sql: str, parameters: int) -> None:
        """Compile a statement without running it.

        Raises:
            SqlError: It cannot be.
        """
        with self._condition:
            self._execute(f"EXPLAIN {sql}", (None,) * parameters)

    def plan(self, sql: str, parameters: int) -> list[str]:
        """Return how SQLite runs a statement, a line for each step."""
        with self._condition:
            return [str(row[-1]) for row in self._execute(f"EXPLAIN QUERY PLAN {sql}", (None,) * parameters)]

    def column_names(self, sql: str, parameters: int) -> list[str]:
        with self._condition:
            cursor = self._execute(f"SELECT * FROM ({sql}) LIMIT 0", (1,) * parameters)  # noqa: S608  # translated
            return [name for name, *_ in cursor.description]

    def read(self, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        with self._condition:
            return self._execute(sql, values).fetchall()

    def change(
        self, owner: object, sql: str, rows: Sequence[Sequence[Any]], *, autocommit: bool, locks: bool
    ) -> list[int]:
        """Run a change once for each row of values; return how many rows each touched, which `locks` counts."""
        with self._condition:
            self._begin(owner)
            try:
                counts = [self._execute(sql, row).rowcount for row in rows]
                if locks:
                    self._count_locks(sql, sum(counts))
            finally:
                if autocommit:
                    self._end(owner, "COMMIT")
            return counts

    def _count_locks(self, sql: str, rows: int) -> None:
        """Count the rows that the transaction changed in the table that the statement names first."""
        table = sql.partition("[")[2].partition("]")[0]
        self._locked_rows[table] += rows
        most = self._state.counters.most_locked_rows
        most[table] = max(most.get(table, 0), self._locked_rows[table])

    def commit(self, owner: object) -> None:
        with self._condition:
            self._end(owner, "COMMIT")

    def rollback(self, owner: object) -> None:
        with self._condition:
            self._end(owner, "ROLLBACK")

    def raw(self, table: str) -> list[dict[str, Any]]:
        """Every row as it is stored, vectors as text."""
        with self._condition:
            full_name = self.catalogue.find(table).full_name
            cursor = self._execute(f"SELECT * FROM [{full_name}] ORDER BY rowid", ())  # noqa: S608  # a known table
            names = [name for name, *_ in cursor.description]
            return [dict(zip(names, map(visible_value, row), strict=True)) for row in cursor.fetchall()]

    def _begin(self, owner: object) -> None:
        free = self._condition.wait_for(lambda: self._writer in (None, owner), self._state.lock_timeout_s)
        if not free:
            raise SqlError(-110, "Unable to acquire lock; another transaction holds it")
        if self._writer is None:
            self._sqlite.execute("BEGIN")
            self._writer = owner

    def _end(self, owner: object, verb: str) -> None:
        if self._writer is owner:
            self._sqlite.execute(verb)
            self._writer = None
            self._locked_rows.clear()
            self._condition.notify_all()

    def _execute(self, sql: str, values: Sequence[Any]) -> sqlite3.Cursor:
        self._functions.refusal = None
        try:
            return self._sqlite.execute(sql, values)
        except sqlite3.IntegrityError as exc:
            text, updates = str(exc), sql.startswith("UPDATE")
            codes = next(codes for start, codes in _INTEGRITY.items() if text.startswith(start))
            raise SqlError(codes[updates], text) from exc
        except (sqlite3.Error, OverflowError) as exc:
            if self._functions.refusal:
                raise self._functions.refusal from exc
            code = next((code for part, code in _OPERATIONAL.items() if part in str(exc)), -400)
            raise SqlError(code, str(exc)) from exc

    # Definitions

    def define(self, owner: object, definition: Definition) -> None:
        with self._condition:
            self._begin(owner)
            try:
                match definition:
                    case CreateTable():
                        self._create_table(definition)
                    case CreateIndex():
                        self._create_index(definition)
                    case AddColumn():
                        self._add_column(definition)
                    case Drop():
                        self._drop(definition)
                    case Other():
                        self._other(definition)
            finally:
                self._end(owner, "COMMIT")

    def _create_table(self, definition: CreateTable) -> None:
        table = definition.table
        if table.full_name.upper() in self.catalogue.tables:
            if definition.if_not_exists:
                return
            raise SqlError(-201, f"Table '{table.full_name}' already exists")
        self._execute(f"CREATE TABLE [{table.full_name}] ({sqlite_columns(table)})", ())
        for index in table.indexes.values():
            self._make_index(table, index)
        self.catalogue.add(table, self._sqlite)
        self.owners[table.full_name.upper()] = self._state.username

    def _add_column(self, definition: AddColumn) -> None:
        table, column = self.catalogue.find(definition.table), definition.column
        if any(known.name.upper() == column.name.upper() for known in table.columns):
            raise SqlError(-306, f"Field '{column.name}' already exists in table '{table.full_name}'")
        self._execute(f"ALTER TABLE [{table.full_name}] ADD COLUMN {column_text(column)}", ())
        self.catalogue.add(replace(table, columns=(*table.columns, column)), self._sqlite)

    def _create_index(self, definition: CreateIndex) -> None:
        table, index = self.catalogue.find(definition.table), definition.index
        if index.hnsw and not self._state.hnsw:
            raise SqlError(-1, "AS is not understood after the columns of an index")
        if index.name.upper() in table.indexes:
            raise SqlError(-324, f"Index '{index.name}' is already defined for table '{table.full_name}'")
        columns = [table.column(name) for name in index.columns]
        if index.hnsw and not (len(columns) == 1 and columns[0].type == "VECTOR" and columns[0].size):
            raise SqlError(-1, "HNSW wants one column, a vector of fixed length")
        if not index.hnsw and any(column.type == "VECTOR" for column in columns):
            raise SqlError(-1, "a vector has no index but HNSW")
        if not index.hnsw:
            self._make_index(table, index)
        table.indexes[index.name.upper()] = index
        self.catalogue.add(table, self._sqlite)

    def _make_index(self, table: Table, index: Index) -> None:
        """An index, and the guard that an entry of it fits a global's subscripts."""
        columns = ", ".join(f"[{name}]" for name in index.columns)
        unique = "UNIQUE" if index.unique else ""
        self._execute(f"CREATE {unique} INDEX {_index_name(table, index)} ON [{table.full_name}] ({columns})", ())
        size = " + ".join(f"coalesce(length(CAST(NEW.[{name}] AS BLOB)), 0)" for name in index.columns)
        for event in ("INSERT", "UPDATE"):
            self._execute(
                f"CREATE TRIGGER {_index_name(table, index, event)} BEFORE {event} ON [{table.full_name}]"
                f" WHEN {size} > {MAX_SUBSCRIPT_BYTES} BEGIN SELECT RAISE(ABORT, '<SUBSCRIPT> too long'); END",
                (),
            )

    def _drop(self, definition: Drop) -> None:
        table = self.catalogue.tables.get(definition.table.upper())
        if table is None:
            if definition.if_exists:
                return
            raise SqlError(-30, f"Table '{definition.table}' not found")
        if definition.index is None:
            self._execute(f"DROP TABLE [{table.full_name}]", ())
            self.catalogue.remove(table, self._sqlite)
            return
        index = table.indexes.pop(definition.index.upper(), None)
        if index is None:
            if definition.if_exists:
                return
            raise SqlError(-333, f"No index '{definition.index}' for table '{table.full_name}'")
        self._execute(f"DROP INDEX IF EXISTS {_index_name(table, index)}", ())
        self.catalogue.add(table, self._sqlite)
        for event in ("INSERT", "UPDATE"):
            self._execute(f"DROP TRIGGER IF EXISTS {_index_name(table, index, event)}", ())

    def _other(self, definition: Other) -> None:
        table = self.catalogue.find(definition.table)
        if definition.verb == "TRUNCATE":
            self._execute(f"DELETE FROM [{table.full_name}]", ())  # noqa: S608  # a known table


def visible_value(value: Any) -> Any:
    """A stored value as a client sees it."""
    return vector_text(value) if isinstance(value, bytes) else value


def _index_name(table: Table, index: Index, event: str = "") -> str:
    return f"[{table.full_name}.{index.name}{event}]"
