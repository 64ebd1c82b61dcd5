"""Finds the mentions of a sentence: each finding, its status, and the side, place, size and change stated with it."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from mcp_cxr.language._vocabulary import (
    SIDES,
    Cue,
    FindingEntry,
    Modifier,
    Structure,
    dimensions,
    is_counted,
)
from mcp_cxr.language.reader._findings import findings_in
from mcp_cxr.language.reader._modifiers import denied_sides, modifiers_by_finding
from mcp_cxr.language.reader._places import at_places
from mcp_cxr.language.reader._scopes import Scopes, Status
from mcp_cxr.language.reader._sentences import divide_sentence
from mcp_cxr.language.reader._spans import ALTERNATIVES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mcp_cxr.language.reader._findings import FindingInSentence
    from mcp_cxr.language.reader._spans import Sentence, Span

_PASSING_LABELS = frozenset({"Pneumonia", "Edema"})
"""Findings of these labels that are old are of the past: a previous pneumonia is not there now."""
_SHAPES = frozenset({"tortuous aorta", "ectatic aorta"})
"""Findings that describe one structure, of which "or" doubts none: "aortic ectasia/tortuosity"."""
_DENIED_CHANGES = frozenset({"worse", "new"})
"""Of a denied finding, what alone is denied: "no effusion or new pneumothorax"."""
_GENERAL_DEVICES = frozenset("support device|lines and tubes|tube|catheter".split("|"))
"""Devices whose name may be the heading of others."""
_PLURAL = re.compile(r"\w+(?:[^isu]s|ae|ata)|foci")
"""A word in the plural that names a finding: "granulomas", "metastases"."""
_WEAKEST_FIRST = (Status.ABSENT, Status.POSSIBLE, Status.PRESENT)
"""Statuses; within a mention, the first one prevails."""


class Mention(NamedTuple):
    """A finding, or a word that names none, with its status."""

    text: str
    """As written, in lower case; misspelled names are corrected."""
    stems: tuple[str, ...]
    """Of its words, without stop words."""
    finding: FindingEntry | None
    status: Status
    modifiers: frozenset[str] = frozenset()
    """Values of modifiers.csv: sides, places, sizes, changes, ages and patterns; `resolved` for what is gone."""
    is_history: bool = False
    """Whether it is said of the past, of the family, or of another examination."""
    joined_by: str = ""
    """The separator before it, such as "or"; empty if there is none."""

    @property
    def name(self) -> str:
        """Return the finding's name, else the word."""
        return self.finding.name if self.finding else self.text

    def modifiers_of(self, dimension: str) -> frozenset[str]:
        """Return its modifiers of one dimension, such as `side`."""
        return frozenset(value for value in self.modifiers if dimensions().get(value) == dimension)


@lru_cache(maxsize=8192)  # reports repeat sentences
def mentions_in(sentence: str, *, is_query: bool = False) -> tuple[Mention, ...]:
    """Return the mentions of a sentence or query in their order, without stop words, cues and modifiers of findings.

    Args:
        sentence: One statement.
        is_query: Whether "or" joins alternatives that are asked for; in a report it makes what it joins possible.
    """
    divided = divide_sentence(sentence, is_query=is_query)
    scopes = Scopes(divided)
    found = findings_in(divided)
    found = found if is_query else _without_heading(divided, found)
    mentions = [
        (divided.spans[one.at].start, mention)
        for one, parts, denied in zip(
            found, modifiers_by_finding(divided, found, scopes.polarity), denied_sides(divided, found), strict=True
        )
        for mention in _with_denied_sides(_finding_mentions(divided, scopes, one, parts), denied)
    ]
    if not is_query:
        mentions = _as_differential(divided, mentions, {divided.spans[one.at].start for one in found if one.stated})
    words = _word_mentions(divided, scopes, found)
    return tuple(one for _, one in sorted([*mentions, *words], key=itemgetter(0)))


def changes_denied(query: str) -> tuple[str, ...]:
    """Return the findings of a query of which only a change is denied, as written: of "no new edema", "edema"."""
    divided = divide_sentence(query, is_query=True)
    scopes = Scopes(divided)
    spans = (divided.spans[one.at] for one in findings_in(divided))
    return tuple(
        " ".join(divided.words(span))
        for span in spans
        if scopes.holds("unstated", span.start) and not scopes.holds("resolved", span.start)
    )


def _finding_mentions(
    sentence: Sentence, scopes: Scopes, found: FindingInSentence, parts: Sequence[frozenset[str]]
) -> Iterator[Mention]:
    """Yield the mentions of a finding, one for each part that is described apart; none if nothing is stated of it."""
    span = sentence.spans[found.at]
    is_resolved = scopes.holds("resolved", span.start)
    status = _status(scopes, found, span.start)
    if status is None or (scopes.holds("unstated", span.start) and not is_resolved):
        return
    words = sentence.words(span)
    denies_change = not sentence.is_query and status is Status.ABSENT and found.stated is None
    several = not sentence.is_query and status is not Status.ABSENT and is_counted(found.entry.name)
    for part in parts:
        if several and (_PLURAL.fullmatch(words[-1]) or part.issuperset(SIDES)):
            part |= {"multiple"}
        gone = is_resolved or "resolved" in part
        if denies_change and not gone and not part.isdisjoint(_DENIED_CHANGES):
            continue
        said = Status.ABSENT if gone else status
        for entry, values in at_places(found.entry, part, said, is_query=sentence.is_query):
            yield Mention(
                " ".join(words),
                sentence.stems_of(span),
                entry,
                said,
                modifiers=values | {"resolved"} if gone else values,
                is_history=not is_resolved
                and (scopes.holds("history", span.start) or _is_past(found.entry, sentence.tokens[: span.start])),
                joined_by=_joined_by(sentence.spans, found.at),
            )


def _without_heading(sentence: Sentence, found: list[FindingInSentence]) -> list[FindingInSentence]:
    """Return the findings without a general device that is a heading of others: "tubes: chest tube removed"."""
    if len(found) > 1 and found[0].at == 0 and sentence.spans[1].first == ":":
        general, device = found[0].entry, found[1].entry
        if general.name in _GENERAL_DEVICES and device.kind == "device":
            return found[1:]
    return found


def _with_denied_sides(mentions: Iterator[Mention], denied: frozenset[str]) -> Iterator[Mention]:
    """Yield the mentions of a finding, and that it is absent on the sides that are denied of it."""
    last: Mention | None = None
    for last in mentions:
        yield last
    if last and denied:
        yield last._replace(status=Status.ABSENT, modifiers=denied)


def _status(scopes: Scopes, found: FindingInSentence, token: int) -> Status | None:
    """Return the status of a finding by the cues and by what is said of its structure; None if they name none."""
    status = Status.PRESENT if found.is_with_fault else scopes.status(token)
    if scopes.holds("normal", token) and found.stated in (None, "present"):
        return Status.ABSENT  # "hilar prominence within normal limits"
    if found.stated is None:
        return status
    if status is Status.ABSENT and found.stated != "present":
        return None  # "no normal heart size" names no finding
    if found.stated == "present":  # "the heart may be enlarged"
        status = min(status, *map(scopes.status, found.predicate), key=_WEAKEST_FIRST.index)
    return min(status, Status(found.stated), key=_WEAKEST_FIRST.index)


def _is_past(entry: FindingEntry, before: Sequence[str]) -> bool:
    """Whether the word before the name of a finding says that it was there before ("previous pneumonia")."""
    return entry.label in _PASSING_LABELS and before[-1:] in (["previous"], ["prior"])


def _as_differential(
    sentence: Sentence, mentions: list[tuple[int, Mention]], stated: set[int]
) -> list[tuple[int, Mention]]:
    """Return mentions with those that "or" joins as possible: a report that names alternatives is sure of none.

    "No change in the effusion or atelectasis" names no alternatives, nor does "tortuous or ectatic aorta".

    Args:
        sentence: Whose mentions they are.
        mentions: Each with its token.
        stated: Tokens of structures, of which the findings are said.
    """
    alternatives: set[int] = set()
    for (before, first), (token, one) in pairwise(mentions):
        is_of_one = token == before or {one.name, first.name} <= _SHAPES  # "opacity in the upper or middle lobe"
        if one.joined_by in ALTERNATIVES and not is_of_one:
            alternatives |= {before, token}
    if not alternatives or not {"no", "not", "without"}.isdisjoint(sentence.tokens[: mentions[0][0]]):
        return mentions
    return [
        (token, one._replace(status=Status.POSSIBLE))
        if token in alternatives and token not in stated and _is_observed(one)
        else (token, one)
        for token, one in mentions
    ]


def _is_observed(mention: Mention) -> bool:
    """Whether a mention states that a finding, which is no device, is present."""
    return mention.finding is not None and mention.finding.kind != "device" and mention.status is Status.PRESENT


def _word_mentions(
    sentence: Sentence, scopes: Scopes, found: Sequence[FindingInSentence]
) -> Iterator[tuple[int, Mention]]:
    """Yield the words that are no finding, each with its token; cues and stop words are left out.

    Of a query also the modifiers, and what is said of a structure ("enlarged" of "heart not enlarged").
    """
    taken = {one.at for one in found}
    said = frozenset(token for one in found for token in one.predicate) if sentence.is_query else frozenset[int]()
    for index, span in enumerate(sentence.spans):
        if index in taken or isinstance(span.entry, Cue) or span.is_separator or not span.first.isalnum():
            continue
        if sentence.is_query and (isinstance(span.entry, Modifier) or span.start in said):
            continue
        if stems := sentence.stems_of(span):
            text = span.first if len(stems) == span.end - span.start == 1 else " ".join(sentence.words(span))
            history = scopes.holds("history", span.start)
            yield span.start, Mention(text, stems, None, scopes.status(span.start), is_history=history)


def _joined_by(spans: Sequence[Span], at: int) -> str:
    """Return the separator between a finding and the one before it."""
    joined = ""
    for span in reversed(spans[:at]):
        if isinstance(span.entry, FindingEntry | Structure):
            break
        if span.is_separator:
            joined = joined or span.first
        if span.is_cue("end") or (joined and span.is_cue("possible")):  # "deformity, possibly healing or old fracture"
            return "" if span.is_cue("possible") else joined
    return joined
