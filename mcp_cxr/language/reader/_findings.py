"""Finds the findings of a sentence: those that are named, and those that a predicate of a structure states."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, takewhile
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from mcp_cxr.language._vocabulary import (
    Cue,
    FindingEntry,
    Modifier,
    Predicate,
    Structure,
    ancestors,
    findings,
    predicates,
    stems_of,
    structures,
)
from mcp_cxr.language.reader._spans import VERBS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mcp_cxr.language.reader._spans import Sentence, Span

FoundPredicate: TypeAlias = "tuple[Predicate, frozenset[int]]"
"""A predicate that is stated of a structure, and its tokens."""
_MOST_BEHIND = 7  # tokens between a structure and what is said of it
_MOST_BEFORE = 8  # tokens before a structure in which what is said of it may begin
_MOST_BETWEEN = 3  # of these tokens that say something
_MOST_MODIFIERS = 6  # before a finding
_MOST_BEFORE_DEVICE = 4  # words between a fault and its device
_FAULTS = frozenset(
    "fracture fractures failure loosening complication complications malfunction migration displacement dislodgement"
    " discontinuity kink kinking breakage malposition".split()
)
"""What is wrong with a device that is there."""
_COPULAS = frozenset("is are appears appear remains remain which".split())
_FILLERS = frozenset("is are present seen noted again in within of the".split())
"""Words that may stand between a predicate and its structure."""


class FindingInSentence(NamedTuple):
    """A finding where it stands among the spans."""

    at: int
    """Index of its span."""
    entry: FindingEntry
    stated: str | None = None
    """The status that a predicate of a structure gives: present, possible or absent."""
    predicate: frozenset[int] = frozenset()
    """The tokens of the predicate."""
    is_with_fault: bool = False
    """Whether it is a device of which a fault is named ("no hardware fracture"), so that it is there."""


_BEFORE_PREDICATES = frozenset({"otherwise", "is", "are", "now", "remains", "remain", "still"})
_MOST_BEFORE_PREDICATE = 2  # words


def findings_in(sentence: Sentence) -> list[FindingInSentence]:
    """Return the findings that are named, and those that are said of a structure ("heart size is normal").

    A name that says something of a structure is the narrower finding: "calcified" is aortic calcification of an aorta.
    """
    said: list[FindingInSentence] = []
    named: list[tuple[int, Span, FindingEntry]] = []
    for at, span in enumerate(sentence.spans):
        if isinstance(span.entry, FindingEntry):
            named.append((at, span, span.entry))
            if not sentence.is_query and (structure := _structure_in_name(sentence, span)):
                said += _narrower_before(sentence, at, structure)
        elif isinstance(span.entry, Structure):
            said += _findings_by_predicates(sentence, at, span.entry)
    named = _with_calcified(sentence, named)
    taken = {token for one in said for token in one.predicate}
    found = [
        FindingInSentence(at, entry, is_with_fault=entry.kind == "device" and _has_fault(sentence.spans, at))
        for at, span, entry in named
        if span.start not in taken
        and not _is_repeated(sentence.spans, at, entry)
        and not (entry.name == "fracture" and _is_of_device(sentence, at))
    ]
    if not said:  # nearly all
        return found
    return sorted({(one.at, one.entry.name): one for one in [*found, *said]}.values(), key=attrgetter("at"))


def _with_calcified(
    sentence: Sentence, named: list[tuple[int, Span, FindingEntry]]
) -> list[tuple[int, Span, FindingEntry]]:
    """Return findings with "the nodule is calcified" as a calcified nodule."""
    if "calcified" not in sentence.tokens:
        return named
    whole: list[tuple[int, Span, FindingEntry]] = []
    for at, span, entry in named:
        if whole and sentence.words(span) == ["calcified"]:
            before, of_before, finding = whole[-1]
            narrower = findings().longest_at(stems_of(f"calcified {finding.name}"), 0)
            is_said = _is_said(sentence.spans[before + 1 : at])
            if narrower and is_said and finding.name in ancestors(narrower[1].name):
                whole[-1] = before, of_before, narrower[1]
                continue
        whole.append((at, span, entry))
    return whole


def _is_said(spans: Sequence[Span]) -> bool:
    """Whether spans between a finding and a word join it as a predicate: "in the left base is densely"."""
    is_doubted = any(isinstance(one.entry, Cue) and one.first != "which" for one in spans)
    return any(one.first in _COPULAS for one in spans) and not is_doubted and not any(one.is_separator for one in spans)


def _findings_by_predicates(sentence: Sentence, at: int, structure: Structure) -> Iterator[FindingInSentence]:
    """Yield the findings that are said of the structure at a span, by words that do not name another."""
    stated = _predicates_of(sentence, at, structure)
    cause = _named_cause(sentence, at) if stated else None
    for said, tokens in _foremost(stated) if sentence.is_query else stated:
        names = dict(_named_at(sentence, tokens))
        if said.finding != cause and all(one.name in ancestors(said.finding.name) for one in names.values()):
            if names and not sentence.is_query:
                yield FindingInSentence(min(names), said.finding, predicate=tokens)
            else:
                yield FindingInSentence(at, said.finding, said.status, tokens)


def _structure_in_name(sentence: Sentence, span: Span) -> Structure | None:
    """Return the structure with which the name of a finding ends: the aorta in "tortuous aorta"."""
    for start in range(span.start + 1, span.end):
        found = structures().longest_at(sentence.stems, start)
        if found and start + found[0] == span.end:
            return found[1]
    return None


def _narrower_before(sentence: Sentence, at: int, structure: Structure) -> Iterator[FindingInSentence]:
    """Yield what else is named of a structure before a finding of it: "calcified tortuous aorta"."""
    for said, tokens in _predicates_before(sentence, at, structure):
        names = dict(_named_at(sentence, tokens))
        if names and all(one.name in ancestors(said.finding.name) for one in names.values()):
            yield FindingInSentence(min(names), said.finding, predicate=tokens)


def _is_repeated(spans: Sequence[Span], at: int, entry: FindingEntry) -> bool:
    """Whether the next word names the finding again, or a neighbor a narrower one: "fusion hardware"."""
    before = spans[at - 1].entry if at else None
    after = spans[at + 1].entry if at + 1 < len(spans) else None
    if isinstance(after, FindingEntry) and (after == entry or entry.name in ancestors(after.name)):
        return True
    return isinstance(before, FindingEntry) and entry.name in ancestors(before.name)


def _has_fault(spans: Sequence[Span], at: int) -> bool:
    """Whether a fault of the device at a span is named: "no lead fracture", "no kinking of the tube"."""
    before = [one.first for one in spans[max(0, at - _MOST_BEFORE_DEVICE) : at]]
    return any(one.first in _FAULTS for one in spans[at + 1 : at + 2]) or any(
        fault in _FAULTS and of == "of" for fault, of in pairwise(before)
    )


def _is_of_device(sentence: Sentence, at: int) -> bool:
    """Whether what is broken is a device: "lead fracture", "fractured sternal wire", "fracture of the second lead"."""
    spans, word = sentence.spans, sentence.spans[at].first
    after = spans[at + 1 : at + 2] if word in ("fractured", "broken") else ()
    if [one.first for one in spans[at + 1 : at + 2]] == ["of"]:
        after = [one for one in spans[at + 2 : at + 5] if not isinstance(one.entry, Modifier)]
    named = next((one.entry for one in after if one.entry is not None), None)
    before = at - 1 - (at > 1 and spans[at - 1].first in _COPULAS)
    return any(
        (isinstance(entry, FindingEntry) and entry.kind == "device") or entry == Structure("lead")
        for entry in (named, spans[before].entry if at else None)
    )


def _foremost(stated: tuple[FoundPredicate, ...]) -> tuple[FoundPredicate, ...]:
    """Return what a query asks for: of a finding and what it suggests, the finding."""
    return next(((said,) for said in stated if said[0].status == "present"), stated)


def _named_cause(sentence: Sentence, at: int) -> FindingEntry | None:
    """Return the finding named as the cause of what is said of a structure: "angle is blunted by an effusion"."""
    following = sentence.spans[at + 1 : at + 1 + _MOST_BEHIND]
    by = next((n for n, span in enumerate(following) if span.first == "by"), None)
    if by is None:
        return None
    return next((one.entry for one in following[by:] if isinstance(one.entry, FindingEntry)), None)


def _named_at(sentence: Sentence, tokens: frozenset[int]) -> Iterator[tuple[int, FindingEntry]]:
    """Yield the findings whose name has one of the tokens, each after the index of its span."""
    for at in sorted({sentence.span_at(token) for token in tokens}):
        entry = sentence.spans[at].entry
        if isinstance(entry, FindingEntry):
            yield at, entry


def _predicates_of(sentence: Sentence, at: int, structure: Structure) -> tuple[FoundPredicate, ...]:
    """Return what a clause says of the structure at a span, after it or else before it, and by which tokens."""
    return _predicates_after(sentence, at, structure) or _predicates_before(sentence, at, structure)


def _predicates_after(sentence: Sentence, at: int, structure: Structure) -> tuple[FoundPredicate, ...]:
    """Return what is said after a structure, and by which tokens: "heart is enlarged"."""
    said: dict[Predicate, frozenset[int]] = {}
    start, end = sentence.spans[at].end, _reach_after(sentence, at, structure)
    while start < end:
        found = _predicate_at(sentence, structure, start)
        if found and said and _begins_change(sentence, start):  # "is top normal, increased since May"
            start += found[0]
        elif found and not _qualifies_a_finding(sentence, start + found[0]) and not _is_change(sentence, start):
            tokens = frozenset(range(start, start + found[0]))
            for one in _denied(found[1]) if _is_after_not(sentence.tokens[:start]) else found[1]:
                said.setdefault(one, tokens)
            start += found[0]
        elif said and not _goes_on(sentence.tokens[start]):
            break
        else:
            start += 1
    return tuple(said.items())


def _predicate_at(sentence: Sentence, structure: Structure, token: int) -> tuple[int, tuple[Predicate, ...]] | None:
    """Return what is said of a structure at a token: the number of tokens, and the predicates.

    None for words of its stem that say something else: "largely obscured", "raising concern for effusion", and
    "low volumes accentuate the markings", which says what the volumes do.
    """
    found = predicates(structure.name).longest_at(sentence.stems, token)
    if found is None or (found[0] == 1 and sentence.tokens[token].endswith("ly")):
        return None
    span = sentence.spans[sentence.span_at(token)]
    is_part = token + found[0] < span.end or token > span.start
    return None if is_part and (span.entry is None or span.is_cue("possible")) else found


def _is_change(sentence: Sentence, token: int) -> bool:
    """Whether a token is the end of words for a change: "nearly cleared" does not say "clear"."""
    span = sentence.spans[sentence.span_at(token)]
    return span.dimension == "change" and span.start < token


def _begins_change(sentence: Sentence, token: int) -> bool:
    """Whether a modifier that states a change begins at a token."""
    span = sentence.spans[sentence.span_at(token)]
    return span.dimension == "change" and span.start == token


def _goes_on(token: str) -> bool:
    """Whether a token may stand between two predicates of a structure: "hyperinflated but otherwise clear"."""
    return token in ("and", "or", ",", "but", "somewhat", *_BEFORE_PREDICATES) or token.endswith("ly")


def _is_after_not(before: Sequence[str]) -> bool:
    """Whether "not" stands before a predicate: directly, or before an adverb ("not significantly enlarged")."""
    return before[-1:] == ["not"] or (before[-2:-1] == ["not"] and before[-1].endswith("ly"))


def _denied(said: Iterable[Predicate]) -> Iterator[Predicate]:
    """Yield what a denied predicate says: "not enlarged" denies it; "not clear" names no finding."""
    return (replace(one, status="absent") for one in said if one.status == "present")


def _predicates_before(sentence: Sentence, at: int, structure: Structure) -> tuple[FoundPredicate, ...]:
    """Return what is said before a structure: "clear lungs", "blunting of the left costophrenic angle"."""
    end = sentence.spans[at].start
    for start in range(max(0, end - _MOST_BEFORE), end):
        found = _predicate_at(sentence, structure, start)
        if not found or _is_change(sentence, start):  # "no increase in heart size"
            continue
        after = start + found[0]
        between = sentence.spans[sentence.first_from(after) : at]
        if any(span.is_cue("end") or isinstance(span.entry, FindingEntry) for span in between):
            continue  # "clear except for the base", "large effusion over the heart"
        words = [token for token in sentence.tokens[after:end] if token not in _FILLERS]
        is_near = len(words) <= _MOST_BETWEEN and all(_is_adjective(token) for token in words)
        if is_near or _is_list_of_modifiers(between):
            return tuple((said, frozenset(range(start, after))) for said in found[1])
    return ()


def _is_adjective(token: str) -> bool:
    """Whether a token may stand between an adjective and its noun."""
    return token.isalnum() and token not in ("and", "or", "with", "without", "no", "of")


def _is_list_of_modifiers(between: Sequence[Span]) -> bool:
    """Whether spans are a list of modifiers: "calcified left hilar and mediastinal nodes"."""
    return isinstance(between[0].entry, Modifier) and all(
        isinstance(one.entry, Modifier) or one.first in ("and", "or") for one in between
    )


def _reach_after(sentence: Sentence, at: int, structure: Structure) -> int:
    """Return the token at which the predicate of a structure must have begun.

    Structures in a list share it ("heart and mediastinum are normal").
    """
    limit = sentence.spans[at].end + _MOST_BEHIND
    for index in range(at + 1, len(sentence.spans)):
        span, before = sentence.spans[index], sentence.spans[index - 1]
        if span.start >= limit:
            break
        if span.first in (";", "with", "without") or (before.first == "," and span.is_cue("absent")):
            return span.start
        if span.first == "but" and not _begins_predicate(sentence, structure, span.end):
            return span.start
        if isinstance(span.entry, FindingEntry) and not _is_predicate_of(sentence, structure, span):
            return span.start
        if isinstance(span.entry, Structure):
            if before.first not in ("and", ",", "the", "or"):
                return span.start
            limit = span.end + _MOST_BEHIND
        elif span.is_cue("end") and span.first not in (":", "but"):
            goes_on = span.first in ("and", "which") and _begins_predicate(sentence, structure, span.end)
            if not goes_on:  # "size has decreased and is now normal"
                return span.start
    return min(limit, len(sentence.tokens))


def _begins_predicate(sentence: Sentence, structure: Structure, token: int) -> bool:
    """Whether a predicate of a structure begins at a token, or after "otherwise", "is now" or "remains"."""
    before = takewhile(_BEFORE_PREDICATES.__contains__, sentence.tokens[token : token + _MOST_BEFORE_PREDICATE])
    start = token + len([*before])
    return start < len(sentence.stems) and predicates(structure.name).longest_at(sentence.stems, start) is not None


def _is_predicate_of(sentence: Sentence, structure: Structure, span: Span) -> bool:
    """Whether the name of a finding is said of a structure ("aorta is calcified")."""
    return predicates(structure.name).longest_at(sentence.stems, span.start) is not None


def _qualifies_a_finding(sentence: Sentence, token: int) -> bool:
    """Whether the word that ends at a token stands before a finding, without a verb ("increased basal effusion")."""
    at = sentence.first_from(token)
    following = sentence.spans[at : at + _MOST_MODIFIERS]
    if at > 1 and sentence.spans[at - 2].first in VERBS:
        following = following[:1]
    first = next((span for span in following if not isinstance(span.entry, Modifier)), None)
    return first is not None and first.start >= token and isinstance(first.entry, FindingEntry)
