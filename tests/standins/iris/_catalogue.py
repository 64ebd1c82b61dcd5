"""The tables, for the translator, and for clients in INFORMATION_SCHEMA and %Dictionary."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.standins.iris._errors import SqlError

if TYPE_CHECKING:
    import sqlite3

DEFAULT_SCHEMA = "SQLUser"
_VIEWS = {
    "INFORMATION_SCHEMA.TABLES": "TABLE_CATALOG TABLE_SCHEMA TABLE_NAME TABLE_TYPE CLASSNAME",
    "INFORMATION_SCHEMA.COLUMNS": "TABLE_CATALOG TABLE_SCHEMA TABLE_NAME COLUMN_NAME ORDINAL_POSITION IS_NULLABLE"
    " DATA_TYPE CHARACTER_MAXIMUM_LENGTH COLLATION_NAME PRIMARY_KEY",
    "INFORMATION_SCHEMA.INDEXES": "TABLE_SCHEMA TABLE_NAME INDEX_NAME COLUMN_NAME ORDINAL_POSITION NON_UNIQUE"
    " PRIMARY_KEY",
    "%Dictionary.CompiledProperty": "parent Name SqlFieldName Type Parameters",
}
"""The part of each that this server fills."""


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    """As DDL spells it: VARCHAR, INTEGER, DOUBLE, VECTOR..."""
    size: int | None = None
    """Characters of a VARCHAR, dimensions of a VECTOR."""
    collation: str = "SQLUPPER"
    required: bool = False
    default: str | None = None

    @property
    def kind(self) -> str:
        if self.type in ("DOUBLE", "FLOAT", "REAL", "NUMERIC", "DECIMAL"):
            return "double"
        return "integer" if self.type in ("INTEGER", "INT", "BIGINT", "SMALLINT", "TINYINT", "BIT") else "text"

    @property
    def class_type(self) -> str:
        return {"VECTOR": "%Library.Vector", "VARCHAR": "%Library.String", "DOUBLE": "%Library.Double"}.get(
            self.type, f"%Library.{self.type.capitalize()}"
        )


@dataclass
class Index:
    name: str
    columns: tuple[str, ...]
    unique: bool = False
    primary: bool = False
    hnsw: bool = False


@dataclass
class Table:
    schema: str
    name: str
    columns: tuple[Column, ...]
    indexes: dict[str, Index] = field(default_factory=dict[str, Index])
    """By their names in capitals."""

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"

    def column(self, name: str) -> Column:
        for column in self.columns:
            if column.name.upper() == name.upper():
                return column
        raise SqlError(-29, f"no field {name} in {self.full_name}")


class Catalogue:
    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}
        self._kinds: Counter[tuple[str, str]] = Counter()
        self._exact: Counter[str] = Counter()
        self._views = {
            name.upper(): Table(schema, table, tuple(Column(column, "VARCHAR") for column in columns.split()))
            for name, columns in _VIEWS.items()
            for schema, table in [name.rsplit(".", 1)]
        }

    def find(self, name: str) -> Table:
        """A table or view by its name, with its schema or without.

        Raises:
            SqlError: -30.
        """
        full = qualified(name)
        found = self.tables.get(full.upper()) or self._views.get(full.upper())
        if found is None:
            raise SqlError(-30, f"Table '{full}' not found")
        return found

    def make_views(self, sqlite: sqlite3.Connection) -> None:
        for name, columns in _VIEWS.items():
            fields = ", ".join(f"[{column}] COLLATE SQLUPPER" for column in columns.split())
            sqlite.execute(f"CREATE TABLE [{name}] ({fields})")
            key = "parent" if name.startswith("%") else "TABLE_NAME"
            sqlite.execute(f"CREATE INDEX [{name}.key] ON [{name}] ({key})")

    def add(self, table: Table, sqlite: sqlite3.Connection) -> None:
        """Add a table, or replace it, also in the views."""
        self.remove(table, sqlite)
        self.tables[table.full_name.upper()] = table
        self._count(table, 1)
        for (name, columns), rows in zip(_VIEWS.items(), _described(table), strict=True):
            marks = ", ".join("?" * len(columns.split()))
            sqlite.executemany(f"INSERT INTO [{name}] VALUES ({marks})", rows)  # noqa: S608  # names defined here

    def remove(self, table: Table, sqlite: sqlite3.Connection) -> None:
        """Remove a table; harmless if it is unknown."""
        known = self.tables.pop(table.full_name.upper(), None)
        if known is None:
            return
        self._count(known, -1)
        for name in _VIEWS:
            if name.startswith("%"):
                where, whose = "parent = ?", (_class_name(table),)
            else:
                where, whose = "TABLE_NAME = ? AND TABLE_SCHEMA = ?", (table.name, table.schema)
            sqlite.execute(f"DELETE FROM [{name}] WHERE {where}", whose)  # noqa: S608  # names defined here

    def _count(self, table: Table, change: int) -> None:
        """Count columns by name: their kinds and collations are looked up by name alone."""
        for column in table.columns:
            name = column.name.upper()
            self._kinds[name, column.kind] += change
            self._exact[name] += change * (column.collation == "BINARY")

    def kind(self, column: str) -> str | None:
        """The kind of the columns of this name; None if no table has one."""
        name = column.upper()
        if name in ("ORDINAL_POSITION", "CHARACTER_MAXIMUM_LENGTH"):
            return "integer"
        return next((kind for kind in ("text", "double", "integer") if self._kinds[name, kind] > 0), None)

    def is_exact(self, column: str) -> bool:
        return self._exact[column.upper()] > 0


def qualified(name: str) -> str:
    return name if "." in name else f"{DEFAULT_SCHEMA}.{name}"


def _class_name(table: Table) -> str:
    return f"{'User' if table.schema == DEFAULT_SCHEMA else table.schema}.{table.name}"


def _described(table: Table) -> tuple[list[tuple[Any, ...]], ...]:
    """The rows about one table, view by view. A vector shows as varchar in INFORMATION_SCHEMA."""
    parent = _class_name(table)
    primary = {name.upper() for index in table.indexes.values() if index.primary for name in index.columns}
    columns: list[tuple[Any, ...]] = []
    properties: list[tuple[Any, ...]] = []
    for position, column in enumerate(table.columns, 1):
        visible_value = {"VECTOR": "varchar"}.get(column.type, column.type.lower())
        length = column.size if column.type == "VARCHAR" else None
        key = "YES" if column.name.upper() in primary else "NO"
        nullable = "NO" if column.required or key == "YES" else "YES"
        where = ("USER", table.schema, table.name, column.name)
        columns.append((*where, position, nullable, visible_value, length, column.collation, key))
        properties.append((parent, column.name, column.name, column.class_type, _parameters(column)))
    indexes = [
        (table.schema, table.name, index.name, name, position, int(not index.unique), int(index.primary))
        for index in table.indexes.values()
        for position, name in enumerate(index.columns, 1)
    ]
    return [("USER", table.schema, table.name, "BASE TABLE", parent)], columns, indexes, properties


def _parameters(column: Column) -> str | None:
    """The property's parameters as one text; how IRIS spells the array is not verified."""
    if column.type == "VECTOR":
        return f"DATATYPE=DOUBLE,LEN={column.size}" if column.size else "DATATYPE=DOUBLE"
    return f"MAXLEN={column.size}" if column.type == "VARCHAR" else None
