"""Removes hidden characters from text that others wrote, so that a person and a model read the same."""

from __future__ import annotations

import unicodedata
from typing import Any, cast

_KEPT = "\t\n"
# Invisible, but not of category Cf (Unicode, Default_Ignorable_Code_Point); and U+2800, a blank that is no space.
_INVISIBLE = frozenset(
    chr(code)
    for first, last in (
        (0x034F, 0x034F),
        (0x115F, 0x1160),
        (0x17B4, 0x17B5),
        (0x180B, 0x180F),
        (0x2800, 0x2800),
        (0x3164, 0x3164),
        (0xFE00, 0xFE0F),
        (0xFFA0, 0xFFA0),
        (0xE0000, 0xE0FFF),
    )
    for code in range(first, last + 1)
)
_BY_CATEGORY = {"Cc": "", "Cf": "", "Cs": "\ufffd", "Co": "\ufffd", "Cn": "\ufffd", "Zl": " ", "Zp": " "}


class _Table(dict[int, str]):
    """The replacement of each character, computed once."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        shown = "" if char in _INVISIBLE else _BY_CATEGORY.get(unicodedata.category(char), char)
        self[code] = char if char in _KEPT else shown
        return self[code]


_TABLE = _Table()


def sanitize_text(text: str) -> str:
    """Return `text` without invisible characters, and without controls other than tab and line feed.

    Bidirectional overrides, zero-width characters, tags and variation selectors are removed: with them a person and a
    model would read different texts. Code points that are no characters become U+FFFD.
    """
    return text if text.isascii() and text.isprintable() else text.translate(_TABLE)


def sanitize_json(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return JSON data with every text in it sanitized, keys included."""
    match value:
        case str():
            return sanitize_text(value)
        case dict():
            return {sanitize_json(name): sanitize_json(each) for name, each in cast("dict[Any, Any]", value).items()}
        case list() | tuple():
            return [sanitize_json(each) for each in cast("list[Any]", value)]
        case _:
            return value
