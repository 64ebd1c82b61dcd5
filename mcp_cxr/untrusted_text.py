"""Makes text that others wrote harmless: removes hidden characters, which a person would not see, and markup."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, cast

_KEPT_CONTROLS = "\t\n"
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
# HTML, `<|im_start|>`, `</s>`, `<<SYS>>`, `<0x0A>`; not `<5 mm`.
_TAG = re.compile(r"[<\uff1c](?=[A-Za-z/!?|<\uff1c\uff5c]|0x)")
# `[INST]`, `[/TOOL_CALLS]`, `[gMASK]`, `[|user|]`.
_TOKEN = re.compile(r"\[(/?[A-Za-z_ ]{0,24}[A-Z]{3,24}[A-Za-z_ ]{0,24}|\|[^\]\n]{0,48})\]")
# `](` of a link, `][` of one with a reference, `![` of an image.
_LINK = re.compile(r"\](?=[(\[])|!(?=\[)")
_ROLES = "system|assistant|user|human|ai|developer"
_TURN = re.compile(rf"^([ \t>]*)(?:#+ *)?({_ROLES})(?: *message)?[ \t]*:", re.IGNORECASE | re.MULTILINE)
_TURN_IN_LINE = re.compile(r"\b((?i:user|assistant|human)|SYSTEM) ?:")
_PROMPT = re.compile(rf"^[ \t]*#+(?= *(?:instructions?|input|response|{_ROLES})\b)", re.IGNORECASE | re.MULTILINE)
_MARKS = "<\uff1c[:#"
"""One of these is in all markup."""


class _Table(dict[int, str]):
    """The replacement of each character, computed once."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        shown = "" if char in _INVISIBLE else _BY_CATEGORY.get(unicodedata.category(char), char)
        self[code] = char if char in _KEPT_CONTROLS else shown
        return self[code]


_TABLE = _Table()


def sanitize_text(text: str) -> str:
    """Return `text` without invisible characters, and without controls other than tab and line feed.

    Bidirectional overrides, zero-width characters, tags and variation selectors are removed: with them a person and a
    model would read different texts. Code points that are no characters become U+FFFD.
    """
    return text if text.isascii() and text.isprintable() else text.translate(_TABLE)


def disarm_markup(text: str) -> str:
    """Return `text` with Markdown links and images, HTML, and marks of chat templates changed so that they do nothing.

    They stay readable: `<` of a tag becomes U+2039, `![a](b)` becomes `! [a] (b)`, `[INST]` becomes `(INST)`, `User:`
    becomes `User -`. `<5 mm` stays. Idempotent. `text` must be sanitized.
    """
    if not any(mark in text for mark in _MARKS):
        return text
    text = _LINK.sub(r"\g<0> ", _TOKEN.sub(r"(\1)", _TAG.sub("\u2039", text)))
    return _TURN_IN_LINE.sub(r"\1 -", _TURN.sub(r"\1\2 -", _PROMPT.sub("", text)))


def sanitize_json(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return JSON data with every text in it sanitized and without markup, keys included."""
    match value:
        case str():
            return disarm_markup(sanitize_text(value))
        case dict():
            return {sanitize_json(name): sanitize_json(each) for name, each in cast("dict[Any, Any]", value).items()}
        case list() | tuple():
            return [sanitize_json(each) for each in cast("list[Any]", value)]
        case _:
            return value
