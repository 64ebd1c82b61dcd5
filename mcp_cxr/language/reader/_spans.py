"""Divides a sentence into spans: findings, structures, cues, modifiers and single other tokens."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import chain, pairwise, takewhile
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from mcp_cxr.language._vocabulary import (
    SIDES,
    STOP_WORDS,
    TOKEN,
    Cue,
    FindingEntry,
    Modifier,
    Phrases,
    Structure,
    cues,
    dimensions,
    findings,
    modifiers,
    normalize,
    phrases_without_finding,
    stem,
    structures,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

SEPARATORS = frozenset({",", ";", ":", "or", "and", "nor", "plus", "versus", "vs"})
"""Tokens between the phrases of a list."""
ALTERNATIVES = frozenset({"or", "versus", "vs"})
_IN_FULL = {"extubation": "removal of endotracheal tube", "extubated": "endotracheal tube removed"}
_ASKED = re.compile(r"(?<!\S)\?[ \t]*(?=\w)")  # "left basal shadow ?pneumonia"
VERBS = frozenset("is are was were has have had appears appear remains remain persists persist".split())
"""Verbs that say something of the finding or structure before them."""
PLURAL_VERBS = frozenset("are were remain have appear continue persist".split())
_SINGULAR_VERBS = frozenset({"is", "has", "appears", "remains", "measures"})
_BEFORE_SUBJECTS = frozenset({",", ";", "and", "but", "while", "whereas", "though", "although"})
_BEFORE_DENIED_SIDE = frozenset({",", "but", "and", "no", "not", "the"})
_BEFORE_VERBS = frozenset({"and", "but", ",", "while", "yet"})
_NORMAL = frozenset({"clear", "normal", "unremarkable", "sharp", "free"})
_LONGEST_LIST, _TWO_WORDS = 8, 2
_MOST_INTERRUPTED = 3  # names of a sentence
_LEVELS = frozenset({"upper", "middle", "mid", "lower"})
_BEFORE_LEVELS = frozenset({",", "and", "or", "to", "the", "both", "bilateral", *SIDES})
_OF_LEVELS = frozenset({"lobe", "lobes", "lung", "lungs", "zone", "zones", "field", "fields"})

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


def divide_sentence(text: str, *, is_query: bool) -> Sentence:
    """Return a sentence divided into spans: at each token the longest phrase of a table."""
    words = _ASKED.sub("query ", normalize(text))
    if "extubat" in words and not is_query:
        for short, full in _IN_FULL.items():
            words = words.replace(short, full)
    sentence = _divided(_with_whole_places(TOKEN.findall(words)), is_query=is_query)
    for _ in range(_MOST_INTERRUPTED):
        joined = _with_whole_names(sentence)
        if joined is None:
            break
        sentence = _divided(joined, is_query=is_query)
    if not is_query and not {"one", "left", "right"}.isdisjoint(sentence.tokens):
        for name in (_with_ones_named, _with_subjects_named):
            whole = name(sentence)
            sentence = _divided(whole, is_query=is_query) if whole != sentence.tokens else sentence
    for reorder in (_with_finding_of_side, _with_denied_side_last) if {*SIDES} <= {*sentence.tokens} else ():
        whole = reorder(sentence)
        sentence = _divided(whole, is_query=is_query) if whole is not sentence.tokens else sentence
    return sentence


def _divided(tokens: Sequence[str], *, is_query: bool) -> Sentence:
    stems = [stem(token) for token in tokens]
    spans: list[Span] = []
    start = 0
    while start < len(tokens):
        length, entry = _longest_at(tokens, stems, start, is_query=is_query) or (1, None)
        spans.append(Span(start, start + length, entry, tokens[start]))
        start += length
    return Sentence(tokens, stems, spans, is_query)


def _is_side_of_lung(named: tuple[int, Entry], stated: tuple[int, Entry]) -> bool:
    """Whether a phrase names a structure and states only its side: in a query "right lung" is the side of a finding."""
    return (
        named[0] == stated[0]
        and isinstance(named[1], Structure)
        and stated[1] in (Modifier(("left",)), Modifier(("right",)), Modifier(SIDES))
    )


def _longest_at(tokens: Sequence[str], stems: Sequence[str], start: int, *, is_query: bool) -> tuple[int, Entry] | None:
    """Return the longest phrase of a table at a token; of equally long ones the name, then the cue."""
    if not _begins_a_phrase(tokens[start]):
        return _elliptic_at(tokens, stems, start)
    named = _names().longest_at(stems, start)
    stated = _cues_and_modifiers().longest_at(tokens, start) or _plural_modifier(tokens[start])
    if stated and (named is None or stated[0] > named[0] or (is_query and _is_side_of_lung(named, stated))):
        named = stated
    if named and (named[0] > 1 or (isinstance(named[1], FindingEntry) and named[1].kind == "finding")):
        return named
    return _elliptic_at(tokens, stems, start) or named


@lru_cache(maxsize=65_536)
def _begins_a_phrase(token: str) -> bool:
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


def _with_whole_places(tokens: Sequence[str]) -> Sequence[str]:
    """Return the tokens of "right upper and left lower lobe" as "right upper lobe and left lower lobe"."""
    if _LEVELS.isdisjoint(tokens):  # nearly all
        return tokens
    whole: list[str] = []
    at = 0
    while at < len(tokens):
        ends = [at + 1]
        while tokens[at] in _LEVELS and (end := _end_of_level(tokens, ends[-1])):
            ends.append(end)
        noun = [*takewhile(_OF_LEVELS.__contains__, tokens[ends[-1] :])] if len(ends) > 1 else []
        if not noun:
            ends = ends[:1]
        for start, end in pairwise([at, *ends]):
            whole += [*tokens[start:end], *noun]
        at = ends[-1] + len(noun)
    return whole


def _end_of_level(tokens: Sequence[str], start: int) -> int | None:
    """Return where the next level of a list ends: "and left lower"; None if the list does not go on."""
    at = start
    while at < len(tokens) and tokens[at] in _BEFORE_LEVELS:
        at += 1
    return at + 1 if start < at < len(tokens) and tokens[at] in _LEVELS else None


def _with_whole_names(sentence: Sentence) -> Sequence[str] | None:
    """Return the tokens of "loculated right effusion" as "right loculated effusion"; None if no name is interrupted.

    A place, a size or a measure may interrupt it, too ("calcified 4 mm nodule").
    """
    tokens, stems, spans = sentence.tokens, sentence.stems, sentence.spans
    for index, span in enumerate(spans[:-2]):
        if span.end > span.start + 1 or isinstance(span.entry, Cue) or not _names().has_first(stems[span.start]):
            continue
        whole: tuple[int, Sequence[str]] | None = None
        for after in range(index + 1, min(index + _LONGEST_LIST, len(spans) - 1)):
            if not _interrupts(spans[after]):
                break
            rest = spans[after + 1].start
            named = findings().longest_at([stems[span.start], *stems[rest:]], 0)
            if named and named[0] > 1 and (whole is None or rest + named[0] > whole[0]):
                name = [*tokens[span.end : rest], *tokens[span.start : span.end], *tokens[rest:]]
                whole = rest + named[0], [*tokens[: span.start], *name]
        if whole:
            return whole[1]
    return None


def _interrupts(span: Span) -> bool:
    """Whether a span may stand within a name."""
    is_of_lung = span.first in ("pulmonary", "lung") or (
        isinstance(span.entry, Structure) and span.entry.name == "lungs"
    )
    return span.dimension in ("side", "place", "size") or _is_measure(span.first) or is_of_lung


def _is_measure(token: str) -> bool:
    return token.isdigit() or token in ("cm", "mm")


def _with_finding_of_side(sentence: Sentence) -> Sequence[str]:
    """Return the tokens of "no left, small right effusion" as those of "no left effusion, small right effusion"."""
    tokens, spans = sentence.tokens, sentence.spans
    for at in range(len(spans) - 5):
        denial, side, joined, size, other, finding = spans[at : at + 6]
        if (
            denial.is_cue("absent")
            and joined.first in (",", "and", "but")
            and isinstance(finding.entry, FindingEntry)
            and [one.dimension for one in (side, size, other)] == ["side", "size", "side"]
        ):
            return [*tokens[: side.end], *tokens[finding.start : finding.end], *tokens[side.end :]]
    return tokens


def _with_denied_side_last(sentence: Sentence) -> Sequence[str]:
    """Return the tokens of "left, but not the right, lung base is dense" as "left lung base is dense but not right".

    And those of "the left lung, but not the right, is dense" as "the left lung is dense but not right".
    """
    tokens, spans = sentence.tokens, sentence.spans
    for at, side in enumerate(spans):
        if side.first not in SIDES or not at or spans[at - 1].first not in _BEFORE_DENIED_SIDE:
            continue
        earlier = range(at - 1, max(-1, at - _LONGEST_LIST), -1)
        first = next((n for n in earlier if spans[n].first not in _BEFORE_DENIED_SIDE), -1)
        rest = at + 1 + (at + 1 < len(spans) and spans[at + 1].first == ",")
        if first < 0 or rest == len(spans) or {"no", "not"}.isdisjoint(tokens[spans[first].end : side.start]):
            continue
        is_named = spans[first].first in SIDES and _is_name_ahead(spans[rest : rest + _LONGEST_LIST])
        if is_named or spans[rest].first in VERBS:
            end = _end_of_statement(sentence, rest)
            return [
                *tokens[: spans[first].end],
                *tokens[spans[rest].start : end],
                "but",
                "not",
                side.first,
                *tokens[end:],
            ]
    return tokens


def _is_name_ahead(spans: Sequence[Span]) -> bool:
    """Whether a finding or structure follows after modifiers alone."""
    return any(map(_is_name, [span for span in spans if not isinstance(span.entry, Modifier)][:1]))


def _end_of_statement(sentence: Sentence, start: int) -> int:
    """Return the token at which the first finding from a span on ends, else what is said of a structure."""
    for span in sentence.spans[start:]:
        if isinstance(span.entry, FindingEntry):
            return span.end
        if span.is_separator or span.is_cue("end"):
            return span.start
    return len(sentence.tokens)


def _with_ones_named(sentence: Sentence) -> Sequence[str]:
    """Return the tokens of "no large effusion, but a small one" as those of "..., but a small effusion".

    And those of "right effusion is smaller, the left is larger" as those of "..., the left effusion is larger", and of
    "no effusion on the left, small on the right" as "..., small effusion on the right".
    """
    named: Sequence[str] = ()
    structure: Sequence[str] = ["lung"]
    tokens: list[str] = []
    spans = sentence.spans
    for at, span in enumerate(spans):
        words = sentence.words(span)
        named = words if isinstance(span.entry, FindingEntry) else named
        if isinstance(span.entry, Structure):
            structure = [word for word in words if word not in SIDES]
        before, after = spans[max(0, at - 2) : at], spans[at + 1 : at + 2]
        is_one = span.first == "one" and before and isinstance(before[-1].entry, Modifier)
        is_pronoun = span.first == "those" or [*sentence.tokens[max(0, span.start - 1) : span.end]] == ["the", "one"]
        is_one = is_one or (is_pronoun and any(one.dimension == "side" for one in spans[at + 1 : at + 4]))
        tokens += named if named and is_one else words
        if (
            named
            and span.dimension == "size"
            and _is_denied_before(spans, at)
            and _is_side_alone(spans[at + 1 : at + 5])
        ):
            tokens += named
        is_subject = [one.first for one in before[1:]] == ["the"] and before[0].first in _BEFORE_SUBJECTS
        if is_subject and words in (["left"], ["right"]) and after and after[0].first in _SINGULAR_VERBS:
            is_normal = not _NORMAL.isdisjoint(sentence.tokens[span.end : span.end + 3])
            tokens += structure if is_normal else named
    return tokens


def _with_subjects_named(sentence: Sentence) -> Sequence[str]:
    """Return the tokens of "effusion resolved on the right but persists on the left" with "but effusion persists"."""
    tokens: list[str] = []
    named: Sequence[str] = ()
    is_sided = False
    for at, span in enumerate(sentence.spans):
        words = sentence.words(span)
        if _is_name(span):
            named, is_sided = (words if isinstance(span.entry, FindingEntry) else ()), False
        is_sided = is_sided or span.dimension == "side"
        following = sentence.tokens[span.start + 1 : span.start + 2]
        if named and is_sided and span.first in _BEFORE_VERBS and not VERBS.isdisjoint(following):
            clause = sentence.spans[at + 1 : at + _LONGEST_LIST]
            if any(one.dimension == "side" for one in clause) and not any(map(_is_name, clause)):
                words = [words[0], *named, *words[1:]]
        tokens += words
    return tokens


def _is_name(span: Span) -> bool:
    return isinstance(span.entry, FindingEntry | Structure)


def _is_denied_before(spans: Sequence[Span], at: int) -> bool:
    """Whether a separator stands before a span, and before that a finding with a side, or a side, after a denial."""
    clause = spans[max(0, at - _LONGEST_LIST) : max(0, at - 1)]
    return spans[at - 1].first in (",", ";", "but") and any(one.is_cue("absent") for one in clause)


def _is_side_alone(following: Sequence[Span]) -> bool:
    """Whether a clause goes on and ends with a side: "on the right"."""
    rest = [one for one in following if one.first not in ("on", "in", "at", "the")]
    is_side = bool(rest) and rest[0].dimension == "side"
    return is_side and (len(rest) == 1 or rest[1].is_separator)


def _elliptic_at(tokens: Sequence[str], stems: Sequence[str], start: int) -> tuple[int, FindingEntry] | None:
    """Return the finding that a word names with the head of a list ("endotracheal and nasogastric tubes")."""
    if start + 1 >= len(tokens) or tokens[start + 1] not in (",", "and", "or") or not tokens[start].isalpha():
        return None
    for at in range(start + 2, min(start + _LONGEST_LIST, len(tokens))):
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
