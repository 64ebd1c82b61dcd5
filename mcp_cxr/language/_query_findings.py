"""Finds in the words of a query which findings to look for, and which studies to exclude."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING

from mcp_cxr.language._document_terms import sentences
from mcp_cxr.language._mentions import Mention, Status, finding_terms, mentions_in, present_or_possible_term
from mcp_cxr.language._vocabulary import findings_of_label, terms
from mcp_cxr.records import LABELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Beside a denied finding these words say nothing more: "no definite acute effusion" denies the effusion.
_FILLERS = frozenset(
    terms("any evidence sign signs definite acute focal overt frank obvious visible seen identified present other")
)


@dataclass(frozen=True, slots=True)
class QueryMeaning:
    """What a query asks for and what it denies."""

    mentions: tuple[Mention, ...]
    """All mentions, in their order."""
    text_to_embed: str
    """The query without what it denies; empty if nothing is left."""
    denied_texts: tuple[str, ...]
    """Each denied phrase as text, to embed."""
    ranking_terms: tuple[str, ...]
    """Terms by which studies are ranked."""
    labels: tuple[str, ...]
    """The CheXpert labels of the findings it asks for."""
    excluded_findings: tuple[str, ...]
    """Names of denied findings; studies in which one is present or possible are excluded."""
    excluded_terms: tuple[str, ...]
    """The terms that enforce `excluded_findings`: no result may have one."""
    possible_findings: tuple[str, ...]
    """Findings asked for as possible; studies that report them as possible rank first."""
    qualified_denials: tuple[str, ...]
    """Denied with a side, size or the like ("no large effusion"): no study is excluded for these."""


def parse_query_text(query: str) -> QueryMeaning:
    """Return what the words of a query ask for and what they deny."""
    mentions = [one for sentence in sentences(query) for one in mentions_in(sentence)]
    wanted = [one for one in mentions if one.status is not Status.ABSENT]
    denied = [one for one in _phrases(one for one in mentions if one.status is Status.ABSENT) if _names(one)]
    excluded = [phrase for phrase in denied if _terms_to_exclude(phrase)]
    absent = _unique(one.name for phrase in denied for one in phrase if one.finding)
    return QueryMeaning(
        mentions=tuple(mentions),
        text_to_embed=" ".join(one.text for one in wanted) if denied else query,
        denied_texts=_unique(" ".join(_names(phrase)) for phrase in denied),
        ranking_terms=_unique(
            chain.from_iterable(
                (*map(_terms_to_rank, wanted), *(finding_terms(name, Status.ABSENT) for name in absent))
            )
        ),
        labels=_unique(one.finding.label for one in wanted if one.finding and one.finding.label),
        excluded_findings=_unique(name for phrase in excluded for name in _names(phrase)),
        excluded_terms=_unique(term for phrase in excluded for term in _terms_to_exclude(phrase)),
        possible_findings=_unique(one.name for one in wanted if one.finding and one.status is Status.POSSIBLE),
        qualified_denials=_unique(" ".join(_names(phrase)) for phrase in denied if phrase not in excluded),
    )


def _terms_to_rank(mention: Mention) -> tuple[str, ...]:
    """Return the terms to rank by: a finding's own terms, not its words, which other findings share."""
    if not mention.finding:
        return mention.stems
    return tuple(term for name in _finding_names(mention) for term in finding_terms(name, mention.status))


def _phrases(denied: Iterable[Mention]) -> Iterable[list[Mention]]:
    """Yield the phrases of a list of denied things: "no edema or large effusion" has two."""
    phrase: list[Mention] = []
    for one in denied:
        if one.starts_phrase and phrase:
            yield phrase
            phrase = []
        phrase.append(one)
    if phrase:
        yield phrase


def _terms_to_exclude(phrase: Sequence[Mention]) -> tuple[str, ...]:
    """Return the terms that no result may have; empty if the phrase is more than one finding or one word."""
    content = _content(phrase)
    if len(content) != 1:
        return ()
    if not content[0].finding:
        return content[0].stems
    return tuple(map(present_or_possible_term, _finding_names(content[0])))


def _content(phrase: Sequence[Mention]) -> list[Mention]:
    """Return the mentions that are findings or words other than fillers."""
    return [one for one in phrase if one.finding or not set(one.stems) <= _FILLERS]


def _names(phrase: Sequence[Mention]) -> list[str]:
    return [one.name for one in _content(phrase)]


def _finding_names(mention: Mention) -> tuple[str, ...]:
    """Return the finding's name, or the names of all findings of a label if the mention is the label's name."""
    by_stems = _labels_by_stems()
    label = by_stems.get(mention.stems) or by_stems.get(tuple(terms(mention.name)))
    return findings_of_label(label) if label else (mention.name,)


@cache
def _labels_by_stems() -> dict[tuple[str, ...], str]:
    return {tuple(terms(label)): label for label in LABELS}


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
