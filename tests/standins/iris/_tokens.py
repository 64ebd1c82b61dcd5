"""Statement text to tokens. The driver has already taken the literals out of everything but DDL."""

from __future__ import annotations

import re
from typing import NamedTuple

from tests.standins.iris._errors import SqlError

_TOKEN = re.compile(
    r"""(?P<space>\s+|/\*.*?\*/)
      | :%qpar\((?P<parameter>\d+)\)
      | "(?P<quoted>(?:[^"]|"")+)"
      | '(?P<string>(?:[^']|'')*)'
      | (?P<number>\d+(?:\.\d+)?)
      | (?P<word>[%$A-Za-z_][A-Za-z0-9_]*)
      | (?P<operator><>|<=|>=|!=|\|\||[=<>+\-*/(),.\#])""",
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """`kind` is the group's name; `text` a word in capitals, `raw` as it was written."""

    kind: str
    text: str
    raw: str


END = Token("end", "", "")


def tokens(statement: str) -> list[Token]:
    """Split a statement.

    Raises:
        SqlError: A character that begins no token.
    """
    found: list[Token] = []
    at = 0
    while at < len(statement):
        match = _TOKEN.match(statement, at)
        if match is None:
            raise SqlError(-25 if statement[at] == ";" else -1, f"no token begins with {statement[at]!r}")
        at = match.end()
        kind = str(match.lastgroup)
        if kind != "space":
            raw = match[kind]
            found.append(Token(kind, raw.upper() if kind == "word" else raw, raw))
    return found
