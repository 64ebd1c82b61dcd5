"""Expressions over the codes that people gave to a study, such as `Cardiomegaly & !Pleural Effusion[left & small]`.

A code is a head with qualifiers, `Pleural Effusion/left/small`. `Head` is true for a study with a code of that head;
`Head[a & b]` if one code of that head has both qualifiers. `&`, `|`, `!` and parentheses work in both places; `!` binds
before `&`, `&` before `|`. The qualifier `bilateral` serves `left` and `right`. Case and outer spaces do not count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Expression: TypeAlias = "Callable[[Sequence[Code]], bool]"
    _Condition: TypeAlias = "Callable[[frozenset[str]], bool]"
    _Predicate: TypeAlias = Callable[[Any], bool]

_TOKEN = re.compile(r"[()\[\]&|!]|[^()\[\]&|!]+")


class ExpressionError(ValueError):
    """An expression cannot be parsed."""


@dataclass(frozen=True)
class Code:
    """One code of a study: `Pleural Effusion/left/small`."""

    head: str
    qualifiers: frozenset[str]

    @classmethod
    def parse(cls, text: str) -> Code:
        """Return the code in lower case; `bilateral` adds `left` and `right`."""
        head, *rest = (_name(part) for part in text.split("/"))
        sides = {"left", "right"} if "bilateral" in rest else set[str]()
        return cls(head, frozenset(sides.union(rest)))


def parse_expression(text: str) -> Expression:
    """Return a predicate over a study's codes.

    Raises:
        ExpressionError: The text is empty or not well formed.
    """
    return _Parser(text).parse()


def _name(text: str) -> str:
    return " ".join(text.lower().split())


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [token.strip() for token in _TOKEN.findall(text) if token.strip()]
        self._at = 0

    def parse(self) -> Expression:
        found = self._either(self._head)
        if self._at < len(self._tokens):
            raise self._error()
        return found

    def _either(self, leaf: Callable[[], _Predicate]) -> _Predicate:
        parts = [self._both(leaf)]
        while self._take("|"):
            parts.append(self._both(leaf))
        return parts[0] if len(parts) == 1 else lambda subject: any(part(subject) for part in parts)

    def _both(self, leaf: Callable[[], _Predicate]) -> _Predicate:
        parts = [self._one(leaf)]
        while self._take("&"):
            parts.append(self._one(leaf))
        return parts[0] if len(parts) == 1 else lambda subject: all(part(subject) for part in parts)

    def _one(self, leaf: Callable[[], _Predicate]) -> _Predicate:
        if self._take("!"):
            denied = self._one(leaf)
            return lambda subject: not denied(subject)
        if self._take("("):
            inner = self._either(leaf)
            self._need(")")
            return inner
        return leaf()

    def _head(self) -> Expression:
        name = self._take_name()
        if not self._take("["):
            return lambda codes: any(code.head == name for code in codes)
        condition = self._either(self._qualifier)
        self._need("]")
        return lambda codes: any(code.head == name and condition(code.qualifiers) for code in codes)

    def _qualifier(self) -> _Condition:
        name = self._take_name()
        return lambda qualifiers: name in qualifiers

    def _take_name(self) -> str:
        if self._at == len(self._tokens) or self._tokens[self._at] in "()[]&|!":
            raise self._error()
        self._at += 1
        return _name(self._tokens[self._at - 1])

    def _take(self, token: str) -> bool:
        taken = self._at < len(self._tokens) and self._tokens[self._at] == token
        self._at += taken
        return taken

    def _need(self, token: str) -> None:
        if not self._take(token):
            raise self._error()

    def _error(self) -> ExpressionError:
        where = self._tokens[self._at] if self._at < len(self._tokens) else "the end"
        return ExpressionError(f"Cannot read the expression {self._text!r} at {where}.")
