"""Statements on one connection: constant text in which only the table's name is replaced; values are bound by name."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from mcp_cxr.stores.iris.driver._cells import OWN_ROW, SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import LiteralString

    from mcp_cxr.stores.iris.driver._connection import Connection, Row

T = TypeVar("T")

Parameters = dict[str, "str | int | None"]

_NAME = re.compile(r":([a-z_]+)")
_CONSTANTS: Parameters = {"own_row": OWN_ROW, "separator": SEPARATOR}

_MAX_ROWS = 250  # images in one message: the transaction size that is reported to be best for IRIS
_MAX_SMALL_ROWS = 4000  # postings and labels, a few words each: at 250 a message, most time would be spent waiting
_MAX_BYTES = 4_000_000
MAX_IDS_PER_QUERY = 500


class Statements:
    """Runs statements on one table, over a connection that nothing else uses meanwhile.

    In a statement `{table}` is replaced by the table's name, and `:name` by a bound value. `:own_row` and `:separator`
    are always known.
    """

    def __init__(self, connection: Connection, table: str) -> None:
        self.connection = connection
        self.table = table

    def fetch_all(
        self, statement: LiteralString, parameters: Mapping[str, str | int | None] | None = None
    ) -> list[Row]:
        """Return all rows of a query."""
        return self.connection.fetch_all(*self._compiled(statement, parameters))

    def execute(self, statement: LiteralString, parameters: Mapping[str, str | int | None] | None = None) -> None:
        """Run an update."""
        text, values = self._compiled(statement, parameters)
        self.connection.execute_many(text, [values])

    def execute_many(self, statement: LiteralString, rows: Sequence[Row], *, small: bool = False) -> None:
        """Run an update for each row, whose values are in the order of the statement's question marks.

        Args:
            small: Each row is a few words.
        """
        text, _ = _compile(statement, self.table)
        for batch in _messages(rows, _MAX_SMALL_ROWS if small else _MAX_ROWS):
            self.connection.execute_many(text, batch)

    def try_execute(self, statement: LiteralString, parameters: Mapping[str, str | int | None] | None = None) -> int:
        """Run an update that the server may refuse; return the positive SQLCODE of the refusal, or 0."""
        return self.connection.try_execute(*self._compiled(statement, parameters))

    def raise_for_sqlcode(self, code: int) -> None:
        """Raise the error for a code that `try_execute` returned; none for 0."""
        self.connection.raise_for_sqlcode(code)

    def _compiled(
        self, statement: LiteralString, parameters: Mapping[str, str | int | None] | None
    ) -> tuple[str, list[str | int | None]]:
        text, names = _compile(statement, self.table)
        values = {**_CONSTANTS, **(parameters or {})}
        return text, [values[name] for name in names]


def batches(values: Sequence[T]) -> list[Sequence[T]]:
    """Split what is asked for into queries of at most `MAX_IDS_PER_QUERY` values."""
    return [values[start : start + MAX_IDS_PER_QUERY] for start in range(0, len(values), MAX_IDS_PER_QUERY)]


@lru_cache(maxsize=1024)
def _compile(statement: LiteralString, table: str) -> tuple[str, tuple[str, ...]]:
    """Return a statement as the driver takes it, and the names of its values in their order."""
    text = statement.replace("{table}", table)
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
