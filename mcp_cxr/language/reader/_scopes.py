"""Finds the status of each token of a sentence, by the cues in its clause."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

from mcp_cxr.language._vocabulary import SIDES, Cue, FindingEntry, Modifier, Structure
from mcp_cxr.language.reader._spans import VERBS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mcp_cxr.language.reader._spans import Sentence, Span

_NEAR = 3  # tokens between a finding and what is said of it alone
_MOST_BEFORE = 8  # articles and modifiers before a finding, or words for an examination before its verb
_ASSERTING = VERBS | frozenset(
    "suggest suggests represent represents reflect reflects measures measure shows demonstrates indicate indicates"
    " projects project terminates ends overlies overlie courses persist noted".split()
)
"""Verbs of a statement of its own."""
_EXPLAINING_VERBS = frozenset("represent represents reflect reflects indicate indicates has have".split())
"""Verbs whose subject is there, whatever is said of it."""
_SHOWED = ("showed", "demonstrated", "revealed")
_OTHER_EXAMINATIONS = frozenset({"previous", "prior", "earlier", "previously", "formerly", "ct", "mri"})
_WHERE = frozenset({"on", "in", "at"})
_BEFORE_NAMES = frozenset(
    "the a an and known superimposed underlying associated concurrent adjacent questioned seen noted described"
    " early some other".split()
)
_ADJECTIVES = ("al", "ic", "ive", "ous", "ary", "ent", "ing")
_NO_ADJECTIVES = frozenset("considering including regarding during following obscuring present".split())
"""Words that end as adjectives do."""
_COPULAS = frozenset({"is", "are", "appears", "remains"})
_VERBS_OF_STRUCTURES = ("is", "are", "appears", "remains", "has")
_SEEN = frozenset(
    "seen identified evident visualized present demonstrated appreciated detected found observed apparent noted".split()
)
"""What a denied list is said not to be: "no effusion, pneumothorax is seen"."""
_NO_FINDINGS = frozenset(
    "artifact artifacts artifactual shadow shadows structures overlap positioning technique disease process abnormality"
    " abnormalities injury injuries pathology".split()
)
"""What an image shows that names no finding."""
_OF_THE_NEXT = frozenset({"possible", "probable", "questionable", "suspected"})
"""Doubts of the next finding alone: "possible edema with effusion", not "may be edema with ..."."""
_DOUBTING = frozenset("likely possible possibly probable probably perhaps questionable may".split())
_CHANGING = frozenset(
    "worsening increase increasing increasingly enlarging progression progressing growth growing improvement improving"
    " decrease decreasing regression developing development new newly".split()
)
"""First words of a change that is denied: "no evidence of worsening edema" does not deny edema."""
_BEFORE_CHANGES = frozenset(
    "any interval significant substantial appreciable definite obvious convincing suspicious residual further"
    " the".split()
)
_STANDING = frozenset({"unchanged", "old", "improved"})
"""Modifiers of what is there."""
_PARTS_OF_DEVICES = frozenset({"tip", "tips", "end", "sidehole", "sideholes", "course"})
"""What may be out of sight of a device that is there: "the tip of the tube is not seen"."""


class Status(StrEnum):
    """Whether a mentioned finding is there."""

    PRESENT = "present"
    POSSIBLE = "possible"
    ABSENT = "absent"


def _is_adjective(span: Span) -> bool:
    """Whether a word that no table knows may describe a finding: "atypical infection", "passive atelectasis"."""
    return span.entry is None and span.first.endswith(_ADJECTIVES) and span.first not in _NO_ADJECTIVES


def _may_precede_change(span: Span) -> bool:
    """Whether a word says nothing of whether a finding is there: "no significant acute worsening"."""
    return span.first in _BEFORE_CHANGES or span.dimension in ("age", "pattern")


def _is_named(span: Span) -> bool:
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
    "named": lambda span, _: _is_named(span),
    "finding": lambda span, _: isinstance(span.entry, FindingEntry),
    "noun": lambda span, _: isinstance(span.entry, FindingEntry) or span.first in _NO_FINDINGS,
    "word": lambda span, tokens: any(map(str.isalnum, tokens[span.start : span.end])),
    "verb": lambda span, tokens: not _is_named(span) and not _ASSERTING.isdisjoint(tokens[span.start : span.end]),
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
"""Kinds of spans, each with what is asked of a span and the tokens of its sentence."""


class Scopes:
    """The status of each token of a sentence, by the cues in its clause.

    What follows or precedes a cue is looked up in sorted indices of spans, so that a long sentence takes no longer than
    its words in short ones.
    """

    def __init__(self, sentence: Sentence) -> None:
        self._tokens, self._spans = sentence.tokens, sentence.spans
        self._indices: dict[object, Sequence[int]] = {}
        self._covered: dict[str, bytearray] = {}
        for index, span in enumerate(self._spans):
            if isinstance(span.entry, Cue) and span.entry.scope:
                cue = replace(span.entry, status="unstated") if self._denies_change(index) else span.entry
                for first, end in self._ranges(index, span, cue):
                    self._cover(cue.status, first, end)
            elif self._says_of_the_past(index) and self._is_of_another_examination(index):
                self._cover("history", index + 1, self._next("end", index + 1))
            elif self._was_on_another_examination(index):
                self._cover("history", self._clause_start(index), index)

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
        start, stop = self._token(first), self._token(end)
        self._covered.setdefault(status, bytearray(len(self._tokens)))[start:stop] = b"\1" * (stop - start)

    def _denies_change(self, index: int) -> bool:
        """Whether a cue denies a change of what follows, not that it is there."""
        if not self._spans[index].is_cue("absent"):
            return False
        following = self._spans[index + 1 : index + _MOST_BEFORE]
        one = next((one for one in following if one.dimension == "change" or not _may_precede_change(one)), None)
        words = self._tokens[one.start : one.end] if one and one.dimension == "change" else ()
        return not _CHANGING.isdisjoint(words)

    def _says_of_the_past(self, index: int) -> bool:
        before, verb = self._spans[max(0, index - 1)].first, self._spans[index].first
        return verb in _SHOWED or (before == "there" and verb in ("was", "were"))

    def _is_of_another_examination(self, verb: int) -> bool:
        """Whether a verb says what another examination showed: "the previous radiograph from May showed edema"."""
        before = self._tokens[max(0, self._token(verb) - _MOST_BEFORE) : self._token(verb)]
        return not _OTHER_EXAMINATIONS.isdisjoint(before) and not self._any("named", 0, verb)

    def _was_on_another_examination(self, verb: int) -> bool:
        """Whether a clause ends by saying where something was before: "an effusion was seen on the prior exam"."""
        if self._spans[verb].first not in ("was", "were") or self._spans[verb - 1].first in ("that", "which"):
            return False
        behind = self._tokens[self._token(verb) + 1 :]
        is_there = bool(_WHERE.intersection(behind[:2])) and not _OTHER_EXAMINATIONS.isdisjoint(behind)
        return is_there and VERBS.isdisjoint(behind) and not self._any("named", verb, len(self._spans))

    def _token(self, index: int) -> int:
        return self._spans[index].start if index < len(self._spans) else len(self._tokens)

    def _all(self, kind: _Kind) -> Sequence[int]:
        """Return the indices of all spans of a kind."""
        if kind not in self._indices:
            is_one, tokens = _KINDS[kind], self._tokens
            self._indices[kind] = [at for at, span in enumerate(self._spans) if is_one(span, tokens)]
        return self._indices[kind]

    def _next(self, kind: _Kind, start: int) -> int:
        """Return the index of the first span of a kind from one on; the number of spans if there is none."""
        return self._first(self._all(kind), start)

    def _any(self, kind: _Kind, start: int, end: int) -> bool:
        return self._next(kind, start) < end

    def _first(self, indices: Sequence[int], start: int) -> int:
        at = bisect_left(indices, start)
        return indices[at] if at < len(indices) else len(self._spans)

    def _ranges(self, index: int, span: Span, cue: Cue) -> Iterator[tuple[int, int]]:
        """Yield the first span of each range in the scope of a cue, and the span that ends it."""
        end = self._end_after(index, span, cue)
        if cue.scope == "previous":
            before = bisect_left(self._all("named"), index)
            for at in self._all("named")[max(0, before - 1) : before]:
                if span.start - self._token(at + 1) <= _NEAR:
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
        if self._spans[index].first == "none" and (one := next(following, None)) and one.dimension == "side":
            return ""  # "left effusion, none on the right": `denied_sides` reads it
        if cue.scope == "nearest" and any(one.dimension == "age" for one in self._spans[index + 1 : index + 2]):
            return ""  # "is likely chronic"
        if cue.scope == "nearest":  # "is likely a scar", "a scar is likely"
            is_after = self._finding_at(index + 1) is not None or (
                self._any("named", index + 1, end) and not self._any("named", self._clause_start(index), index)
            )
            return "after" if is_after else "before"
        if cue.scope == "after" and index and self._spans[index - 1].first == ":":  # "effusion: no, edema: mild"
            end = min(end, self._next("comma", index + 1))
        return "before" if cue.scope == "after" and not self._any("word", index + 1, end) else cue.scope

    def _clause_start(self, index: int) -> int:
        ends = bisect_left(self._all("end"), index)
        return self._all("end")[ends - 1] + 1 if ends else 0

    def _start_before(self, index: int, span: Span, cue: Cue) -> int:
        """Return the index of the first span in the scope of a cue for what precedes it."""
        is_answer = index > 0 and self._spans[index - 1].first == ":"  # "effusion: none"
        starts = [self._clause_start(index - is_answer)]
        firsts, findings = self._later_statements
        later = bisect_left(findings, index)
        starts += firsts[max(0, later - 1) : later]
        start = max([*starts, *self._last_of_statements(index, cue)])
        is_pronoun = span.first == "none" or (start and self._spans[start - 1].first in ("which", "that"))
        if is_pronoun and not self._any("named", start, index):  # "evaluation for edema is limited, but none is seen"
            named = bisect_left(self._all("named"), index)
            start = min([start, *self._all("named")[max(0, named - 1) : named]])
        return start

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
            seen_finding = seen_finding or _is_named(span)
            words = self._tokens[span.start : span.end]
            is_said = is_said or (seen_finding and not _is_named(span) and not VERBS.isdisjoint(words))
        return starts, findings

    def _finding_at(self, at: int) -> int | None:
        """Return the index of the finding that follows after articles and modifiers alone."""
        for index, span in enumerate(self._spans[at : at + _MOST_BEFORE], start=at):
            if not (isinstance(span.entry, Modifier) or span.first in _BEFORE_NAMES or _is_adjective(span)):
                return index if isinstance(span.entry, FindingEntry) else None
        return None

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
            return any(one.first in _VERBS_OF_STRUCTURES for one in self._spans[at + 1 : at + 5])
        if joined == "and" and isinstance(following.entry, Modifier):
            before = self._spans[at - 1]
            return isinstance(before.entry, FindingEntry) or before.first == ","
        is_last = not self._any("list", at + 1, end := self._next("end", at + 1)) and not self._any("mark", at + 1, end)
        return joined == "," and following.dimension == "size" and is_last  # "no consolidation, small effusion"

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
