"""Divides a sentence into spans, after its words are put as the tables have them: "loculated right effusion"."""

from __future__ import annotations

import re
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING

from mcp_cxr.language._vocabulary import SIDES, TOKEN, Cue, FindingEntry, Modifier, Structure, findings, normalize
from mcp_cxr.language.reader._misspellings import with_correct_spelling
from mcp_cxr.language.reader._report_wordings import with_marks, with_plain_words
from mcp_cxr.language.reader._spans import LONGEST_LIST, VERBS, divided

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_cxr.language.reader._spans import Sentence, Span

_QUESTION_MARK = re.compile(r"(?<!\S)\?[ \t]*(?=\w)")  # "left basal shadow ?pneumonia"
_SINGULAR_VERBS = frozenset({"is", "has", "appears", "remains", "persists", "measures"})
_PARTS_OF_FINDINGS = frozenset({"component", "portion"})
_BEFORE_SUBJECTS = frozenset({",", ";", "and", "but", "while", "whereas", "though", "although"})
"""Words before "the left" or "the right" where it is short for a finding: "..., the left is larger"."""
_BEFORE_DENIED_SIDE = frozenset({",", "but", "and", "no", "not", "the"})
"""Words before a side that is denied: "left, but not the right, effusion"."""
_BEFORE_VERBS = frozenset({"and", "but", ",", "while", "yet"})
"""Words before a verb whose subject was named earlier: "resolved on the right but persists on the left"."""
_NORMAL = frozenset({"clear", "normal", "unremarkable", "sharp", "free"})
"""What is said of a structure, not of a finding: in "the left is clear", the left lung."""
_MOST_INTERRUPTED = 3  # names of a sentence
_AMOUNTS_COMPARED = {"more": "worsened", "less": "improved"}
"""What says that there is another amount of a finding than before, with a word for the change."""
_BEFORE_NO_CHANGE = frozenset({"no", "not", "or", "than"})
"""Words before "more" and "less" where they state no change: "no more"."""
_LEVELS = frozenset({"upper", "middle", "mid", "lower"})
"""Levels of a lung, of which several may share a noun: "upper and lower lobes"."""
_BEFORE_LEVELS = frozenset({",", "and", "or", "to", "the", "both", "bilateral", *SIDES})
_OF_LEVELS = frozenset({"lobe", "lobes", "lung", "lungs", "zone", "zones", "field", "fields"})
"""The nouns that they share."""


def divide_sentence(text: str, *, is_query: bool) -> Sentence:
    """Return a sentence divided into spans: at each token the longest phrase of a table."""
    words = _QUESTION_MARK.sub("query ", normalize(text))
    # the words of a query are corrected before
    tokens = TOKEN.findall(words) if is_query else with_correct_spelling(TOKEN.findall(with_plain_words(words)))
    sentence = divided(_with_whole_places(tokens), is_query=is_query)
    for _ in range(_MOST_INTERRUPTED):
        joined = _with_whole_names(sentence)
        if joined is None:
            break
        sentence = divided(joined, is_query=is_query)
    if not is_query and (marked := with_marks(sentence)) is not sentence.tokens:
        sentence = divided(marked, is_query=is_query)
    if not is_query and not _AMOUNTS_COMPARED.keys().isdisjoint(tokens):
        sentence = divided(_with_changes_named(sentence), is_query=is_query)
    if not is_query and not {"one", "left", "right", *_PARTS_OF_FINDINGS}.isdisjoint(sentence.tokens):
        for name in (_with_ones_named, _with_subjects_named):
            whole = name(sentence)
            sentence = divided(whole, is_query=is_query) if whole != sentence.tokens else sentence
    for reorder in (_with_finding_of_side, _with_denied_side_last) if {*SIDES} <= {*sentence.tokens} else ():
        whole = reorder(sentence)
        sentence = divided(whole, is_query=is_query) if whole is not sentence.tokens else sentence
    return sentence


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
        if span.end > span.start + 1 or isinstance(span.entry, Cue) or not findings().has_first(stems[span.start]):
            continue
        whole: tuple[int, Sequence[str]] | None = None
        for after in range(index + 1, min(index + LONGEST_LIST, len(spans) - 1)):
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
        earlier = range(at - 1, max(-1, at - LONGEST_LIST), -1)
        first = next((n for n in earlier if spans[n].first not in _BEFORE_DENIED_SIDE), -1)
        rest = at + 1 + (at + 1 < len(spans) and spans[at + 1].first == ",")
        if first < 0 or rest == len(spans) or {"no", "not"}.isdisjoint(tokens[spans[first].end : side.start]):
            continue
        is_named = spans[first].first in SIDES and _is_name_ahead(spans[rest : rest + LONGEST_LIST])
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


def _with_changes_named(sentence: Sentence) -> Sequence[str]:
    """Return the tokens of "less left basal edema" as those of "improved left basal edema".

    "More effusion on the right than on the left" is no change, nor is "more edema than pneumonia".
    """
    tokens, spans = [*sentence.tokens], sentence.spans
    for at, span in enumerate(spans):
        if span.first not in _AMOUNTS_COMPARED or span.entry or (at and spans[at - 1].first in _BEFORE_NO_CHANGE):
            continue
        located = takewhile(lambda one: one.dimension in ("side", "place"), spans[at + 1 :])
        named = at + 1 + len([*located])
        if named < len(spans) and _is_name(spans[named]) and not _is_compared_within(spans[named + 1 :]):
            tokens[span.start] = _AMOUNTS_COMPARED[span.first]
    return tokens


def _is_compared_within(following: Sequence[Span]) -> bool:
    """Whether "than" is followed by a side or a finding of the same study."""
    compared = next((at for at, span in enumerate(following) if span.first == "than"), len(following))
    rest = [span for span in following[compared + 1 :] if span.first not in ("on", "in", "at", "the", "of")]
    return any(span.dimension == "side" or isinstance(span.entry, FindingEntry) for span in rest[:1])


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
    is_located = False
    tokens: list[str] = []
    spans = sentence.spans
    for at, span in enumerate(spans):
        words = sentence.words(span)
        named = words if isinstance(span.entry, FindingEntry) else named
        if isinstance(span.entry, Structure):
            structure = [word for word in words if word not in SIDES]
        is_located = is_located or isinstance(span.entry, Structure)
        before, following = spans[max(0, at - 2) : at], sentence.tokens[span.end : span.end + 1]
        is_said = not _SINGULAR_VERBS.isdisjoint(following)
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
        if span.first in _PARTS_OF_FINDINGS and named and is_said and isinstance(before[-1].entry, Modifier):
            tokens[-1:] = named  # "no longer at the apex, but the basal component persists"
        if words in (["left"], ["right"]) and is_said and _is_subject_alone(sentence.tokens[: span.start]):
            is_normal = not _NORMAL.isdisjoint(sentence.tokens[span.end : span.end + 3])
            tokens += structure if is_normal or (not named and is_located) else named
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
            clause = sentence.spans[at + 1 : at + LONGEST_LIST]
            if any(one.dimension == "side" for one in clause) and not any(map(_is_name, clause)):
                words = [words[0], *named, *words[1:]]
        tokens += words
    return tokens


def _is_subject_alone(before: Sequence[str]) -> bool:
    """Whether "left" or "right" behind some tokens is short for a finding: "..., the left is larger"."""
    if before[-1:] == ["the"]:
        return not _BEFORE_SUBJECTS.isdisjoint(before[-2:-1])
    return not {",", ";"}.isdisjoint(before[-1:])


def _is_name(span: Span) -> bool:
    return isinstance(span.entry, FindingEntry | Structure)


def _is_denied_before(spans: Sequence[Span], at: int) -> bool:
    """Whether a separator stands before a span, and before that a finding with a side, or a side, after a denial."""
    clause = spans[max(0, at - LONGEST_LIST) : max(0, at - 1)]
    return spans[at - 1].first in (",", ";", "but") and any(one.is_cue("absent") for one in clause)


def _is_side_alone(following: Sequence[Span]) -> bool:
    """Whether a clause goes on and ends with a side: "on the right"."""
    rest = [one for one in following if one.first not in ("on", "in", "at", "the")]
    is_side = bool(rest) and rest[0].dimension == "side"
    return is_side and (len(rest) == 1 or rest[1].is_separator)
