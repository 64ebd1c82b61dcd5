"""Finds the mentions of a sentence: each finding in it, and whether it is present, possible or absent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from mcp_cxr.language._vocabulary import STOP_WORDS, TOKEN, Cue, FindingEntry, cues, findings, normalize, stem

if TYPE_CHECKING:
    from collections.abc import Sequence

_SEPARATORS = frozenset({",", ";", ":", "or", "and"})
"""Tokens between the phrases of a list."""


class Status(StrEnum):
    """Whether a mentioned finding is there."""

    PRESENT = "present"
    POSSIBLE = "possible"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Mention:
    """A finding, or a word that names none, with its status."""

    text: str
    """As written, in lower case."""
    stems: tuple[str, ...]
    """Of its words, without stop words."""
    finding: FindingEntry | None
    status: Status
    starts_phrase: bool
    """Whether it starts a new phrase of a list, or follows a cue."""

    @property
    def name(self) -> str:
        """Return the finding's name, else the word."""
        return self.finding.name if self.finding else self.text


@dataclass(frozen=True, slots=True)
class _Span:
    """The tokens of a finding or a cue, or a single other token."""

    start: int
    end: int
    entry: FindingEntry | Cue | None


# No word starts like these: a digit followed by letters, which every tokenizer keeps whole.
_PREFIXES = {
    Status.PRESENT: ("0is", "0of"),
    Status.POSSIBLE: ("0may", "0of"),
    Status.ABSENT: ("0no",),
}


def finding_terms(finding: str, status: Status) -> tuple[str, ...]:
    """Return the terms under which the full-text index holds a finding with a status.

    PRESENT and POSSIBLE share the `0of` term: a query for one matches both, and ranks the studies with the same status
    first. A study without the `0of` term is one in which the finding is neither present nor possible.
    """
    name = "".join(TOKEN.findall(finding))
    return tuple(prefix + name for prefix in _PREFIXES[status])


def present_or_possible_term(finding: str) -> str:
    """Return the term that a study has if the finding is present or possible."""
    return finding_terms(finding, Status.PRESENT)[-1]


@lru_cache(maxsize=8192)  # reports repeat sentences
def mentions_in(sentence: str) -> tuple[Mention, ...]:
    """Return the mentions of a sentence or query in their order; stop words and cues are left out."""
    tokens = TOKEN.findall(normalize(sentence))
    spans = _spans(tokens)
    statuses = _statuses(spans, len(tokens))
    mentions: list[Mention] = []
    starts_phrase = True
    for span in spans:
        words = tokens[span.start : span.end]
        if isinstance(span.entry, Cue) or words[0] in _SEPARATORS:
            starts_phrase = True
        elif stems := tuple(stem(word) for word in words if word not in STOP_WORDS):
            status = Status.ABSENT if span.entry and span.entry.denied else statuses[span.start]
            mentions.append(Mention(" ".join(words), stems, span.entry, status, starts_phrase))
            starts_phrase = False
    return tuple(mentions)


def _spans(tokens: Sequence[str]) -> list[_Span]:
    """Divide tokens into findings, cues and single tokens; a finding may contain a cue ("no acute process")."""
    stems = [stem(token) for token in tokens]
    spans: list[_Span] = []
    start = 0
    while start < len(tokens):
        length, entry = findings().longest_at(stems, start) or cues().longest_at(tokens, start) or (1, None)
        spans.append(_Span(start, start + length, entry))
        start += length
    return spans


def _statuses(spans: Sequence[_Span], count: int) -> list[Status]:
    """Return the status of each token; ABSENT wins over POSSIBLE."""
    statuses = [Status.PRESENT] * count
    for status in (Status.POSSIBLE, Status.ABSENT):
        for start, end in _scopes(spans, status, count):
            statuses[start:end] = [status] * (end - start)
    return statuses


def _scopes(spans: Sequence[_Span], status: Status, count: int) -> list[tuple[int, int]]:
    """Return the ranges of tokens in the scope of the cues for `status`, each within its clause."""
    ends = [span for span in spans if isinstance(span.entry, Cue) and span.entry.status == "end"]
    ranges: list[tuple[int, int]] = []
    for span in spans:
        if not isinstance(span.entry, Cue) or span.entry.status != status:
            continue
        if span.entry.scope in ("after", "both"):
            ranges.append((span.end, min((end.start for end in ends if end.start >= span.end), default=count)))
        if span.entry.scope in ("before", "both"):
            ranges.append((max((end.end for end in ends if end.end <= span.start), default=0), span.start))
    return ranges
