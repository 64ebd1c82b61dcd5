"""Finds the status of each token of a sentence, by the cues in its clause."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING

from mcp_cxr.language._vocabulary import Cue
from mcp_cxr.language.reader._clauses import Clauses
from mcp_cxr.language.reader._span_index import MOST_BEFORE
from mcp_cxr.language.reader._spans import VERBS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mcp_cxr.language.reader._spans import Sentence, Span

_MOST_BETWEEN = 3  # tokens between a finding and a cue of this finding alone
_EXPLAINING_VERBS = frozenset("represent represents reflect reflects indicate indicates has have".split())
"""Verbs whose subject is there, whatever is said of it."""
_SHOWED = ("showed", "demonstrated", "revealed")
"""Verbs of what another examination stated: "prior CT showed a nodule"."""
_OTHER_EXAMINATIONS = frozenset({"previous", "prior", "earlier", "previously", "formerly", "ct", "mri"})
_BEFORE_EXAMINATIONS = frozenset({"on", "in", "at"})
_MOST_OF_EXAMINATION = 6  # words that name one at the start of a clause
_NOW = frozenset({"now", "currently", "today"})
_PRESENT_TENSE = frozenset({"is", "are", "has", "have"})
_BEFORE_COMPARED = frozenset({"that", "which", "than", "as", "where"})
"""Words behind which another examination is only compared with: "larger than it was on the prior study"."""
_CHANGING = frozenset(
    "worsening increase increasing increasingly enlarging progression progressing growth growing improvement improving"
    " decrease decreasing regression developing development new newly".split()
)
"""First words of a change that is denied: "no evidence of worsening edema" does not deny edema."""
_CHANGED = frozenset({"changed", "moved", "migrated", "grown"})
"""Verbs of a change that is denied: "not changed"."""
_BEFORE_CHANGES = frozenset(
    "any interval significant substantial appreciable definite obvious convincing suspicious residual further"
    " the".split()
)


class Status(StrEnum):
    """Whether a mentioned finding is there."""

    PRESENT = "present"
    POSSIBLE = "possible"
    ABSENT = "absent"


def _names_examination(words: Sequence[str]) -> bool:
    """Whether words name another examination: "on the previous radiograph"."""
    return any(
        one in _BEFORE_EXAMINATIONS and not _OTHER_EXAMINATIONS.isdisjoint(words[at + 1 : at + 4])
        for at, one in enumerate(words)
    )


def _may_precede_change(span: Span) -> bool:
    """Whether a word says nothing of whether a finding is there: "no significant acute worsening"."""
    return span.first in _BEFORE_CHANGES or span.dimension in ("age", "pattern")


class Scopes(Clauses):
    """The status of each token of a sentence, by the cues in its clause."""

    def __init__(self, sentence: Sentence) -> None:
        super().__init__(sentence)
        self._covered: dict[str, bytearray] = {}
        for index, span in enumerate(self._spans):
            if isinstance(span.entry, Cue) and span.entry.scope:
                cue = replace(span.entry, status="unstated") if self._denies_change(index) else span.entry
                for first, end in self._ranges(index, span, cue):
                    self._cover(cue.status, first, end)
            elif self._says_of_the_past(index) and self._is_of_another_examination(index):
                self._cover("history", index + 1, self._next("end", index + 1))
            elif self._was_on_another_examination(index):
                self._cover("history", self._clause_start(index), self._next("mark", index))

    def holds(self, status: str, token: int) -> bool:
        """Whether a token is in the scope of a cue for `status`."""
        return status in self._covered and bool(self._covered[status][token])

    def polarity(self, token: int) -> tuple[bool, bool]:
        """Return whether what a token names is denied, and whether it is gone."""
        return self.holds("absent", token), self.holds("resolved", token)

    def status(self, token: int) -> Status:
        """Return the status of what a token names; absent wins over possible."""
        if not self._covered:
            return Status.PRESENT
        if self.holds("absent", token) or self.holds("resolved", token):
            return Status.ABSENT
        return Status.POSSIBLE if self.holds("possible", token) else Status.PRESENT

    def _cover(self, status: str, first: int, end: int) -> None:
        """Record that the tokens of spans from `first` to before `end` are in the scope of a cue of this status."""
        start, stop = self._token(first), self._token(end)
        self._covered.setdefault(status, bytearray(len(self._tokens)))[start:stop] = b"\1" * (stop - start)

    def _denies_change(self, index: int) -> bool:
        """Whether a cue denies a change of what follows, not that it is there."""
        if not self._spans[index].is_cue("absent"):
            return False
        following = self._spans[index + 1 : index + MOST_BEFORE]
        if self._tokens[self._spans[index].end - 1] == "that":  # "no evidence that the tube has moved"
            return any(one.first in _CHANGED or one.dimension == "change" for one in following)
        one = next((one for one in following if one.dimension == "change" or not _may_precede_change(one)), None)
        words = self._tokens[one.start : one.end] if one and one.dimension == "change" else ()
        return not _CHANGING.isdisjoint(words)

    def _says_of_the_past(self, index: int) -> bool:
        """Whether a verb states what there was on another examination: "prior CT showed", "there was"."""
        before, verb = self._spans[max(0, index - 1)].first, self._spans[index].first
        return verb in _SHOWED or (before == "there" and verb in ("was", "were"))

    def _is_of_another_examination(self, verb: int) -> bool:
        """Whether a verb says what another examination showed: "the previous radiograph from May showed edema"."""
        before = self._tokens[max(0, self._token(verb) - MOST_BEFORE) : self._token(verb)]
        return not _OTHER_EXAMINATIONS.isdisjoint(before) and not self._any("named", 0, verb)

    def _was_on_another_examination(self, verb: int) -> bool:
        """Whether a clause says where something was before: "an effusion was seen on the prior exam"."""
        start, end = self._clause_start(verb), self._next("mark", verb)
        before = self._tokens[self._token(start) : self._token(verb)]
        if self._spans[verb].first not in ("was", "were") or not _BEFORE_COMPARED.isdisjoint(before[-3:]):
            return False
        if not _PRESENT_TENSE.isdisjoint(self._tokens[: self._token(verb)]):  # "is not seen today and was a nipple"
            return False
        behind, rest = self._tokens[self._token(verb) + 1 : self._token(end)], self._tokens[self._token(end) :]
        names_other = self._any(
            "named", end, len(self._spans)
        )  # "..., which is smaller" goes on about it, "no edema" not
        goes_on = not (VERBS | _NOW).isdisjoint(behind if names_other else [*behind, *rest])
        is_last = _names_examination(behind) and (before[-1:] == ["there"] or not self._any("named", verb, end))
        is_first = _names_examination(self._tokens[:_MOST_OF_EXAMINATION]) and not self._any("named", 0, start)
        return not goes_on and (is_last or is_first)

    def _ranges(self, index: int, span: Span, cue: Cue) -> Iterator[tuple[int, int]]:
        """Yield the first span of each range in the scope of a cue, and the span that ends it."""
        end = self._end_after(index, span, cue)
        if cue.scope == "previous":
            before = bisect_left(self._all("named"), index)
            for at in self._all("named")[max(0, before - 1) : before]:
                if span.start - self._token(at + 1) <= _MOST_BETWEEN:
                    yield at, at + 1
        if cue.scope == "next" and (following := self._next("named", index + 1)) < len(self._spans):
            yield index + 1, min(end, following + 1)
        scope = self._scope(index, cue, end)
        if scope in ("after", "both"):
            yield self._after_subject(index, end), end
        if scope in ("before", "both"):
            start = self._start_before(index, span, cue)
            if cue.status not in ("absent", "possible") or not self._any("device part", start, index):
                yield start, index

    def _after_subject(self, cue: int, end: int) -> int:
        """Return where the scope of a cue for what follows it begins: after the subject of "whether the opacity is"."""
        if self._tokens[self._token(cue + 1) - 1] not in ("if", "whether"):
            return cue + 1
        subject = cue + 1
        is_definite = any(span.first in ("the", "this") for span in self._spans[subject : subject + 1])
        verb = self._next("verb", subject)
        is_said = is_definite and verb < end and self._any("named", subject, verb)
        return verb if is_said and self._spans[verb].first in _EXPLAINING_VERBS else subject

    def _scope(self, index: int, cue: Cue, end: int) -> str:
        """Return the scope of a cue; one for what follows concerns what precedes it if nothing follows."""
        following = (one for one in self._spans[index + 1 : index + 4] if one.first not in ("on", "in", "at", "the"))
        if self._spans[index].first == "none" and (one := next(following, None)) and self._is_located(index, one):
            return ""  # "left effusion, none on the right": `denied_sides` reads it
        if cue.scope == "nearest" and any(one.dimension == "age" for one in self._spans[index + 1 : index + 2]):
            return ""  # "is likely chronic"
        if cue.scope == "nearest":  # "is likely a scar", "a scar is likely"
            is_after = self._finding_at(index + 1) is not None or (
                self._any("named", index + 1, end) and not self._any("named", self._clause_start(index), index)
            )
            return "after" if is_after else "before"
        is_ended = any(one.is_separator for one in self._spans[index + 1 : index + 2])
        if cue.status == "resolved" and is_ended and self._any("finding", self._clause_start(index), index):
            return "before"  # "right effusion resolved, left effusion unchanged"
        if cue.scope == "after" and index and self._spans[index - 1].first == ":":  # "effusion: no, edema: mild"
            end = min(end, self._next("comma", index + 1))
            if cue.status == "possible" and not self._any("named", index + 1, end):  # "effusion: possible small left"
                return "before"
        return "before" if cue.scope == "after" and not self._any("word", index + 1, end) else cue.scope

    def _is_located(self, none: int, following: Span) -> bool:
        """Whether "none" is said of a side or, behind "but", of a place: "in the fissure, but none in the sulci"."""
        before, after = self._spans[max(0, none - 1)].first, self._spans[none + 1].first
        return following.dimension == "side" or (before in ("but", ",") and after in ("in", "at", "within"))
