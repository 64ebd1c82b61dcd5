"""Writes CSV in which no spreadsheet finds a formula. Nothing else in the package writes CSV; a test holds that."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from _typeshed import SupportsWrite

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_SEPARATORS = re.compile(r"([;|\t\r\n]+)")  # at which a spreadsheet with other settings divides a cell
_CONTROLS = ("\t", "\r", "\n")
_SIGNS = frozenset("=+-@\u2212")  # and U+2212 MINUS SIGN
_BLANK_KINDS = frozenset(("Cc", "Cf", "Zl", "Zp", "Zs"))
_QUOTE_KINDS = frozenset(("Pi", "Pf"))
_QUOTES = frozenset("'\"`\u201a\u201e")


class CsvWriter:
    """Writes rows to a text file.

    A text that a spreadsheet may compute gets an apostrophe before it: one that begins, after blanks and quotes, with a
    sign of a formula in any of its forms, and is no plain number.

    Args:
        file: Opened with `newline=""`.
        columns: Names of the columns; written at once.
    """

    def __init__(self, file: SupportsWrite[str], columns: Sequence[str]) -> None:
        self._writer = csv.writer(file)  # ends lines with CR LF: with LF alone it would not quote a CR
        self.write(columns)

    def write(self, row: Iterable[object]) -> None:
        """Write one row: numbers as they are, None as an empty cell, anything else as text."""
        self._writer.writerow(map(_cell, row))


def csv_text(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a whole table as CSV."""
    text = io.StringIO(newline="")
    writer = CsvWriter(text, columns)
    for row in rows:
        writer.write(row)
    return text.getvalue()


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    if _NUMBER.fullmatch(text):
        return text
    first, *others = _SEPARATORS.split(text)
    disarmed = "".join(part if _SEPARATORS.match(part) else _disarmed(part) for part in others)
    return ("'" if text.startswith(_CONTROLS) else "") + _disarmed(first) + disarmed


def _disarmed(text: str) -> str:
    """Return a text with an apostrophe before it if it begins with a sign of a formula, blanks and quotes aside."""
    for char in text:
        if unicodedata.normalize("NFKC", char)[:1] in _SIGNS:
            return f"'{text}"
        if not (char in _QUOTES or unicodedata.category(char) in _BLANK_KINDS | _QUOTE_KINDS):
            break
    return text
