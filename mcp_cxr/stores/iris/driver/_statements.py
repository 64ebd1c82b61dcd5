"""Statements on one connection: constant text in which only the table's name is replaced; values are bound by name.

The driver returns text that looks like a number as a number. A file's name need not be Unicode, but text must be.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING

from mcp_cxr.stores.iris.driver._errors import PrivilegeMissing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import LiteralString

    from mcp_cxr.stores.iris.driver._connection import Connection, Row

Parameters = dict[str, "str | int | None"]

_LATER_COLUMN = re.compile(r"\{((?:s\.)?(?:LabelsBy|PositivesOnly|Sex|Age|ReportLanguage))\}")
_NAME = re.compile(r":([a-z_]+)")
_NOLOCK = "%NOLOCK "
SEPARATOR = "\x1f"  # "unit separator": no id, term, view or label contains it
OWN_ROW = '{"mcp_cxr":%'  # LIKE: how the metadata of rows that mcp-cxr wrote begins; other rows are external
_CONSTANTS: Parameters = {"own_row": OWN_ROW, "separator": SEPARATOR}

_MAX_ROWS = 250  # images in one message: the transaction size that is reported to be best for IRIS
_MAX_SMALL_ROWS = 10_000  # postings and labels, a few words each: at 250 a message, most time would be spent waiting
_MAX_BYTES = 4_000_000
MAX_IDS_PER_QUERY = 500


class Statements:
    """Runs statements on one table, over a connection that nothing else uses meanwhile.

    In a statement `{table}` is replaced by the table's name, and `:name` by a bound value. `:own_row` and `:separator`
    are always known. `{LabelsBy}`, `{PositivesOnly}`, `{Sex}`, `{Age}` and
    `{ReportLanguage}` are these columns, or NULL if `has_later_columns` is false. `{nolock}` is `%NOLOCK`, or nothing
    if `has_nolock` is false.
    """

    def __init__(self, connection: Connection, table: str, *, has_nolock: bool = True) -> None:
        self.connection = connection
        self.table = table
        self.has_nolock = has_nolock
        """Whether the user has the privilege of changing rows without locking each."""
        self.nolock_refused = False
        """Whether an update was refused that asks for it."""
        self.has_later_columns = True
        """Whether the table of studies has the columns that an archive of an older version lacks."""

    def fetch_all(
        self, statement: LiteralString, parameters: Mapping[str, str | int | None] | None = None
    ) -> list[Row]:
        """Return all rows of a query."""
        return self.connection.fetch_all(*self._compiled(statement, parameters))

    def fetch_by_ids(
        self, statement: LiteralString, ids: Sequence[str], parameters: Mapping[str, str | int | None] | None = None
    ) -> list[Row]:
        """Return all rows of a query for any number of `:ids`, at most `MAX_IDS_PER_QUERY` at a time."""
        batches = [ids[start : start + MAX_IDS_PER_QUERY] for start in range(0, len(ids), MAX_IDS_PER_QUERY)]
        given = [{**(parameters or {}), "ids": to_list_cell(batch)} for batch in batches]
        return [row for values in given for row in self.fetch_all(statement, values)]

    def execute(self, statement: LiteralString, parameters: Mapping[str, str | int | None] | None = None) -> None:
        """Run an update."""
        text, values = self._compiled(statement, parameters)
        self._update(text, [values])

    def execute_many(self, statement: LiteralString, rows: Sequence[Row], *, small: bool = False) -> None:
        """Run an update for each row, whose values are in the order of the statement's question marks.

        Args:
            small: Each row is a few words.
        """
        text, _ = self._compile(statement)
        for batch in _messages(rows, _MAX_SMALL_ROWS if small else _MAX_ROWS):
            self._update(text, batch)

    def try_execute(
        self,
        statement: LiteralString,
        parameters: Mapping[str, str | int | None] | None = None,
        *,
        limit_s: float | None = None,
    ) -> int:
        """Run an update that the server may refuse; return the positive SQLCODE of the refusal, or 0.

        Args:
            limit_s: Seconds that it may take; None: those of every statement.
        """
        return self.connection.try_execute(*self._compiled(statement, parameters), limit_s=limit_s)

    def _update(self, text: str, rows: Sequence[Row | list[str | int | None]]) -> None:
        try:
            self.connection.execute_many(text, rows)
        except PrivilegeMissing:
            self.nolock_refused = _NOLOCK in text
            raise

    def _compiled(
        self, statement: LiteralString, parameters: Mapping[str, str | int | None] | None
    ) -> tuple[str, list[str | int | None]]:
        text, names = self._compile(statement)
        values = {**_CONSTANTS, **(parameters or {})}
        return text, [values[name] for name in names]

    def _compile(self, statement: LiteralString) -> tuple[str, tuple[str, ...]]:
        return _compile(statement, self.table, self.has_later_columns, self.has_nolock)


@lru_cache(maxsize=1024)
def _compile(
    statement: LiteralString,
    table: str,
    has_later_columns: bool,  # a key of the cache
    has_nolock: bool,  # likewise
) -> tuple[str, tuple[str, ...]]:
    """Return a statement as the driver takes it, and the names of its values in their order."""
    statement = statement.replace("{nolock} ", _NOLOCK if has_nolock else "")
    text = _LATER_COLUMN.sub(r"\1" if has_later_columns else "NULL", statement).replace("{table}", table)
    return _NAME.sub("?", text), tuple(_NAME.findall(text))


def _messages(rows: Sequence[Row], max_rows: int) -> list[list[Row]]:
    """Split rows into messages of at most `max_rows` rows and `_MAX_BYTES`."""
    messages: list[list[Row]] = []
    size = 0
    for row in rows:
        row_size = sum(_length(value) for value in row)
        if not messages or len(messages[-1]) == max_rows or size + row_size > _MAX_BYTES:
            messages.append([])
            size = 0
        messages[-1].append(row)
        size += row_size
    return messages


def _length(value: object) -> int:
    return len(value) if isinstance(value, str) else 8


def to_list_cell(values: Iterable[str]) -> str:
    """Return distinct values as one parameter, for `%INLIST $LISTFROMSTRING(:values, :separator)`.

    One statement then serves any number of values: the driver keeps every statement it has prepared.
    """
    return SEPARATOR.join(sorted({value for value in values if SEPARATOR not in value}))


def to_text(cell: object) -> str | None:
    """Return a text cell; None if it is NULL."""
    return None if cell is None else str(cell)


def to_int(cell: object) -> int:
    """Return a whole number: IRIS may return what it has computed as 5, 5.0, "5" or "5.0"."""
    return cell if isinstance(cell, int) else int(Decimal(str(cell)))


def to_path_cell(path: str) -> str:
    """Return a path as text: unchanged if it is Unicode, else as JSON, which begins with a quote."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return json.dumps(path)
    return json.dumps(path) if path.startswith('"') else path


def from_path_cell(cell: object) -> str:
    """Return the path that `to_path_cell` made this cell of."""
    text = to_text(cell) or ""
    return json.loads(text) if text.startswith('"') else text


def path_key(path: str) -> str:
    """Return a short key for a path: a subscript of IRIS holds 511 bytes, a path thousands."""
    return "f" + blake2b(path.encode(errors="surrogateescape"), digest_size=16).hexdigest()
