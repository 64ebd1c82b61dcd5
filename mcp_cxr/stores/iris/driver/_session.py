"""Statements on one connection: constants in which only the table's name is put, every value bound by its name."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from mcp_cxr.stores.iris.driver._cells import MARK, SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import LiteralString

    from mcp_cxr.stores.iris.driver._connection import Link, Row

T = TypeVar("T")

Bound = dict[str, "str | int | None"]

_NAME = re.compile(r":([a-z_]+)")
_ALWAYS: Bound = {"mark": MARK, "separator": SEPARATOR}

_MOST_ROWS = 250  # of images in one message: what IRIS is reported to take best in one transaction
_MOST_SMALL_ROWS = 4000  # of postings and labels, a few words each: a message of 250 would be all waiting
_MOST_BYTES = 4_000_000
MOST_IDS = 500
"""Asked for in one query."""


class Statements:
    """Work on one table, over a connection that nobody else uses meanwhile.

    In a statement `{table}` is the table's name, and `:name` a value.
    """

    def __init__(self, link: Link, table: str) -> None:
        self.link = link
        self.table = table

    def rows(self, statement: LiteralString, bound: Mapping[str, str | int | None] | None = None) -> list[Row]:
        """Return all rows of a query."""
        text, values = self._composed(statement, bound)
        return self.link.rows(text, values)

    def run(self, statement: LiteralString, bound: Mapping[str, str | int | None] | None = None) -> None:
        """Run an update."""
        text, values = self._composed(statement, bound)
        self.link.run(text, [values])

    def run_many(self, statement: LiteralString, rows: Sequence[Row], *, small: bool = False) -> None:
        """Run an update for each row, whose values stand in the order of the statement's question marks.

        Args:
            small: Each row is a few words.
        """
        text, _ = _prepared(statement, self.table)
        for batch in _batches(rows, _MOST_SMALL_ROWS if small else _MOST_ROWS):
            self.link.run(text, batch)

    def attempt(self, statement: LiteralString, bound: Mapping[str, str | int | None] | None = None) -> int:
        """Run an update that may be refused; return the refusal's positive SQLCODE, or 0."""
        text, values = self._composed(statement, bound)
        return self.link.attempt(text, values)

    def check(self, code: int) -> None:
        """Raise what a refusal means that `attempt` returned; 0 is none."""
        self.link.check(code)

    def _composed(
        self, statement: LiteralString, bound: Mapping[str, str | int | None] | None
    ) -> tuple[str, list[str | int | None]]:
        text, names = _prepared(statement, self.table)
        values = {**_ALWAYS, **(bound or {})}
        return text, [values[name] for name in names]


def batches_of(values: Sequence[T]) -> list[Sequence[T]]:
    """Cut what is asked for into queries of a bearable size."""
    return [values[start : start + MOST_IDS] for start in range(0, len(values), MOST_IDS)]


@lru_cache(maxsize=1024)
def _prepared(statement: LiteralString, table: str) -> tuple[str, tuple[str, ...]]:
    """Return a statement as the driver takes it, and the names of its values in their order."""
    text = statement.replace("{table}", table)
    return _NAME.sub("?", text), tuple(_NAME.findall(text))


def _batches(rows: Sequence[Row], most: int) -> list[list[Row]]:
    """Cut rows into messages of a bearable size."""
    batches: list[list[Row]] = []
    size = 0
    for row in rows:
        own = sum(_length(value) for value in row)
        if not batches or len(batches[-1]) == most or size + own > _MOST_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(row)
        size += own
    return batches


def _length(value: object) -> int:
    return len(value) if isinstance(value, str) else 8
