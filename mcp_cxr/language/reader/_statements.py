"""Divides a section's text into statements: its sentences, its numbered points, and its lines that stand alone.

A line that was wrapped goes on in the next one; a line that ended before it was full is a statement. Lines that name
findings below "no evidence of:" are each denied.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mcp_cxr.language._vocabulary import findings, stems_of
from mcp_cxr.language.reader._modifier_values import modifier_values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp_cxr.language._vocabulary import FindingEntry

_ABBREVIATIONS = "".join(
    rf"(?<!\b{re.escape(word)}\s)" for word in ("Dr.", "Mr.", "Ms.", "Mrs.", "vs.", "approx.", "e.g.", "i.e.", "St.")
)
_SENTENCE_END = re.compile(
    rf"\s(?:(?<=[.!]\s)(?<!\d\.\s){_ABBREVIATIONS}\s*(?=\S)(?!(?<=\bNo\.\s)\d)|(?<=\w\?\s)\s*(?=[A-Z0-9_])|(?<=\d\.\s)\s*(?=[A-Z][a-z]))"
)
"""Begins with the blank, which is found fast; what must stand before it is looked at then."""
_POINT = re.compile(r"(?:(?<=^)|(?<=\s))\(?(\d{1,2})[.)]\s*(?=[A-Za-z_])")
"""The number of a point: "1. Effusion. 2. Edema."."""
_BULLET = re.compile(r"^\s*(?:[-*\u2022\u00b7]|\(?\d{1,2}[.)])\s+")
"""The bullet or number at the beginning of a line."""
_LONGEST_STATEMENT = 2_000  # characters
_LONGEST_ANSWER = 8  # words and marks
_NARROWEST = 60  # characters: no report is wrapped at less
_NARROWEST_BY_HAND, _UNEVEN = 50, 10  # characters: a report whose lines were ended by hand, and by how much they differ
_DENYING = re.compile(r"(?:there (?:is|are) )?(?:no|without|negative for)\b", re.IGNORECASE)
"""The beginning of a denied list: "no effusion"."""
_DENIAL_ALONE = re.compile(
    r"(?:there (?:is|are) )?"
    r"(?:(?:no|without)(?: (?:definite |radiographic )?(?:evidence|signs?))?(?: (?:of|for))?(?: any)?|negative for"
    r"|(?:(?:the )?lungs? (?:is|are) )?(?:free|clear) of|none of the following|absence of|absent|denied)\s*[:.]*",
    re.IGNORECASE,
)
"""A denial of what lines below it name."""
_DENIED_TOGETHER = (
    "Atelectasis",
    "Consolidation",
    "Edema",
    "Lung Opacity",
    "Pleural Effusion",
    "Pneumonia",
    "Pneumothorax",
)
"""Labels of the findings that reports deny in lists."""
_GOING_ON = frozenset(
    "a an and are as at be been but by due for from has have in into is may no nor not of on or over than that the to"
    " was were which while with within without".split()
)
"""Words before or after which a sentence goes on in the next line."""


def statements(text: str) -> list[str]:
    """Return the statements of a section's text: its sentences, its points, and its lines that stand alone."""
    found: list[str] = []
    for block in blocks(text):
        for point in _points(block):
            for sentence in _SENTENCE_END.split(point):
                parts = [part.strip() for part in _divided(sentence) if part.strip(" \t\n.")]
                if found and parts and _is_answer(parts[0], found[-1]):
                    found[-1] = f"{found[-1]} {parts.pop(0)}"
                found += parts
    return found


def _is_answer(sentence: str, before: str) -> bool:
    """Whether a sentence answers what a template asks, in a few words that name nothing: "Small, bilateral."."""
    if not before.endswith("?") or _finding_named(before.rstrip("?")) is None:
        return False
    stems = stems_of(sentence.rstrip("."))
    return 0 < len(stems) <= _LONGEST_ANSWER and not any(findings().longest_at(stems, at) for at in range(len(stems)))


def _divided(sentence: str) -> Iterator[str]:
    """Yield parts of at most 2,000 characters: modifiers are attached in a time that grows with their square."""
    start = 0
    while len(sentence) - start > _LONGEST_STATEMENT:
        end = sentence.rfind(" ", start + 1, start + _LONGEST_STATEMENT)
        end = end if end > 0 else start + _LONGEST_STATEMENT
        yield sentence[start:end]
        start = end
    yield sentence[start:]


def _points(block: str) -> Iterator[str]:
    """Yield the numbered points of a line ("1. Effusion. 2. Edema."), without their numbers."""
    cuts: list[re.Match[str]] = []
    for match in _POINT.finditer(block):
        if int(match[1]) == len(cuts) + 1 and (cuts or match.start() <= 1):
            cuts.append(match)
    start = 0
    for cut in cuts:
        yield block[start : cut.start()]
        start = cut.end()
    yield block[start:]


def blocks(text: str) -> Iterator[str]:
    """Yield the text with wrapped lines joined; a line that was ended before it was full stands alone.

    Lines that only name findings below "no evidence of" are statements with these words.
    """
    lines = [line.rstrip() for line in text.split("\n")]
    longest = max(map(len, lines))
    block = previous = denial = ""
    for line in lines:
        item = line.strip() if line.strip()[:1].isdigit() else _BULLET.sub("", line).strip()
        if _DENIAL_ALONE.fullmatch(block):
            denial, block = block.rstrip(" :."), ""
        if not line.strip():
            yield from filter(None, [block])
            block = denial = ""
        elif denial and _finding_named(item):
            yield from filter(None, [block])
            block = f"{denial} {item}"
        elif denial and not block:
            block, denial = f"{denial} {item}", ""
        elif block and (_BULLET.match(line) or _is_ended(block, previous, item, longest)):
            yield block
            block, denial = item, ""
        else:
            block = f"{block} {item}".strip()
        previous = line
    yield from filter(None, [block])


def _is_ended(block: str, line: str, item: str, longest: int) -> bool:
    """Whether a text ended with its last line, so that the next one is a statement of its own."""
    return _was_ended(line, item.split(maxsplit=1)[0], longest) and not _is_denied_item(block, line, item)


def _was_ended(line: str, following: str, longest: int) -> bool:
    """Whether a line ended although the next word would have fitted, and that word may begin a statement.

    Args:
        line: The line.
        following: The first word of the next one.
        longest: Characters of the longest line of the text.
    """
    room = max(_NARROWEST, longest) - len(line) - 1 - len(following)
    if following[:1].isupper() or following[:1] == "_":
        return room > 0 and not line.endswith((",", ":"))
    if line.endswith((".", ";")):
        return room > 0
    is_cut = "__" in line or line.endswith((",", ":", "-", "/"))  # a removed word made the line shorter
    last = line.rsplit(maxsplit=1)[-1].lower()
    goes_on = is_cut or not _GOING_ON.isdisjoint((following, last)) or bool(modifier_values(last))
    goes_on = goes_on or _finding_named(f"{last} {following}") is not None
    return not goes_on and max(_NARROWEST_BY_HAND, longest) - len(line) - len(following) > _UNEVEN


def _is_denied_item(block: str, line: str, item: str) -> bool:
    """Whether a line only names what the lines before it deny, too: "no effusion", then "edema", not "kyphosis"."""
    if not _DENYING.match(block) or block.endswith((".", ";")):
        return False
    before = _finding_named(_DENYING.sub("", line))
    named = _finding_named(item)
    return all(one is not None and one.label in _DENIED_TOGETHER for one in (before, named))


def _finding_named(words: str) -> FindingEntry | None:
    """Return the finding that words name, if they name nothing else: "pleural effusion"."""
    stems = stems_of(words)
    found = findings().longest_at(stems, 0) if stems else None
    return found[1] if found is not None and found[0] == len(stems) else None
