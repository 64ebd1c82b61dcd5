"""What the words of a question mean: what to look for, and what must not be there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING

from mcp_cxr.language._report import sentences
from mcp_cxr.language._said import Said, Status, said, term_of_any, terms_of
from mcp_cxr.language._tables import of_label
from mcp_cxr.language._terms import terms
from mcp_cxr.records import LABELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Words that say nothing more about a denied finding than that it is not there.
_PLAIN = frozenset(
    terms("any evidence sign signs definite acute focal overt frank obvious visible seen identified present other")
)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a question asks for."""

    asked: tuple[Said, ...]
    """All it says, in its order."""
    text: str
    """What to show the embedder: the question without what it denies; empty where nothing is left."""
    avoided: tuple[str, ...]
    """What it denies, each as text."""
    words: tuple[str, ...]
    """Terms by which studies are ranked."""
    labels: tuple[str, ...]
    """The CheXpert labels of what it asks for."""
    without: tuple[str, ...]
    """The findings it denies, by name; studies in which one is, or may be, there are no answer."""
    absent: tuple[str, ...]
    """The terms by which `without` is kept."""
    unsure: tuple[str, ...]
    """The findings it asks for as uncertain; studies that say so come first."""
    qualified: tuple[str, ...]
    """Denied, but with a side, size or the like: no study is left out for it."""


def understood(question: str) -> Meaning:
    """Return what the words of a question mean."""
    meant = [one for sentence in sentences(question) for one in said(sentence)]
    wanted = [one for one in meant if one.status is not Status.ABSENT]
    denied = [one for one in _phrases(one for one in meant if one.status is Status.ABSENT) if _text_of(one)]
    excluded = [phrase for phrase in denied if _terms_to_exclude(phrase)]
    names = _unique(one.name for phrase in denied for one in phrase if one.finding)
    return Meaning(
        asked=tuple(meant),
        text=" ".join(one.words for one in wanted) if denied else question,
        avoided=_unique(map(_text_of, denied)),
        words=_unique(chain.from_iterable((*map(_sought, wanted), *(terms_of(name, Status.ABSENT) for name in names)))),
        labels=_unique(one.finding.label for one in wanted if one.finding and one.finding.label),
        without=_unique(name for phrase in excluded for name in _names(phrase)),
        absent=_unique(term for phrase in excluded for term in _terms_to_exclude(phrase)),
        unsure=_unique(one.name for one in wanted if one.finding and one.status is Status.UNSURE),
        qualified=_unique(_text_of(phrase) for phrase in denied if phrase not in excluded),
    )


def _sought(one: Said) -> tuple[str, ...]:
    """Return the terms to look for: a finding by what it is, not by the words that others share with it."""
    if not one.finding:
        return one.stems
    return tuple(term for name in _covered(one) for term in terms_of(name, one.status))


def _phrases(denied: Iterable[Said]) -> Iterable[list[Said]]:
    """Divide what is denied into the parts of its list."""
    phrase: list[Said] = []
    for one in denied:
        if one.opens and phrase:
            yield phrase
            phrase = []
        phrase.append(one)
    if phrase:
        yield phrase


def _terms_to_exclude(phrase: Sequence[Said]) -> tuple[str, ...]:
    """Return the terms that no study may hold; empty where the phrase says more than a finding or a word."""
    said_of_it = [one for one in phrase if one.finding or not set(one.stems) <= _PLAIN]
    found = [one for one in said_of_it if one.finding]
    if len(said_of_it) != 1:
        return ()
    if not found:
        return said_of_it[0].stems
    return tuple(map(term_of_any, _covered(found[0])))


def _text_of(phrase: Sequence[Said]) -> str:
    return " ".join(one.name for one in phrase if one.finding or not set(one.stems) <= _PLAIN)


def _names(phrase: Sequence[Said]) -> list[str]:
    return [one.name for one in phrase if one.finding or not set(one.stems) <= _PLAIN]


def _covered(one: Said) -> tuple[str, ...]:
    """Return the finding's name, or where a label is named, those of all it takes in."""
    by_stems = _labels_by_stems()
    label = by_stems.get(one.stems) or by_stems.get(tuple(terms(one.name)))
    return of_label(label) if label else (one.name,)


@cache
def _labels_by_stems() -> dict[tuple[str, ...], str]:
    return {tuple(terms(label)): label for label in LABELS}


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
