"""CREATE, ALTER, DROP, TUNE and TRUNCATE, as InterSystems documents them (RSQL_createtable, RSQL_createindex, ...)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

from tests.standins.iris._catalogue import Column, Index, Table, qualified
from tests.standins.iris._documented import COLLATIONS, RESERVED
from tests.standins.iris._errors import SqlError
from tests.standins.iris._tokens import END, Token, tokens

_SQLITE_TYPES = {"text": "TEXT", "integer": "INTEGER", "double": "REAL"}
_TYPES = frozenset("VARCHAR INTEGER INT BIGINT SMALLINT BIT DOUBLE NUMERIC DECIMAL TIMESTAMP VECTOR".split())
_HNSW_OPTIONS = {"DISTANCE", "M", "EFCONSTRUCTION"}
_DISTANCES = {"COSINE", "DOTPRODUCT"}
MAX_SUBSCRIPT_BYTES = 511


@dataclass(frozen=True)
class CreateTable:
    table: Table
    if_not_exists: bool


@dataclass(frozen=True)
class CreateIndex:
    table: str
    index: Index


@dataclass(frozen=True)
class AddColumn:
    table: str
    column: Column


@dataclass(frozen=True)
class Drop:
    """A table, or an index where one is named."""

    table: str
    index: str | None = None
    if_exists: bool = False


@dataclass(frozen=True)
class Other:
    """TUNE TABLE and TRUNCATE TABLE."""

    verb: str
    table: str


Definition: TypeAlias = CreateTable | CreateIndex | AddColumn | Drop | Other
_VERBS = frozenset("CREATE ALTER DROP TUNE TRUNCATE".split())


def is_definition(text: str) -> bool:
    return text.lstrip().split(None, 1)[0].upper() in _VERBS if text.strip() else False


def parse_ddl(text: str) -> Definition:
    """Read a statement that defines.

    Raises:
        SqlError: It is not documented so.
    """
    reader = _Reader(tokens(text))
    definition = reader.definition()
    if reader.next is not END:
        raise SqlError(-25, f"{reader.next.raw!r} after the end")
    return definition


def sqlite_columns(table: Table) -> str:
    """The columns as SQLite makes them; what IRIS validates stands in checks (-104)."""
    return ", ".join(column_text(column) for column in table.columns)


def column_text(column: Column) -> str:
    name, parts = f"[{column.name}]", [f"[{column.name}]"]
    match column.type:
        case "VECTOR":
            wanted = f" AND length({name}) = {8 * column.size}" if column.size else ""
            parts += ["BLOB", f"CHECK ({name} IS NULL OR (typeof({name}) = 'blob'{wanted}))"]
        case "VARCHAR" | "TIMESTAMP":
            size = column.size or 50
            parts += [f"TEXT COLLATE {column.collation}", f"CHECK ({name} IS NULL OR length({name}) <= {size})"]
        case _:
            kind = _SQLITE_TYPES[column.kind]
            parts += [kind, f"CHECK (typeof({name}) IN ('{kind.lower()}', 'null'))"]
    if column.required:
        parts.append("NOT NULL")
    if column.default is not None:
        parts.append(f"DEFAULT {column.default}")
    return " ".join(parts)


class _Reader:
    def __init__(self, found: list[Token]) -> None:
        self._tokens = found
        self._at = 0

    @property
    def next(self) -> Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else END

    def _takes(self, *words: str) -> bool:
        following = self._tokens[self._at : self._at + len(words)]
        if [token.text for token in following if token.kind in ("word", "operator")] != list(words):
            return False
        self._at += len(words)
        return True

    def _expect(self, *words: str) -> None:
        for word in words:
            if not self._takes(word):
                raise SqlError(-1, f"{word} expected, {self.next.raw!r} found")

    def _take(self, *kinds: str) -> Token:
        token = self.next
        if token.kind not in kinds:
            raise SqlError(-1, f"a {' or '.join(kinds)} expected, {token.raw!r} found")
        self._at += 1
        return token

    def _name(self) -> str:
        token = self._take("word", "quoted")
        if token.kind == "word" and (token.text in RESERVED or token.text.startswith("%")):
            raise SqlError(-1, f"{token.raw} is no name; a reserved word must be quoted")
        return token.raw

    def _table_name(self) -> str:
        name = self._name()
        return qualified(f"{name}.{self._name()}" if self._takes(".") else name)

    def _names(self) -> tuple[str, ...]:
        self._expect("(")
        names = [self._name()]
        while self._takes(","):
            names.append(self._name())
        self._expect(")")
        return tuple(names)

    def definition(self) -> Definition:
        if self._takes("CREATE", "TABLE"):
            return self._create_table()
        if self._takes("CREATE", "UNIQUE", "INDEX"):
            return self._create_index(unique=True)
        if self._takes("CREATE", "INDEX"):
            return self._create_index(unique=False)
        if self._takes("ALTER", "TABLE"):  # RSQL_altertable
            return self._add_column()
        if self._takes("DROP"):
            return self._drop()
        for verb in ("TUNE", "TRUNCATE"):  # RSQL_tunetable, RSQL_truncatetable
            if self._takes(verb, "TABLE"):
                return Other(verb, self._table_name())
        raise SqlError(-1, f"{self.next.raw!r} is not known here")

    def _add_column(self) -> AddColumn:
        table = self._table_name()
        self._expect("ADD", "COLUMN")
        indexes: list[Index] = []
        column = self._column(table, indexes)
        if indexes or column.required:
            raise SqlError(-1, f"{column.name}: only a plain column that may be NULL can be added here")
        return AddColumn(table, column)

    def _drop(self) -> Drop:
        if self._takes("TABLE"):  # RSQL_droptable
            if_exists = self._takes("IF", "EXISTS")
            return Drop(self._table_name(), if_exists=if_exists)
        self._expect("INDEX")  # RSQL_dropindex
        if_exists = self._takes("IF", "EXISTS")
        name = self._name()
        self._expect("ON")
        self._takes("TABLE")
        return Drop(self._table_name(), name, if_exists)

    def _create_index(self, *, unique: bool) -> CreateIndex:
        name = self._name()
        self._expect("ON")
        self._takes("TABLE")
        table = self._table_name()
        columns = self._names()
        is_hnsw = self._takes("AS", "HNSW")
        if is_hnsw and self._takes("("):
            self._hnsw_options()
        return CreateIndex(table, Index(name, columns, unique=unique, hnsw=is_hnsw))

    def _hnsw_options(self) -> None:  # RSQL_createindex, GSQL_vecsearch
        while True:
            option = self._take("word")
            if option.text not in _HNSW_OPTIONS:
                raise SqlError(-1, f"HNSW has no option {option.raw}")
            self._expect("=")
            value = self._take("string" if option.text == "DISTANCE" else "number")
            if value.kind == "string" and value.raw.upper() not in _DISTANCES:
                raise SqlError(-1, f"HNSW knows no distance {value.raw!r}")
            if not self._takes(","):
                break
        self._expect(")")

    def _create_table(self) -> CreateTable:
        if_not_exists = self._takes("IF", "NOT", "EXISTS")
        schema, name = self._table_name().rsplit(".", 1)
        columns: list[Column] = []
        indexes: list[Index] = []
        self._expect("(")
        while True:
            constraint = self._table_constraint(name, len(indexes))
            if constraint:
                indexes.append(constraint)
            else:
                columns.append(self._column(name, indexes))
            if not self._takes(","):
                break
        self._expect(")")
        table = Table(schema, name, tuple(columns), {index.name.upper(): index for index in indexes})
        return CreateTable(_with_required_keys(table), if_not_exists)

    def _table_constraint(self, table: str, position: int) -> Index | None:
        named = self._name() if self._takes("CONSTRAINT") else None
        primary = self._takes("PRIMARY", "KEY")
        if not primary and not self._takes("UNIQUE"):
            if named:
                raise SqlError(-1, "CONSTRAINT is known here with PRIMARY KEY and UNIQUE")
            return None
        name = named or f"{table.upper()}_{'PKEY' if primary else 'UNIQUE'}{position + 1}"
        return Index(name, self._names(), unique=True, primary=primary)

    def _column(self, table: str, indexes: list[Index]) -> Column:
        name = self._name()
        column = self._typed(name)
        while not (self.next is END or self.next.text in (",", ")")):
            if self._takes("NOT", "NULL"):
                column = replace(column, required=True)
            elif self._takes("PRIMARY", "KEY"):
                indexes.append(Index(f"{table.upper()}_PKEY{len(indexes) + 1}", (name,), unique=True, primary=True))
            elif self._takes("UNIQUE"):
                indexes.append(Index(f"{table.upper()}_UNIQUE{len(indexes) + 1}", (name,), unique=True))
            elif self._takes("DEFAULT"):
                column = replace(column, default=self._default())
            elif not self._takes("NULL"):
                column = replace(column, collation=self._collation(column))
        return column

    def _typed(self, name: str) -> Column:
        kind = self._take("word").text
        if kind not in _TYPES:
            raise SqlError(-1, f"the type {kind} is not known here")
        if kind == "VECTOR":  # RSQL_datatype: VECTOR(type [, length])
            self._expect("(", "DOUBLE")
            size = int(self._take("number").raw) if self._takes(",") else None
            self._expect(")")
            return Column(name, kind, size)
        size = None
        if self._takes("("):
            size = int(self._take("number").raw)
            if self._takes(","):
                self._take("number")
            self._expect(")")
        return Column(name, kind, size or (1 if kind == "VARCHAR" else None))

    def _collation(self, column: Column) -> str:
        self._takes("COLLATE")
        token = self._take("word")
        collation = COLLATIONS.get(token.text)
        if collation is None or column.type != "VARCHAR":
            raise SqlError(-1, f"{token.raw!r} after {column.name} {column.type}")
        return collation

    def _default(self) -> str:
        token = self._take("word", "number", "string")
        if token.kind == "word" and token.text not in ("CURRENT_TIMESTAMP", "NULL"):
            raise SqlError(-1, f"DEFAULT {token.raw} is not known here")
        return f"'{token.raw}'" if token.kind == "string" else token.text


def _with_required_keys(table: Table) -> Table:
    """A primary key is never NULL."""
    keys = {name.upper() for index in table.indexes.values() if index.primary for name in index.columns}
    for index in table.indexes.values():
        for name in index.columns:
            table.column(name)
    table.columns = tuple(
        replace(column, required=column.required or column.name.upper() in keys) for column in table.columns
    )
    return table
