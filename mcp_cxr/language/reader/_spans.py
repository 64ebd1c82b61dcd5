"""Divides tokens into spans: findings, structures, cues, modifiers and single other tokens."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from mcp_cxr.language._vocabulary import (
    SIDES,
    STOP_WORDS,
    Cue,
    FindingEntry,
    Modifier,
    Phrases,
    Structure,
    cues,
    dimensions,
    findings,
    modifiers,
    phrases_without_finding,
    stem,
    structures,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

SEPARATORS = frozenset({",", ";", ":", "or", "and", "nor", "plus", "versus", "vs"})
"""Tokens between the phrases of a list."""
ALTERNATIVES = frozenset({"or", "versus", "vs"})
VERBS = frozenset("is are was were has have had appears appear remains remain persists persist".split())
"""Verbs that say something of the finding or structure before them."""
PLURAL_VERBS = frozenset("are were remain have appear continue persist".split())
"""Verbs of several findings: "effusion and edema are unchanged"."""
LONGEST_LIST = 8
"""The most spans or words between the first and the last phrase of a list."""
_TWO_WORDS = 2

_START = attrgetter("start")

Entry: TypeAlias = "FindingEntry | Structure | Cue | Modifier | None"


class Span(NamedTuple):
    """The tokens of a finding, structure, cue or modifier, or a single other token."""

    start: int
    end: int
    entry: Entry
    first: str
    """Its first token."""

    @property
    def is_separator(self) -> bool:
        """Whether it divides the phrases of a list."""
        return self.first in SEPARATORS

    @property
    def dimension(self) -> str | None:
        """The dimension of a modifier, such as `side`."""
        return dimensions()[self.entry.values[0]] if isinstance(self.entry, Modifier) else None

    def is_cue(self, *statuses: str) -> bool:
        """Whether it is a cue for one of some statuses."""
        return isinstance(self.entry, Cue) and self.entry.status in statuses


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence or query with its tokens."""

    tokens: Sequence[str]
    stems: Sequence[str]
    """Of each token."""
    spans: Sequence[Span]
    is_query: bool

    def words(self, span: Span) -> Sequence[str]:
        """Return the tokens of a span."""
        return self.tokens[span.start : span.end]

    def span_at(self, token: int) -> int:
        """Return the index of the span that holds a token."""
        return bisect_right(self.spans, token, key=_START) - 1

    def first_from(self, token: int) -> int:
        """Return the index of the first span that begins at a token or after it."""
        return bisect_left(self.spans, token, key=_START)

    def stems_of(self, span: Span) -> tuple[str, ...]:
        """Return the stems of the words of a span, without stop words."""
        if span.end == span.start + 1:  # nearly all
            return (self.stems[span.start],) if span.first not in STOP_WORDS and span.first.isalnum() else ()
        return tuple(
            self.stems[at]
            for at in range(span.start, span.end)
            if self.tokens[at] not in STOP_WORDS and self.tokens[at].isalnum()
        )


def divided(tokens: Sequence[str], *, is_query: bool) -> Sentence:
    """Return tokens divided into spans: at each the longest phrase of a table."""
    stems = [stem(token) for token in tokens]
    spans: list[Span] = []
    start = 0
    while start < len(tokens):
        length, entry = _longest_at(tokens, stems, start, is_query=is_query) or (1, None)
        spans.append(Span(start, start + length, entry, tokens[start]))
        start += length
    return Sentence(tokens, stems, spans, is_query)


def _is_rather_stated(named: tuple[int, Entry], stated: tuple[int, Entry], *, is_query: bool) -> bool:
    """Whether a phrase that names a structure is rather a modifier: "marked", which has the stem of "markings", is.

    In a query, "right lung" is the side of a finding.
    """
    if named[0] != stated[0] or not isinstance(named[1], Structure) or not isinstance(stated[1], Modifier):
        return False
    is_side = {*SIDES}.issuperset(stated[1].values)
    return (is_query and is_side) or dimensions()[stated[1].values[0]] == "size"


def _longest_at(tokens: Sequence[str], stems: Sequence[str], start: int, *, is_query: bool) -> tuple[int, Entry] | None:
    """Return the longest phrase of a table at a token; of equally long ones the name, then the cue."""
    if not _begins_a_phrase(tokens[start]):
        return _elliptic_at(tokens, stems, start)
    named = _names().longest_at(stems, start)
    stated = _cues_and_modifiers().longest_at(tokens, start) or _plural_modifier(tokens[start])
    if stated and (named is None or stated[0] > named[0] or _is_rather_stated(named, stated, is_query=is_query)):
        named = stated
    if named and (named[0] > 1 or (isinstance(named[1], FindingEntry) and named[1].kind == "finding")):
        return named
    return _elliptic_at(tokens, stems, start) or named


@lru_cache(maxsize=65_536)
def _begins_a_phrase(token: str) -> bool:
    """Whether a phrase of a table may begin with a token."""
    return _names().has_first(stem(token)) or _cues_and_modifiers().has_first(token) or bool(_plural_modifier(token))


@cache
def _names() -> Phrases[Entry]:
    """Return the names of findings and structures, and the phrases that hold one and name none, as stems."""
    return Phrases(
        chain[tuple[tuple[str, ...], Entry]](
            phrases_without_finding().items(), findings().items(), structures().items()
        )
    )


@cache
def _cues_and_modifiers() -> Phrases[Entry]:
    """Return the cues and modifiers, as unstemmed tokens."""
    return Phrases(chain[tuple[tuple[str, ...], Entry]](cues().items(), modifiers().items()))


def _elliptic_at(tokens: Sequence[str], stems: Sequence[str], start: int) -> tuple[int, FindingEntry] | None:
    """Return the finding that a word names with the head of a list ("endotracheal and nasogastric tubes")."""
    if start + 1 >= len(tokens) or tokens[start + 1] not in (",", "and", "or") or not tokens[start].isalpha():
        return None
    for at in range(start + 2, min(start + LONGEST_LIST, len(tokens))):
        found = findings().longest_at(stems, at)
        if found and found[0] > 1:
            named = findings().longest_at([stems[start], stems[at + found[0] - 1]], 0)
            return (1, named[1]) if named and named[0] == _TWO_WORDS and named[1] != found[1] else None
        if tokens[at] in ("a", "an", "the") or (not tokens[at].isalpha() and tokens[at] != ","):
            return None
    return None


def modifier_at(tokens: Sequence[str], start: int) -> tuple[int, Modifier] | None:
    """Return the longest modifier at a token, also in the plural: its number of tokens, and what it states."""
    return modifiers().longest_at(tokens, start) or _plural_modifier(tokens[start])


def _plural_modifier(token: str) -> tuple[int, Modifier] | None:
    """Return the modifier of which a token is the plural ("bases", "ribs")."""
    return modifiers().longest_at([token[:-1]], 0) if token.endswith("s") else None
