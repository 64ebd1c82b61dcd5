"""Expressions of InterSystems SQL, term by term; a function or word that is not documented is refused."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from tests.standins.iris._documented import (
    AGGREGATES,
    CAST_TYPES,
    EXPRESSION_WORDS,
    FUNCTIONS,
    RESERVED,
    UNDOCUMENTED,
    VECTOR_TYPES,
)
from tests.standins.iris._errors import SqlError
from tests.standins.iris._tokens import END, Token

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.standins.iris._catalogue import Catalogue, Table
    from tests.standins.iris._documented import Function

CLAUSES = frozenset("FROM WHERE GROUP HAVING ORDER UNION LIMIT ON INNER LEFT RIGHT FULL CROSS JOIN".split())
"""Words that end an expression."""


class Expressions(ABC):
    """Reads tokens, and writes the SQL that SQLite runs."""

    def __init__(
        self,
        found: list[Token],
        catalogue: Catalogue,
        constants: Mapping[int, str],
        named: dict[str, str],
        sources: dict[str, Table],
    ) -> None:
        self._tokens = found
        self._at = 0
        self._out: list[str] = []
        self._catalogue = catalogue
        self._constants = constants
        self.named = dict(named)
        """Kinds of the columns that AS names."""
        self.sources: dict[str, Table] = dict(sources)
        """Tables by their aliases."""
        self._folding = 0
        """Columns read so far whose collation ignores case, outside %EXACT."""

    @abstractmethod
    def _query(self, *, nested: bool) -> list[tuple[str, str]]:
        """Copy a query; return the name and kind of each of its columns."""

    def _folds(self, source: str | None, name: str) -> bool:
        tables = [self.sources[source.upper()]] if source and source.upper() in self.sources else []
        if source is None:
            tables = list(self.sources.values())
        columns = [column for table in tables for column in table.columns if column.name.upper() == name.upper()]
        return any(column.type == "VARCHAR" and column.collation == "SQLUPPER" for column in columns)

    def _fold(self, start: int, before: int, kind: str) -> None:
        """Put what was written since `start` in capitals, if a column in it ignores case."""
        if kind == "text" and self._folding > before:
            self._out[start:start] = ["iris_upper", "("]
            self._out += [")", "COLLATE", "SQLUPPER"]

    # Reading

    @property
    def _next(self) -> Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else END

    def _is(self, *words: str, ahead: int = 0) -> bool:
        at = self._at + ahead
        token = self._tokens[at] if at < len(self._tokens) else END
        return token.kind in ("word", "operator") and token.text in words

    def _takes(self, *words: str) -> bool:
        """Take these words if they come next; nothing is written."""
        if not all(self._is(word, ahead=ahead) for ahead, word in enumerate(words)):
            return False
        self._at += len(words)
        return True

    def _expect(self, word: str) -> None:
        if not self._takes(word):
            raise SqlError(-1, f"{word} expected, {self._next.raw!r} found")

    def _copies(self, *words: str) -> bool:
        if not self._takes(*words):
            return False
        self._out += words
        return True

    def _take(self) -> Token:
        token = self._next
        self._at += 1
        return token

    def _identifier(self) -> str:
        token = self._take()
        if token.kind == "quoted":
            return token.raw.replace('""', '"')
        if token.kind != "word":
            raise SqlError(-12, f"a name expected, {token.raw!r} found")
        if token.text in RESERVED or token.text in UNDOCUMENTED or token.text.startswith("%"):
            raise SqlError(-1, f"{token.raw} is no name; a reserved word must be quoted")
        return token.raw

    # Expressions

    def _expression(self, stops: Sequence[str] = ()) -> str:
        """Copy up to a clause, a closing bracket or one of `stops`; return the kind of its value."""
        kinds: list[str] = []
        counts = True
        start = self._at
        while self._next is not END and not self._is(")", *CLAUSES, *stops):
            if self._at > start and self._ends_before_alias():
                break
            token = self._next
            if token.text in ("WHEN", "CASE") and token.kind == "word":
                counts = False
            if token.text in ("THEN", "ELSE") and token.kind == "word":
                counts = True
            kind = self._term()
            if kind and counts:
                kinds.append(kind)
        if self._at == start:
            raise SqlError(-12, f"{self._next.raw!r} found")
        return _common_kind(kinds)

    def _ends_before_alias(self) -> bool:
        """Two terms side by side with no word or sign between: the second is a name for the first."""
        before, token = self._tokens[self._at - 1], self._next
        ends = before.kind in ("parameter", "number", "quoted") or before.text in (")", "END")
        ends = ends or (
            before.kind == "word"
            and before.text not in EXPRESSION_WORDS
            and before.text not in RESERVED
            and not before.text.startswith("%")
        )
        named = token.kind == "quoted" or (
            token.kind == "word" and token.text not in EXPRESSION_WORDS and not token.text.startswith("%")
        )
        return ends and named and token.text not in RESERVED

    def _term(self) -> str | None:
        token = self._next
        match token.kind:
            case "parameter":
                self._out.append(f"?{self._take().raw}")
                return self._constants.get(int(token.raw))
            case "number":
                self._out.append(self._take().raw)
                return "double" if "." in token.raw else "integer"
            case "string":
                self._out.append(f"'{self._take().raw}'")
                return "text"
            case "operator":
                return self._operator()
            case "quoted":
                return self._column()
            case _:
                return self._word()

    def _operator(self) -> str | None:
        token = self._take()
        if token.text == "(":
            return self._bracket()
        if token.text == ".":
            raise SqlError(-1, "a full stop stands alone")
        if token.text == "/":  # a division by zero is an error
            self._out += ["*", "1.0", "/", "iris_divisor", "("]
            self._term()
            self._out.append(")")
            return "double"
        # In IRIS the quotient of two integers has its fraction (GSQL_langelements); # is its remainder.
        self._out.append({"#": "%"}.get(token.text, token.text))
        return {"||": "text"}.get(token.text)

    def _bracket(self) -> str | None:
        self._out.append("(")
        kind = self._query(nested=True)[0][1] if self._is("SELECT") else self._expression()
        self._expect(")")
        self._out.append(")")
        return kind

    def _word(self) -> str | None:
        token = self._next
        if self._is("(", ahead=1) and token.text not in EXPRESSION_WORDS:
            return self._call()
        if token.text in ("%STARTSWITH", "%INLIST"):
            self._predicate()
            return None
        if token.text in EXPRESSION_WORDS:
            self._out.append(self._take().text)
            return None
        if token.text == "%ID":  # GSQL_tables
            self._at += 1
            self._out.append("rowid")
            return "integer"
        if token.text == "DISTINCT" and self._tokens[self._at - 1].text == "(":  # in COUNT(DISTINCT x)
            self._out.append(self._take().text)
            return None
        return self._column()

    def _predicate(self) -> None:
        before = self._tokens[self._at - 1].text
        if self._takes("%STARTSWITH"):  # RSQL_startswith
            self._out.append("MATCH" if self._catalogue.is_exact(before) else "REGEXP")
            return
        self._expect("%INLIST")  # RSQL_inlist; the list is read once and searched by hash
        self._expect("$LISTFROMSTRING")
        self._expect("(")
        self._out += ["IN (", "SELECT", "value", "FROM", "json_each", "(", "iris_list", "("]
        self._expression(stops=(",",))
        self._expect(",")
        self._out.append(",")
        self._expression()
        self._expect(")")
        self._out += [")", ")", ")"]

    def _column(self) -> str:
        name, source = self._identifier(), None
        self._out.append(f"[{name}]")
        if self._takes("."):
            self._out.append(".")
            if self._copies("*"):
                return "text"
            source, name = name, self._identifier()
            self._out.append(f"[{name}]")
        self._folding += self._folds(source, name)
        return self._catalogue.kind(name) or self.named.get(name.upper(), "text")

    # Calls

    def _call(self) -> str:
        name = self._take().text
        self._expect("(")
        match name:
            case "TO_VECTOR":
                return self._to_vector()
            case "CAST":
                return self._cast()
            case "%EXACT":
                self._out.append("(")
                before = self._folding
                kind = self._expression()
                self._folding = before
                self._expect(")")
                self._out += ["COLLATE", "BINARY", ")"]
                return kind
            case _:
                return self._function(name)

    def _to_vector(self) -> str:
        self._out += ["iris_to_vector", "("]
        self._expression(stops=(",",))
        self._expect(",")
        token = self._take()
        if token.kind != "word" or token.text not in VECTOR_TYPES:
            raise SqlError(-1, "TO_VECTOR wants its type as a bare word: TO_VECTOR(?, DOUBLE)")
        if not self._takes(")"):
            raise SqlError(-1, "TO_VECTOR with a length is not known here: it pads or cuts without a word")
        self._out.append(")")
        return "text"

    def _cast(self) -> str:
        self._out += ["CAST", "("]
        self._expression(stops=("AS",))
        self._expect("AS")
        token = self._take()
        if token.text not in CAST_TYPES:
            raise SqlError(-1, f"CAST to {token.raw} is not known here")
        size = ""
        if self._takes("("):
            size = f"({self._take().raw})"
            self._expect(")")
        self._expect(")")
        kind = "text" if token.text in ("VARCHAR", "CHAR") else "double" if token.text == "DOUBLE" else "integer"
        self._out += ["AS", {"text": "TEXT", "double": "REAL", "integer": "INTEGER"}[kind] + size, ")"]
        return kind

    def _function(self, name: str) -> str:
        function = FUNCTIONS.get(name)
        if function is None:
            raise SqlError(-359, f"{name} is not on this server's list of documented functions")
        self._out += [function.sqlite_name or name, "("]
        kinds = ["integer"] if name == "COUNT" and self._copies("*") else self._arguments(name, function)
        self._expect(")")
        self._out.append(")")
        return _common_kind(kinds) if function.kind == "same" else function.kind

    def _arguments(self, name: str, function: Function) -> list[str]:
        if name in AGGREGATES:
            self._copies("DISTINCT")
        start, before = len(self._out), self._folding
        kinds = [self._expression(stops=(",",))]
        if name in ("MAX", "MIN"):
            self._fold(start, before, kinds[0])
        while self._copies(","):
            kinds.append(self._expression(stops=(",",)))
        if not function.min_arguments <= len(kinds) <= function.max_arguments:
            raise SqlError(-1, f"{name} with {len(kinds)} arguments; see {function.page}")
        return kinds


def _common_kind(kinds: Sequence[str]) -> str:
    for kind in ("text", "double"):
        if kind in kinds:
            return kind
    return "integer" if kinds else "text"
