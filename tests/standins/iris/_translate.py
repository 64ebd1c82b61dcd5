"""A statement of InterSystems SQL to one of SQLite; what is not documented is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tests.standins.iris._documented import RESERVED, RESTRICTIONS
from tests.standins.iris._errors import SqlError
from tests.standins.iris._expressions import CLAUSES, Expressions
from tests.standins.iris._tokens import END, tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.standins.iris._catalogue import Catalogue, Table

_JOINS = frozenset("INNER LEFT RIGHT FULL CROSS JOIN".split())


class Statement(NamedTuple):
    """What to run here."""

    sql: str
    columns: tuple[tuple[str, str], ...] | None
    """Name and kind of each result column; None where it is no query."""
    needs: frozenset[str] = frozenset()
    """Privileges that it needs: `SELECT ON Schema.Table`, or `%NOLOCK`."""


def translate(text: str, catalogue: Catalogue, constants: Mapping[int, str]) -> Statement:
    """Translate one query or change of rows.

    Args:
        constants: Kinds of the parameters that were literals, by their number.
    """
    known: tuple[dict[str, str], dict[str, Table]] | None = None
    while True:
        translator = Translator(tokens(text), catalogue, constants, *(known or ({}, {})))
        statement = translator.statement()
        if (translator.named, translator.sources) == known:
            return statement
        # Once more: now the kinds of columns that subqueries name, and the tables behind aliases, are known.
        known = translator.named, translator.sources


class Translator(Expressions):
    _needs: set[str]

    def statement(self) -> Statement:
        columns = None
        self._needs = set()
        match self._next.text:
            case "SELECT":
                columns = tuple(self._query(nested=False))
            case "INSERT":
                self._insert()
            case "UPDATE":
                self._update()
            case "DELETE":
                self._delete()
            case word:
                raise SqlError(-1, f"no statement known here begins with {word!r}")
        if self._next is not END:
            raise SqlError(-25, f"{self._next.raw!r} after the end")
        return Statement(" ".join(self._out), columns, frozenset(self._needs))

    # Queries

    def _query(self, *, nested: bool) -> list[tuple[str, str]]:
        columns, has_top = self._select(nested=nested)
        while self._is("UNION"):
            self._out += [self._take().text, *(["ALL"] if self._takes("ALL") else [])]
            _, branch_has_top = self._select(nested=nested)
            if has_top or branch_has_top:
                raise SqlError(-1, "TOP in a branch of a UNION is not known here; put the branch into a subquery")
        if self._copies("LIMIT"):
            if has_top:
                raise SqlError(-386, "TOP and LIMIT in one query")
            if nested:
                raise SqlError(-1, "LIMIT in a subquery; use TOP")
            self._expression()
        return columns

    def _select(self, *, nested: bool) -> tuple[list[tuple[str, str]], bool]:
        self._expect("SELECT")
        self._out.append("SELECT")
        folds = self._has_group_by()
        if self._copies("DISTINCT"):
            folds = True
        else:
            self._takes("ALL")
        top = self._top() if self._takes("TOP") else None
        columns = self._items(folds=folds)
        if self._copies("FROM"):
            self._from()
        if self._copies("WHERE"):
            self._expression()
        if self._copies("GROUP", "BY"):
            self._expression()
        if self._copies("HAVING"):
            self._expression()
        if self._copies("ORDER", "BY"):
            if nested and top is None:
                raise SqlError(-1, "ORDER BY in a subquery wants a TOP; see RSQL_top")
            self._expression()
        if top is not None:
            self._out += ["LIMIT", top]
        return columns, top is not None

    def _has_group_by(self) -> bool:
        """Whether the select at hand has a GROUP BY of its own."""
        depth = 0
        for token in self._tokens[self._at :]:
            depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "operator" else 0
            if depth < 0 or (depth == 0 and token.kind == "word" and token.text == "UNION"):
                return False
            if depth == 0 and token.kind == "word" and token.text == "GROUP":
                return True
        return False

    def _top(self) -> str | None:
        depth = 0
        while self._takes("("):
            depth += 1
        if self._takes("ALL"):
            return "-1"
        token = self._take()
        if token.kind not in ("parameter", "number"):
            raise SqlError(-1, f"TOP wants a number or ?, not {token.raw!r}")
        for _ in range(depth):
            self._expect(")")
        return f"?{token.raw}" if token.kind == "parameter" else token.raw

    def _items(self, *, folds: bool) -> list[tuple[str, str]]:
        columns: list[tuple[str, str]] = []
        while True:
            start = len(self._out)
            if self._copies("*"):
                columns.append(("*", "text"))
            else:
                columns.append(self._item(len(columns), start, folds=folds))
            if not self._copies(","):
                return columns

    def _item(self, position: int, start: int, *, folds: bool) -> tuple[str, str]:
        """Copy an item; with DISTINCT or GROUP BY, a column that ignores case is in capitals (RACS_FastDistinct)."""
        first, before = self._next, self._folding
        kind = self._expression(stops=(",", "AS"))
        name = first.raw if len(self._out) == start + 1 else f"Expression_{position + 1}"
        if self._takes("AS") or self._next.kind == "quoted" or (self._next.kind == "word" and not self._is(*CLAUSES)):
            name = self._identifier()
        elif self._out[-1].startswith("[") and len(self._out) > start + 1 and self._out[-2] == ".":
            name = self._out[-1].strip("[]")
        if folds:
            self._fold(start, before, kind)
        self._out += ["AS", f"[{name}]"]
        self.named[name.upper()] = kind
        return name, kind

    def _from(self) -> None:
        self._source()
        while True:
            if self._copies(","):
                self._source()
            elif self._is(*_JOINS):
                while self._is(*_JOINS, "OUTER"):
                    self._out.append(self._take().text)
                self._source()
                if self._copies("ON"):
                    self._expression(stops=(",",))
            else:
                return

    def _source(self) -> None:
        if self._copies("("):
            self._query(nested=True)
            self._expect(")")
            self._out.append(")")
            default = table = None
        else:
            table = self._table("SELECT")
            default = table.name
        alias = self._alias(default)
        if table and alias:
            self.sources[alias.upper()] = table

    def _table(self, *verbs: str) -> Table:
        """Copy the name of a table on which the user must have these privileges."""
        table = self._catalogue.find(self._qualified())
        self._needs |= {f"{verb} ON {table.full_name}" for verb in verbs}
        self._out.append(f"[{table.full_name}]")
        return table

    def _qualified(self) -> str:
        first = self._next
        name = self._take().raw if first.text.startswith("%DICTIONARY") else self._identifier()
        return f"{name}.{self._identifier()}" if self._takes(".") else name

    def _alias(self, default: str | None) -> str | None:
        if (
            self._takes("AS")
            or self._next.kind == "quoted"
            or (self._next.kind == "word" and self._next.text not in RESERVED and not self._is(*CLAUSES, "SET"))
        ):
            default = self._identifier()
        if default:
            self._out += ["AS", f"[{default}]"]
        return default

    # Changes

    def _insert(self) -> None:
        self._expect("INSERT")
        updates = self._takes("OR", "UPDATE")
        self._restriction()
        self._takes("INTO")
        self._out += ["INSERT", "INTO"]
        table = self._table("INSERT", *(["UPDATE"] if updates else []))
        names = self._columns() if self._takes("(") else [column.name for column in table.columns]
        self._out.append("(" + ", ".join(f"[{name}]" for name in names) + ")")
        if self._copies("VALUES"):
            self._expect("(")
            self._out.append("(")
            self._expression()
            self._expect(")")
            self._out.append(")")
        else:
            self._out += ["SELECT", "*", "FROM", "("]
            self._query(nested=True)
            self._out += [")", "WHERE", "1"]
        if updates:
            changes = ", ".join(f"[{name}] = excluded.[{name}]" for name in names)
            self._out += ["ON", "CONFLICT", "DO", "UPDATE", "SET", changes]

    def _restriction(self) -> None:
        """Read what lifts a check or a lock; here every change is checked and locked."""
        if self._is(*RESTRICTIONS):
            self._needs.add(self._take().text)

    def _columns(self) -> list[str]:
        names = [self._identifier()]
        while self._takes(","):
            names.append(self._identifier())
        self._expect(")")
        return names

    def _update(self) -> None:
        self._copies("UPDATE")
        self._restriction()
        self._alias(self._table("UPDATE", "SELECT").name)
        self._expect("SET")
        self._out.append("SET")
        while True:
            self._out.append(f"[{self._identifier()}]")
            self._expect("=")
            self._out.append("=")
            self._expression(stops=(",",))
            if not self._copies(","):
                break
        if self._copies("WHERE"):
            self._expression()

    def _delete(self) -> None:
        self._expect("DELETE")
        self._restriction()
        self._takes("FROM")
        self._out += ["DELETE", "FROM"]
        self._alias(self._table("DELETE", "SELECT").name)
        if self._copies("WHERE"):
            self._expression()
