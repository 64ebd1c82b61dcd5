"""Finds the findings of a sentence: those that are named, and those that a predicate of a structure states."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from mcp_cxr.language._vocabulary import FindingEntry, Predicate, Structure, predicates

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mcp_cxr.language.reader._spans import Sentence, Span

_REACH = 7  # tokens between a structure and what is said of it
_BEFORE = 4  # tokens before a structure in which what is said of it may begin


class FindingInSentence(NamedTuple):
    """A finding where it stands among the spans."""

    at: int
    """Index of its span."""
    entry: FindingEntry
    stated: str | None = None
    """The status that a predicate of a structure gives: present, possible or absent."""
    predicate: frozenset[int] = frozenset()
    """The tokens of the predicate."""


def findings_in(sentence: Sentence) -> Iterator[FindingInSentence]:
    """Yield the findings that are named, and those that are said of a structure ("heart size is normal")."""
    for at, span in enumerate(sentence.spans):
        if isinstance(span.entry, FindingEntry):
            yield FindingInSentence(at, span.entry)
        elif isinstance(span.entry, Structure):
            all_said, tokens = _said_of(sentence, at, span.entry)
            if sentence.is_query:
                all_said = _foremost(all_said)
            named = [_named_cause(sentence, at), *_named_at(sentence, tokens)]
            if not any(said.finding in named for said in all_said):
                for said in all_said:  # else the finding that is named takes the side and place of the structure
                    yield FindingInSentence(at, said.finding, said.status, tokens)


def _foremost(all_said: tuple[Predicate, ...]) -> tuple[Predicate, ...]:
    """Return what a query asks for: of a finding and what it suggests, the finding."""
    return next(((said,) for said in all_said if said.status == "present"), all_said)


def _named_cause(sentence: Sentence, at: int) -> FindingEntry | None:
    """Return the finding named as the cause of what is said of a structure: "angle is blunted by an effusion"."""
    following = sentence.spans[at + 1 : at + 1 + _REACH]
    by = next((n for n, span in enumerate(following) if span.first == "by"), None)
    if by is None:
        return None
    return next((one.entry for one in following[by:] if isinstance(one.entry, FindingEntry)), None)


def _named_at(sentence: Sentence, tokens: frozenset[int]) -> Iterator[FindingEntry]:
    """Yield the findings whose name has one of the tokens: "compression fracture" is no "compressed"."""
    for span in sentence.spans:
        if isinstance(span.entry, FindingEntry) and not tokens.isdisjoint(range(span.start, span.end)):
            yield span.entry


def _said_of(sentence: Sentence, at: int, structure: Structure) -> tuple[tuple[Predicate, ...], frozenset[int]]:
    """Return what a clause says of the structure at a span, after it or else before it, and by which tokens."""
    said, tokens = _said_after(sentence, at, structure)
    return (said, tokens) if said else _said_before(sentence, at, structure)


def _said_after(sentence: Sentence, at: int, structure: Structure) -> tuple[tuple[Predicate, ...], frozenset[int]]:
    phrases = predicates(structure.name)
    said: list[Predicate] = []
    tokens: list[int] = []
    start, end = sentence.spans[at].end, _reach_after(sentence, at, structure)
    while start < end:
        found = phrases.longest_at(sentence.stems, start)
        if found and not _qualifies_a_finding(sentence, start + found[0]):
            said += _denied(found[1]) if _is_after_not(sentence.tokens[:start]) else found[1]
            tokens += range(start, start + found[0])
            start += found[0]
        elif said and sentence.tokens[start] not in ("and", "or", ",", "mildly", "slightly", "somewhat"):
            break
        else:
            start += 1
    return tuple(dict.fromkeys(said)), frozenset(tokens)


def _is_after_not(before: Sequence[str]) -> bool:
    """Whether "not" stands before a predicate: directly, or before an adverb ("not significantly enlarged")."""
    return before[-1:] == ["not"] or (before[-2:-1] == ["not"] and before[-1].endswith("ly"))


def _denied(said: Iterable[Predicate]) -> Iterator[Predicate]:
    """Yield what a denied predicate says: "not enlarged" denies it; "not clear" names no finding."""
    return (replace(one, status="absent") for one in said if one.status == "present")


def _said_before(sentence: Sentence, at: int, structure: Structure) -> tuple[tuple[Predicate, ...], frozenset[int]]:
    """Return what is said before a structure: "clear lungs", "blunting of the left costophrenic angle"."""
    end = sentence.spans[at].start
    for start in range(max(0, end - _BEFORE), end):
        found = predicates(structure.name).longest_at(sentence.stems, start)
        if not found:
            continue
        if any(span.is_cue("end") for span in sentence.spans[:at] if span.start >= start + found[0]):
            continue  # "clear except for the base"
        between = sentence.tokens[start + found[0] : end]
        if between[:1] == ["of"] or all(_is_adjective(token) for token in between):
            return found[1], frozenset(range(start, start + found[0]))
    return (), frozenset()


def _is_adjective(token: str) -> bool:
    """Whether a token may stand between an adjective and its noun."""
    return token.isalnum() and token not in ("and", "or", "with", "without", "no", "of")


def _reach_after(sentence: Sentence, at: int, structure: Structure) -> int:
    """Return the token at which the predicate of a structure must have begun.

    Structures in a list share it ("heart and mediastinum are normal").
    """
    limit = sentence.spans[at].end + _REACH
    for index in range(at + 1, len(sentence.spans)):
        span, before = sentence.spans[index], sentence.spans[index - 1]
        if span.start >= limit:
            break
        if span.first in (";", "with", "but", "without"):
            return span.start
        if isinstance(span.entry, FindingEntry) and not _is_said(sentence, structure, span):
            return span.start
        if isinstance(span.entry, Structure):
            if before.first not in ("and", ",", "the", "or"):
                return span.start
            limit = span.end + _REACH
        elif span.is_cue("end") and span.first != ":":
            return span.start
    return min(limit, len(sentence.tokens))


def _is_said(sentence: Sentence, structure: Structure, span: Span) -> bool:
    """Whether the name of a finding is said of a structure ("aorta is calcified")."""
    return predicates(structure.name).longest_at(sentence.stems, span.start) is not None


def _qualifies_a_finding(sentence: Sentence, token: int) -> bool:
    """Whether the word that ends at a token stands directly before a finding ("large effusion")."""
    return any(span.start == token and isinstance(span.entry, FindingEntry) for span in sentence.spans)
