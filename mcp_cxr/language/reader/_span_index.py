"""Looks up the spans of a sentence by kind: the next verb, the commas before a finding.

The spans of a kind are found once and kept sorted, so that the time to read a sentence grows with its length, not with
the square of it.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Literal, TypeAlias

from mcp_cxr.language._vocabulary import Cue, FindingEntry, Modifier, Structure
from mcp_cxr.language.reader._spans import VERBS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mcp_cxr.language.reader._spans import Sentence, Span

MOST_BEFORE = 8  # spans of articles and modifiers before a finding, or tokens for an examination before its verb
_ASSERTING = VERBS | frozenset(
    "suggest suggests represent represents reflect reflects measures measure shows demonstrates indicate indicates"
    " projects project terminates ends overlies overlie courses persist noted".split()
)
"""Verbs that begin a new statement, beside those of `VERBS`: "no effusion, clips project over the lung"."""
_BEFORE_NAMES = frozenset(
    "the a an and known superimposed underlying associated concurrent adjacent questioned seen noted described"
    " early some other".split()
)
"""Words between a cue and the name of a finding, beside modifiers: "with known underlying edema"."""
_ADJECTIVE_ENDINGS = ("al", "ic", "ive", "ous", "ary", "ent", "ing")
_NO_ADJECTIVES = frozenset("considering including regarding during following obscuring present".split())
"""Words that end as adjectives do and are none."""
_OTHER_SUBJECTS = frozenset(
    "artifact artifacts artifactual shadow shadows structures overlap positioning technique disease process abnormality"
    " abnormalities injury injuries pathology".split()
)
"""Nouns that name no finding and may be the subject of a statement as findings are: "artifact", "positioning"."""
_PARTS_OF_DEVICES = frozenset({"tip", "tips", "end", "sidehole", "sideholes", "course"})
"""What may be out of sight of a device that is there: "the tip of the tube is not seen"."""


def _is_adjective(span: Span) -> bool:
    """Whether a word that no table knows may describe a finding: "atypical infection", "passive atelectasis"."""
    return span.entry is None and span.first.endswith(_ADJECTIVE_ENDINGS) and span.first not in _NO_ADJECTIVES


def is_named(span: Span) -> bool:
    """Return whether a span names a finding or a structure."""
    return isinstance(span.entry, FindingEntry | Structure)


_Kind: TypeAlias = Literal[
    "end",
    "denial",
    "named",
    "finding",
    "noun",
    "word",
    "verb",
    "device part",
    "comma",
    "mark",
    "join",
    "list",
    "break",
    "alternative",
    "described",
    "left",
    "right",
]
_KINDS: dict[_Kind, Callable[[Span, Sequence[str]], bool]] = {
    "end": lambda span, _: span.is_cue("end"),
    "denial": lambda span, _: span.is_cue("absent"),
    "named": lambda span, _: is_named(span),
    "finding": lambda span, _: isinstance(span.entry, FindingEntry),
    "noun": lambda span, _: isinstance(span.entry, FindingEntry) or span.first in _OTHER_SUBJECTS,
    "word": lambda span, tokens: any(map(str.isalnum, tokens[span.start : span.end])),
    "verb": lambda span, tokens: not is_named(span) and not _ASSERTING.isdisjoint(tokens[span.start : span.end]),
    "device part": lambda span, tokens: not _PARTS_OF_DEVICES.isdisjoint(tokens[span.start : span.end]),
    "comma": lambda span, _: span.first == "," and span.entry is None,
    "mark": lambda span, _: span.first in (",", ";"),
    "join": lambda span, _: span.first in (",", "and", "with") and span.entry is None,
    "list": lambda span, _: span.first in ("and", "or", "nor"),
    "alternative": lambda span, _: span.first in ("or", "nor"),
    "break": lambda span, _: span.first in (",", "or", "nor") or isinstance(span.entry, Cue),
    "described": lambda span, _: span.dimension in ("size", "change") or span.is_cue("absent"),
    "left": lambda span, _: isinstance(span.entry, Modifier) and "left" in span.entry.values,
    "right": lambda span, _: isinstance(span.entry, Modifier) and "right" in span.entry.values,
}
"""Kinds of spans, each with its test of a span and the tokens of its sentence; a span may be of several kinds."""


class IndexedSentence:
    """The spans of a sentence, looked up by kind: `_next("verb", 3)` is the index of the first verb from span 3 on."""

    def __init__(self, sentence: Sentence) -> None:
        self._tokens, self._spans = sentence.tokens, sentence.spans
        self._indices: dict[object, Sequence[int]] = {}

    def _token(self, index: int) -> int:
        """Return the first token of a span; the number of tokens behind the last span."""
        return self._spans[index].start if index < len(self._spans) else len(self._tokens)

    def _all(self, kind: _Kind) -> Sequence[int]:
        """Return the indices of all spans of a kind."""
        if kind not in self._indices:
            is_one, tokens = _KINDS[kind], self._tokens
            self._indices[kind] = [at for at, span in enumerate(self._spans) if is_one(span, tokens)]
        return self._indices[kind]

    def _next(self, kind: _Kind, start: int) -> int:
        """Return the index of the first span of a kind from `start` on; the number of spans if there is none."""
        return self._first(self._all(kind), start)

    def _any(self, kind: _Kind, start: int, end: int) -> bool:
        """Whether a span from `start` to before `end` is of a kind."""
        return self._next(kind, start) < end

    def _first(self, indices: Sequence[int], start: int) -> int:
        """Return the first of some sorted indices from `start` on; the number of spans if there is none."""
        at = bisect_left(indices, start)
        return indices[at] if at < len(indices) else len(self._spans)

    def _clause_start(self, index: int) -> int:
        """Return the index of the first span of the clause that a span is in."""
        ends = bisect_left(self._all("end"), index)
        return self._all("end")[ends - 1] + 1 if ends else 0

    def _finding_at(self, at: int) -> int | None:
        """Return the index of the finding that follows `at` behind nothing but articles, modifiers and adjectives."""
        for index, span in enumerate(self._spans[at : at + MOST_BEFORE], start=at):
            if not (isinstance(span.entry, Modifier) or span.first in _BEFORE_NAMES or _is_adjective(span)):
                return index if isinstance(span.entry, FindingEntry) else None
        return None
