"""What a sentence says: which findings are there, may be there, or are not there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from mcp_cxr.language._tables import TOKEN, Cue, Finding, cues, findings
from mcp_cxr.language._terms import STOP, folded, stem

if TYPE_CHECKING:
    from collections.abc import Sequence

_PARTS = frozenset({",", ";", ":", "or", "and"})
"""What stands between the parts of a list."""


class Status(StrEnum):
    """How a thing is meant."""

    PRESENT = "present"
    UNSURE = "unsure"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Said:
    """A finding, or a word that names none, and how it is meant."""

    words: str
    """As written, in lower case."""
    stems: tuple[str, ...]
    """Without stop words."""
    finding: Finding | None
    status: Status
    opens: bool
    """Whether it begins another part of a list, or stands behind a cue."""

    @property
    def name(self) -> str:
        """Return the finding's name, else the word."""
        return self.finding.name if self.finding else self.words


@dataclass(frozen=True, slots=True)
class _Span:
    """Tokens that belong together."""

    start: int
    end: int
    means: Finding | Cue | None


# No word begins like these: a digit and letters, so that every tokenizer keeps the term whole.
_MARKS = {
    Status.PRESENT: ("0is", "0of"),
    Status.UNSURE: ("0may", "0of"),
    Status.ABSENT: ("0no",),
}


def terms_of(finding: str, status: Status) -> tuple[str, ...]:
    """Return the terms under which the words index holds that a finding is there, may be, or is not.

    `0of` is common to the first two. So who asks for one finds both, and ranks those studies first that mean it as he
    does; and a study without it is one in which it neither is nor may be.
    """
    name = "".join(TOKEN.findall(finding))
    return tuple(mark + name for mark in _MARKS[status])


def term_of_any(finding: str) -> str:
    """Return the term that is common to a finding that is there and one that may be."""
    return terms_of(finding, Status.PRESENT)[-1]


@lru_cache(maxsize=8192)  # reports repeat themselves
def said(sentence: str) -> tuple[Said, ...]:
    """Return what one sentence or question says, in its order; stop words and cues are left out."""
    tokens = TOKEN.findall(folded(sentence))
    spans = _spans(tokens)
    status = _statuses(spans, len(tokens))
    found: list[Said] = []
    opens = True
    for span in spans:
        words = tokens[span.start : span.end]
        if isinstance(span.means, Cue) or words[0] in _PARTS:
            opens = True
        elif kept := tuple(stem(word) for word in words if word not in STOP):
            meant = _of_finding(span.means, status[span.start])
            found.append(Said(" ".join(words), kept, span.means, meant, opens))
            opens = False
    return tuple(found)


def _spans(tokens: Sequence[str]) -> list[_Span]:
    """Divide tokens into findings, cues and single words; a finding's name may hold a cue ("no acute process")."""
    stems = [stem(token) for token in tokens]
    spans: list[_Span] = []
    place = 0
    while place < len(tokens):
        length, means = findings().at(stems, place) or cues().at(tokens, place) or (1, None)
        spans.append(_Span(place, place + length, means))
        place += length
    return spans


def _statuses(spans: Sequence[_Span], count: int) -> list[Status]:
    """Return how each token is meant: what is denied stays denied, whatever else doubts it."""
    status = [Status.PRESENT] * count
    for kind, meant in (("unsure", Status.UNSURE), ("absent", Status.ABSENT)):
        for start, end in _reached(spans, kind, count):
            status[start:end] = [meant] * (end - start)
    return status


def _reached(spans: Sequence[_Span], kind: str, count: int) -> list[tuple[int, int]]:
    """Return the ranges of tokens that cues of one kind reach within their clauses."""
    ends = [span for span in spans if isinstance(span.means, Cue) and span.means.status == "end"]
    ranges: list[tuple[int, int]] = []
    for span in spans:
        if not isinstance(span.means, Cue) or span.means.status != kind:
            continue
        if span.means.reach in ("after", "both"):
            ranges.append((span.end, min((end.start for end in ends if end.start >= span.end), default=count)))
        if span.means.reach in ("before", "both"):
            ranges.append((max((end.end for end in ends if end.end <= span.start), default=0), span.start))
    return ranges


def _of_finding(finding: Finding | None, status: Status) -> Status:
    return Status.ABSENT if finding and finding.denied else status
