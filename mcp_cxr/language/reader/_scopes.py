"""Finds the status of each token of a sentence, by the cues in its clause."""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from mcp_cxr.language._vocabulary import SIDES, Cue, FindingEntry, Modifier, Structure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mcp_cxr.language.reader._spans import Sentence, Span

_NEAR = 3  # tokens between a finding and what is said of it alone
_MOST_BEFORE = 8  # articles and modifiers before a finding
_VERBS = frozenset(
    {"is", "are", "was", "were", "has", "have", "had", "appears", "appear", "remains", "remain", "persists"}
)
_ASSERTING = _VERBS | frozenset(
    "suggest suggests represent represents reflect reflects measures measure shows demonstrates indicate indicates"
    " projects project terminates ends overlies overlie courses persist noted".split()
)
"""Verbs of a statement of its own."""
_SEEN = frozenset(
    "seen identified evident visualized present demonstrated appreciated detected found observed apparent noted".split()
)
"""What a denied list is said not to be: "no effusion, pneumothorax is seen"."""
_NO_FINDINGS = frozenset(
    "artifact artifacts artifactual shadow shadows structures overlap positioning technique disease process abnormality"
    " abnormalities injury injuries pathology".split()
)
"""What an image shows that names no finding."""
_DOUBTING = frozenset("likely possible possibly probable probably perhaps questionable may".split())
_STANDING = frozenset({"unchanged", "old", "improved"})
"""Modifiers of what is there."""
_PARTS_OF_DEVICES = frozenset({"tip", "tips", "end", "sidehole", "sideholes", "course"})
"""What may be out of sight of a device that is there: "the tip of the tube is not seen"."""


class Status(StrEnum):
    """Whether a mentioned finding is there."""

    PRESENT = "present"
    POSSIBLE = "possible"
    ABSENT = "absent"


class Scopes:
    """The status of each token of a sentence, by the cues in its clause."""

    def __init__(self, sentence: Sentence) -> None:
        self._tokens, self._spans = sentence.tokens, sentence.spans
        self._covered: dict[str, set[int]] = {}
        cues = [(index, one, one.entry) for index, one in enumerate(self._spans) if isinstance(one.entry, Cue)]
        self._ends = [span for _, span, cue in cues if cue.status == "end"]
        for index, span, cue in cues:
            if cue.scope:
                covered = self._covered.setdefault(cue.status, set())
                for start, end in self._ranges(index, span, cue):
                    covered.update(range(start, end))

    def holds(self, status: str, token: int) -> bool:
        """Whether a token is in the scope of a cue for `status`."""
        return token in self._covered.get(status, ())

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

    def _ranges(self, index: int, span: Span, cue: Cue) -> Iterator[tuple[int, int]]:
        """Yield the ranges of tokens in the scope of a cue, each within its clause."""
        end = self._end_after(index, span, cue)
        is_last = cue.scope == "after" and not any(token.isalnum() for token in self._tokens[span.end : end])
        if cue.scope == "previous":
            before = next((one for one in reversed(self._spans[:index]) if _is_named(one)), None)
            if before and span.start - before.end <= _NEAR:
                yield before.start, before.end
        if cue.scope == "next":
            following = (one.end for one in self._spans[index + 1 :] if _is_named(one))
            yield span.end, min(end, next(following, span.end))
        is_of_next = self._tokens[span.end - 1] == "likely" and self._finding_at(index + 1)  # "is likely a scar"
        if cue.scope in ("after", "both") or is_of_next:
            yield span.end, end
        if not is_of_next and (cue.scope in ("before", "both") or is_last):
            tail = [one.end for one in self._ends if one.end <= span.start]
            if span.first == ":":  # "effusion: none"
                tail = [one.end for one in self._ends if one.end < span.start]
            tail += (start for start, finding in self._later_statements if finding < index)
            tail += self._last_of_statements(index, cue)
            start = max(tail, default=0)
            if cue.status != "absent" or _PARTS_OF_DEVICES.isdisjoint(self._tokens[start : span.start]):
                yield start, span.start

    def _last_of_statements(self, index: int, cue: Cue) -> Iterator[int]:
        """Yield where the finding before a cue begins, if it is no list: "cardiomegaly, pneumonia not excluded"."""
        commas = [at for at, span in enumerate(self._spans[:index]) if span.first == "," and span.entry is None]
        if not commas or cue.status not in ("possible", "absent", "resolved"):
            return
        last, before = self._spans[commas[-1] : index], self._spans[: commas[-1]]
        if any(span.first in ("and", "or", "nor") for span in last) or not any(_is_named(span) for span in last):
            return
        if cue.status == "possible" or any(
            span.dimension in ("size", "change") or span.is_cue("absent") for span in before
        ):
            yield last[0].end

    @cached_property
    def _later_statements(self) -> tuple[tuple[int, int], ...]:
        """Where lists of statements go on, as tokens, and the indices of the findings that follow.

        "Effusion is small, pneumothorax is not seen": a cue after the second finding does not concern the first.
        """
        found = list[tuple[int, int]]()
        is_said = seen_finding = False
        for at, span in enumerate(self._spans):
            if span.is_cue("end"):
                is_said = seen_finding = False
            elif span.first in (",", "and") and is_said and (finding := self._finding_at(at + 1)):
                found.append((span.end, finding))
                is_said = seen_finding = False
            seen_finding = seen_finding or _is_named(span)
            words = self._tokens[span.start : span.end]
            is_said = is_said or (seen_finding and not _is_named(span) and not _VERBS.isdisjoint(words))
        return tuple(found)

    def _finding_at(self, at: int) -> int | None:
        """Return the index of the finding that follows after articles and modifiers alone."""
        for index, span in enumerate(self._spans[at : at + _MOST_BEFORE], start=at):
            if not isinstance(span.entry, Modifier) and span.first not in ("the", "a", "an", "and"):
                return index if isinstance(span.entry, FindingEntry) else None
        return None

    def _end_after(self, index: int, span: Span, cue: Cue) -> int:
        """Return the token at which the scope of a cue for what follows it ends."""
        ends = [one.start for one in self._ends if one.start >= span.end]
        if cue.status in ("absent", "unstated", "resolved"):
            ends += self._new_statements(index)
        if cue.status in ("absent", "unstated", "possible"):
            ends += self._new_clauses(index)
        if cue.status == "resolved":  # "removal of the tube without pneumothorax"
            ends += [one.start for one in self._spans[index + 1 :] if one.is_cue("absent")]
        return min(ends, default=len(self._tokens))

    def _new_clauses(self, index: int) -> Iterator[int]:
        """Yield where, after a denial or doubt of a finding, a clause or a finding that is there begins.

        "No effusion seen, nodules suggest infection"; "likely scar, old fracture noted"; "possible edema with small
        effusion".
        """
        seen_finding = False
        for at in range(index + 1, len(self._spans) - 1):
            span = self._spans[at]
            if seen_finding and span.entry is None and span.first in (",", "and", "with") and self._begins(index, at):
                yield span.start
            seen_finding = seen_finding or isinstance(span.entry, FindingEntry) or span.first in _NO_FINDINGS

    def _begins(self, index: int, at: int) -> bool:
        """Whether a comma, "and" or "with" begins something new after a cue."""
        joined, clause = self._spans[at].first, self._clause(at + 1)
        if not any(_is_named(span) for span in clause):
            return False
        if joined == "," and clause[0].first in _DOUBTING and clause[0].is_cue("possible"):
            return not self._spans[index].is_cue("possible")
        values = clause[0].entry.values if isinstance(clause[0].entry, Modifier) else ()
        if joined == "with":
            return self._is_adjective(index) or clause[0].dimension in ("size", "change")
        if joined == "," and (not _STANDING.isdisjoint(values) or self._spans[at - 1].first in _SEEN):
            return all(span.first not in ("or", "nor") for span in clause)
        return self._has_own_verb(clause)

    def _clause(self, at: int) -> Sequence[Span]:
        """Return the spans from one on, up to the end of its clause."""
        end = next((n for n in range(at, len(self._spans)) if self._spans[n].is_cue("end")), len(self._spans))
        return self._spans[at:end]

    def _is_adjective(self, index: int) -> bool:
        """Whether a doubt is of the next finding alone: "possible edema with effusion", not "may be edema with ..."."""
        return self._spans[index].first in ("possible", "probable", "questionable", "suspected")

    def _has_own_verb(self, clause: Sequence[Span]) -> bool:
        """Whether a clause says something of its first finding, not merely that a denied list is not seen."""
        for at, span in enumerate(clause):
            if span.first in (",", "or", "nor") or isinstance(span.entry, Cue):
                return False
            words = self._tokens[span.start : span.end]
            if not _is_named(span) and not _ASSERTING.isdisjoint(words):
                following = clause[at + 1].first if at + 1 < len(clause) else ""
                return following not in _SEEN and any(_is_named(one) for one in clause[:at]) and words[0] not in _SEEN
        return False

    def _new_statements(self, index: int) -> Iterator[int]:
        """Yield where, after a denial, something new is said: "and small effusion", ", heart is enlarged"."""
        seen_finding = False
        for at in range(index + 1, len(self._spans)):
            span, before = self._spans[at], self._spans[at - 1]
            joined = before.first if before.entry is None else ""
            seen_finding = seen_finding or isinstance(span.entry, FindingEntry)
            if not seen_finding or joined not in ("and", ",", "the", "with"):
                continue
            is_after_finding = isinstance(self._spans[at - 2].entry, FindingEntry) or self._spans[at - 2].first == ","
            if joined == "with" and (span.dimension in ("size", "change") or self._spans[index].is_cue("resolved")):
                yield before.start
            if joined == "and" and isinstance(span.entry, Modifier) and is_after_finding:
                yield before.start
            if isinstance(span.entry, Structure) and self._has_verb(at):
                yield before.start
            if (
                joined == ","
                and span.dimension == "size"
                and (self._is_of_other_side(index, at) or self._is_last_of_list(at))
            ):
                yield before.start

    def _is_of_other_side(self, denial: int, at: int) -> bool:
        """Whether a comma joins the denial of one side and what is said of the other: "no left X, small right X"."""
        end = next((n for n in range(at, len(self._spans)) if self._spans[n].first in (",", ";")), None)
        denied, said = _sides(self._spans[denial:at]), _sides(self._spans[at:end])
        return bool(denied and said) and not denied & said

    def _is_last_of_list(self, at: int) -> bool:
        """Whether no "or", comma or "and" follows in the clause: "no consolidation, small effusion"."""
        end = next((n for n in range(at, len(self._spans)) if self._spans[n].is_cue("end")), len(self._spans))
        return all(span.first not in ("or", "nor", ",", "and") for span in self._spans[at:end])

    def _has_verb(self, at: int) -> bool:
        return any(span.first in ("is", "are", "appears", "remains", "has") for span in self._spans[at : at + 4])


def _is_named(span: Span) -> bool:
    return isinstance(span.entry, FindingEntry | Structure)


def _sides(spans: Sequence[Span]) -> set[str]:
    entries = (span.entry for span in spans)
    return {value for entry in entries if isinstance(entry, Modifier) for value in entry.values if value in SIDES}
