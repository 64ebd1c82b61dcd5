"""Finds where a clause or a statement of its own begins, which ends the scope of the cues before it."""

from __future__ import annotations

from bisect import bisect_left
from functools import cached_property
from typing import TYPE_CHECKING

from mcp_cxr.language._vocabulary import SIDES, FindingEntry, Modifier, Structure
from mcp_cxr.language.reader._span_index import IndexedSentence, is_named
from mcp_cxr.language.reader._spans import VERBS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp_cxr.language._vocabulary import Cue
    from mcp_cxr.language.reader._spans import Span

_MOST_AFTER_NOT = 3  # tokens between "not" and what it denies: "has not been removed"
_COPULAS = frozenset({"is", "are", "appears", "remains"})
_VERBS_OF_STRUCTURES = ("is", "are", "appears", "remains", "has")
_PARTICIPLES = ("ed", "tortuous", "ectatic")
"""Ends of words that are said of a structure behind it."""
_LARGEST = frozenset({"large"})
"""Sizes that are denied as often as stated: "no consolidation, large effusion"."""
_OF_SPOTS = frozenset({"patchy", "streaky", "scattered"})
"""Patterns of what is there."""
_SEEN = frozenset(
    "seen identified evident visualized present demonstrated appreciated detected found observed apparent noted".split()
)
"""What a denied list is said not to be: "no effusion, pneumothorax is seen"."""
_OF_THE_NEXT = frozenset({"possible", "probable", "questionable", "suspected"})
"""Doubts of the next finding alone: "possible edema with effusion", not "may be edema with ..."."""
_DOUBTING = frozenset("likely possible possibly probable probably perhaps questionable may".split())
"""Cues that begin a doubt of what follows: "opacity, likely scar"."""
_STANDING = frozenset({"unchanged", "old", "improved"})
"""Modifiers of what is there."""


class Clauses(IndexedSentence):
    """Where the scope of a cue begins and ends."""

    def _end_after(self, index: int, span: Span, cue: Cue) -> int:
        """Return the index of the span at which the scope of a cue for what follows it ends."""
        ends = [self._next("end", index + 1)]
        if cue.status in ("absent", "unstated", "resolved"):
            ends += self._new_statements(index, is_resolved=cue.status == "resolved")
        if cue.status in ("absent", "unstated", "possible", "resolved"):
            ends.append(self._new_clause(index, span))
        if cue.status == "possible" and span.first in _DOUBTING and (not index or self._spans[index - 1].first == ","):
            ends.append(self._first(self._sized_after_commas, self._next("noun", index + 1)))
        if cue.status == "unstated":  # "no new effusion, no pneumothorax"
            ends.append(self._first(self._denials_after_commas, index + 2))
        if cue.status == "resolved":  # "removal of the tube without pneumothorax"
            ends.append(self._next("denial", index + 1))
        return min(ends)

    def _start_before(self, index: int, span: Span, cue: Cue) -> int:
        """Return the index of the first span in the scope of a cue for what precedes it."""
        is_answer = index > 0 and self._spans[index - 1].first == ":"  # "effusion: none"
        starts = [self._clause_start(index - is_answer)]
        firsts, findings = self._later_statements
        later = bisect_left(findings, index)
        starts += firsts[max(0, later - 1) : later]
        start = max([*starts, *self._last_of_statements(index, cue)])
        is_pronoun = span.first == "none" or (start and self._spans[start - 1].first in ("which", "that"))
        is_of_before = is_pronoun or self._ends_clause(index, cue)  # "effusion was seen in May, but has cleared"
        if is_of_before and not self._any("named", start, index):  # "evaluation for edema is limited, but none is seen"
            named = bisect_left(self._all("finding"), index)
            start = min([start, *self._all("finding")[max(0, named - 1) : named]])
        return start

    def _ends_clause(self, index: int, cue: Cue) -> bool:
        """Whether a cue that denies ends its clause, so that it is said of what was named before, wherever that was."""
        rest = self._spans[index + 1 : self._next("end", index + 1)]
        is_denied = "not" in self._tokens[max(0, self._token(index) - _MOST_AFTER_NOT) : self._token(index)]
        is_last = not any(isinstance(span.entry, Modifier) for span in rest)
        return cue.status in ("resolved", "absent") and is_last and not is_denied

    def _last_of_statements(self, index: int, cue: Cue) -> Iterator[int]:
        """Yield where the finding before a cue begins, if it is no list: "cardiomegaly, pneumonia not excluded"."""
        commas = bisect_left(self._all("comma"), index)
        if not commas or cue.status not in ("possible", "absent", "resolved"):
            return
        last = self._all("comma")[commas - 1]
        if self._any("list", last, index) or not self._any("named", last, index):
            return
        if cue.status == "possible" or self._any("described", 0, last):
            yield last + 1

    @cached_property
    def _later_statements(self) -> tuple[list[int], list[int]]:
        """The indices at which lists of statements go on, and those of the findings that follow.

        "Effusion is small, pneumothorax is not seen": a cue after the second finding does not concern the first.
        """
        starts, findings = list[int](), list[int]()
        is_said = seen_finding = False
        for at, span in enumerate(self._spans):
            if span.is_cue("end"):
                is_said = seen_finding = False
            elif span.first in (",", "and") and is_said and (finding := self._finding_at(at + 1)):
                starts.append(at + 1)
                findings.append(finding)
                is_said = seen_finding = False
            seen_finding = seen_finding or is_named(span)
            words = self._tokens[span.start : span.end]
            is_said = is_said or (seen_finding and not is_named(span) and not VERBS.isdisjoint(words))
        return starts, findings

    def _new_clause(self, index: int, span: Span) -> int:
        """Return where, after a denial or doubt of a finding, a clause or a finding that is there begins.

        "No effusion seen, nodules suggest infection"; "likely scar, old fracture noted"; "possible edema with small
        effusion".
        """
        kind = (span.is_cue("possible"), span.first in _OF_THE_NEXT)
        if kind not in self._indices:
            self._indices[kind] = [at for at in self._all("join") if self._begins_clause(at, *kind)]
        named = self._next("noun", index + 1)
        return min(self._first(self._indices[kind], named), self._first(self._within_findings, named))

    @cached_property
    def _denials_after_commas(self) -> list[int]:
        return [at for at in self._all("denial") if at and self._spans[at - 1].first == ","]

    @cached_property
    def _within_findings(self) -> list[int]:
        """The indices of "in" before a finding that is there and the place of another: "fracture in the old plate"."""
        places = [at for at, span in enumerate(self._spans) if span.first in ("in", "within", "of")]
        spans = self._spans[1:]
        return [at for at in places if at < len(spans) and spans[at].first == "the" and self._finding_at(at + 1)]

    @cached_property
    def _sized_after_commas(self) -> list[int]:
        """The commas before what is there in some size or change: "opacity, likely scar, and small effusion"."""
        found = list[int]()
        for at in self._all("comma"):
            following = self._spans[at + 1 : at + 3]
            first = at + 1 + (bool(following) and following[0].first == "and")
            is_sized = any(span.dimension in ("size", "change") for span in self._spans[first : first + 1])
            if is_sized and not self._any("alternative", first, self._next("end", first)):
                found.append(at)
        return found

    def _begins_clause(self, at: int, is_doubt: bool, is_of_next: bool) -> bool:  # kinds of cues
        """Whether a comma, "and" or "with" begins something new after a cue, which may be a doubt."""
        end = self._next("end", at + 1)
        if not self._any("named", at + 1, end):
            return False
        joined, first = self._spans[at].first, self._spans[at + 1]
        if joined == "," and first.first in _DOUBTING and first.is_cue("possible"):
            return not is_doubt
        if joined == "with":
            return is_of_next or first.dimension in ("size", "change")
        values = first.entry.values if isinstance(first.entry, Modifier) else ()
        if joined == "," and (not _STANDING.isdisjoint(values) or self._spans[at - 1].first in _SEEN):
            return not self._any("alternative", at + 1, end)
        return self._has_own_verb(at + 1, end) or (joined == "," and self._affirms(at + 1, end))

    def _affirms(self, start: int, end: int) -> bool:
        """Whether a clause behind one denied finding says that another is there: "edema is present"."""
        if self._any("mark", self._clause_start(start - 1), start - 1) or self._any("list", start, end):
            return False
        end = min(end, self._next("mark", start))
        named = self._spans[self._next("named", start)]
        if not _COPULAS.isdisjoint(self._tokens[named.start : named.end]):  # "heart is enlarged"
            return True
        clause = self._spans[start:end]
        said = {one.first for one in clause}
        is_described = any(one.dimension in ("side", "place", "size", "change") for one in clause)
        is_standing = any(isinstance(one.entry, Modifier) and "unchanged" in one.entry.values for one in clause)
        return is_standing or {"is", "present"} <= said or (is_described and not said.isdisjoint(("noted", "present")))

    def _has_own_verb(self, start: int, end: int) -> bool:
        """Whether a clause says something of its first finding, not merely that a denied list is not seen."""
        at = self._next("verb", start)
        if at >= end or self._any("break", start, at + 1) or not self._any("named", start, at):
            return False
        following = self._spans[at + 1].first if at + 1 < end else ""
        return following not in _SEEN and self._spans[at].first not in _SEEN

    def _new_statements(self, index: int, *, is_resolved: bool) -> Iterator[int]:
        """Yield where, after a denial, something new is said: "and small effusion", ", heart is enlarged"."""
        finding = self._next("finding", index + 1)
        kind = ("statement", is_resolved)
        if kind not in self._indices:
            self._indices[kind] = [at for at in range(len(self._spans) - 1) if self._begins_statement(at, is_resolved)]
        yield self._first(self._indices[kind], finding - 1)
        for side, other in (SIDES, SIDES[::-1]):  # "no left effusion, small right effusion"
            at = self._first(self._of_one_side[side], max(finding - 1, self._next(other, index)))
            if not self._any(side, index, at + 1):
                yield at

    def _begins_statement(self, at: int, is_resolved: bool) -> bool:  # kinds of cues
        """Whether "and", a comma, "the" or "with" begins something new after any denial."""
        joined, following = self._spans[at].first, self._spans[at + 1]
        if self._spans[at].entry is not None or joined not in ("and", ",", "the", "with"):
            return False
        if joined == "with" and (is_resolved or following.dimension in ("size", "change")):
            return True
        if isinstance(following.entry, Structure):
            after = self._spans[at + 2 : at + 3]  # "heart is enlarged", "aorta tortuous"
            is_described = joined == "," and any(one.first.endswith(_PARTICIPLES) for one in after)
            return is_described or any(one.first in _VERBS_OF_STRUCTURES for one in self._spans[at + 1 : at + 5])
        if joined == "and" and isinstance(following.entry, Modifier):
            before = self._spans[at - 1]
            is_removed = is_resolved and following.dimension == "side" and self._is_device(self._finding_at(at + 1))
            if not is_removed:  # "removal of the PICC and left chest tube"
                return isinstance(before.entry, FindingEntry) or before.first == ","
        return joined == "," and self._describes_a_finding(at + 1)

    def _is_device(self, index: int | None) -> bool:
        entry = self._spans[index].entry if index is not None else None
        return isinstance(entry, FindingEntry) and entry.kind == "device"

    def _describes_a_finding(self, start: int) -> bool:
        """Whether a clause behind a denial says how a finding is, as of one that is there: "small effusion"."""
        first, end = self._spans[start], self._next("end", start)
        if self._any("list", start, end):
            return False
        if self._tokens[first.start + 1 : first.end] == ["enlarged"]:  # "heart enlarged"
            return True
        is_last = not self._any("mark", start, end)
        values = first.entry.values if isinstance(first.entry, Modifier) else ()
        if first.dimension == "size":
            commas = [at for at in self._all("comma") if start < at < end]
            is_list = all(isinstance(self._spans[at + 1].entry, Modifier) for at in commas if at + 1 < len(self._spans))
            return is_last or (is_list and not _LARGEST.issuperset(values))
        return is_last and not (_OF_SPOTS | {*SIDES}).isdisjoint(values)

    @cached_property
    def _of_one_side(self) -> dict[str, list[int]]:
        """By side, the commas before a size that is said of that side alone."""
        found: dict[str, list[int]] = {side: [] for side in SIDES}
        for at in self._all("comma"):
            if at + 1 < len(self._spans) and self._spans[at + 1].dimension == "size":
                end = self._next("mark", at + 1)
                said = [side for side in SIDES if self._any(side, at + 1, end)]
                if len(said) == 1:
                    found[said[0]].append(at)
        return found
