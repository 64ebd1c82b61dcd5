"""Gives findings of a list the side, place, size and change that is stated once for all of them."""

from __future__ import annotations

from itertools import pairwise, takewhile
from typing import TYPE_CHECKING

from mcp_cxr.language._vocabulary import Cue, FindingEntry, Modifier, dimensions, finding_entries, is_any_of
from mcp_cxr.language.reader._modifier_values import SIZES, values_of
from mcp_cxr.language.reader._places import BONES, SPINE, is_skeletal
from mcp_cxr.language.reader._spans import ALTERNATIVES, PLURAL_VERBS, SEPARATORS, VERBS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mcp_cxr.language.reader._findings import FindingInSentence
    from mcp_cxr.language.reader._modifier_values import IndexedValues
    from mcp_cxr.language.reader._spans import Sentence, Span

_ADJACENT = frozenset("adjacent associated overlying underlying surrounding subjacent accompanying compressive".split())
"""Words for what is at the place of the finding before."""
_DIRECTED = frozenset({"mediastinal shift", "tracheal deviation"})
"""Findings whose side is where something went: "deviated to the right by a goiter"."""
_BETWEEN_LISTED = frozenset({",", "and", "the", "a", "an", "chest", "wall"})
"""Words between the findings of a list, besides modifiers."""
_ON_ONE_SIDE = frozenset(
    "central venous catheter|chest tube|pacemaker|implantable cardioverter defibrillator".split("|")
)
"""Devices, with their narrower ones, that a query lists by their side: "right PICC or port"."""
_EXPLAINING = frozenset(
    "with by reflect reflects reflecting represent represents representing indicate indicates indicating".split()
)
"""Words between a finding and what is said to explain it."""


def separates(span: Span) -> bool:
    """Return whether a span ends the phrase of a finding."""
    return isinstance(span.entry, Cue) or span.first in SEPARATORS or span.first in _EXPLAINING


def shares_side(finding: str) -> bool:
    """Return whether a query that lists a finding beside others gives one side to all: "right PICC or port"."""
    return finding_entries()[finding].shares_side or is_any_of(finding, _ON_ONE_SIDE)


def share_places(
    sentence: Sentence,
    found: Sequence[FindingInSentence],
    own: list[list[set[str]]],
    polarity: Callable[[int], tuple[bool, bool]],
) -> None:
    """Give the side and place of a finding to those listed with it, and to what explains it, that have none."""
    located = [{value for part in parts for value in part if dimensions()[value] in ("side", "place")} for parts in own]
    for source, target in _neighbors(len(found)) if any(located) else ():
        entry, other = found[target].entry, found[source].entry
        takes_side = shares_side(entry.name) if sentence.is_query else entry.shares_side
        if not located[source] or located[target] or not _takes_place_of(entry, other, takes_side=takes_side):
            continue
        if polarity(sentence.spans[found[source].at].start) != polarity(sentence.spans[found[target].at].start):
            continue
        if not _are_at_one_place(sentence, found, source, target):
            continue
        shared = located[source] - {"mediastinum"} if takes_side else located[source] & SPINE
        if not is_skeletal(entry.name):
            shared -= BONES
        own[target][0] |= shared
        located[target] = shared


def _are_at_one_place(sentence: Sentence, found: Sequence[FindingInSentence], source: int, target: int) -> bool:
    """Whether a finding is where its neighbor in a list is, or where what it explains is."""
    first, second = (found[index] for index in sorted((source, target)))
    gap = sentence.spans[first.at + 1 : second.at]
    is_cause = any(one.first == "by" for one in gap)
    if (first.stated and not is_cause) or second.stated or not _continues(gap):
        return False
    if target < source and (sentence.is_query or _is_accompanied(sentence, gap, sentence.spans[second.at])):
        return False
    if sentence.is_query and not _are_alternatives(sentence, found[min(source, target) :]):
        return False
    return not _are_statements(sentence.spans, first.at, second.at)


def _are_alternatives(sentence: Sentence, found: Sequence[FindingInSentence]) -> bool:
    """Whether the first two findings are joined by "or", or by a comma of a list that "or" ends."""
    for one, following in pairwise(found):
        words = {span.first for span in sentence.spans[one.at + 1 : following.at]}
        if not words.isdisjoint(ALTERNATIVES):
            return True
        if "," not in words:
            return False
    return False


def share_changes(
    sentence: Sentence, own: dict[int, list[IndexedValues]], polarity: Callable[[int], tuple[bool, bool]]
) -> None:
    """Give the change that is said of a list to all in it.

    "Right effusion and left opacity are unchanged"; "no change in the effusion and opacity".
    """
    _share_changes_after(sentence, own, polarity)
    _share_changes_before(sentence, own, polarity)


def _share_changes_after(
    sentence: Sentence, own: dict[int, list[IndexedValues]], polarity: Callable[[int], object]
) -> None:
    """Add a change behind a list to its earlier findings: "effusion and edema are unchanged"."""
    spans = sentence.spans
    changes: list[IndexedValues] = []
    is_list = False
    for last, before in pairwise(reversed(own)):
        changes = [
            (index, values)
            for index, values in own[last]
            if (index, values) in changes
            or (index > last and dimensions()[values[0]] == "change" and _is_of_several(spans[last + 1 : index + 1]))
        ]
        gap = spans[before + 1 : last]
        is_both = any(spans[index - 1].first == "both" for index, _ in changes)  # "edema with effusion, both unchanged"
        is_listed = is_both or (
            all(_goes_on_with_list(sentence, span) for span in gap)
            and (is_list or any(span.first == "and" for span in gap))
        )
        is_alike = polarity(spans[before].start) == polarity(spans[last].start)
        is_list = bool(changes) and is_listed and is_alike and not _is_changed(own[before])
        if is_list:
            own[before] += changes


def _share_changes_before(
    sentence: Sentence, own: dict[int, list[IndexedValues]], polarity: Callable[[int], object]
) -> None:
    """Add a change before a list to its later findings: "no change in the effusion and opacity"."""
    spans = sentence.spans
    for first, second in pairwise(own):
        changes = [
            (index, values)
            for index, values in own[first]
            if index < first and dimensions()[values[0]] == "change" and _is_of_what_follows(spans, index)
        ]
        is_listed = all(_goes_on_with_list(sentence, span) or span.first == "or" for span in spans[first + 1 : second])
        is_alike = polarity(spans[first].start) == polarity(spans[second].start)
        if changes and is_listed and is_alike and not _is_changed(own[second]):
            own[second] = [*changes, *own[second]]


def _is_of_what_follows(spans: Sequence[Span], change: int) -> bool:
    """Whether a change is said of a list after it: "no change in", "unchanged position of"."""
    noun = spans[change + 1].first in ("position", "positions", "positioning", "appearance", "size")
    return any(span.first in ("in", "of") for span in spans[change + 1 + noun : change + 2 + noun])


def _is_changed(own: Sequence[IndexedValues]) -> bool:
    return any(dimensions()[values[0]] == "change" for _, values in own)


def _is_of_several(spans: Sequence[Span]) -> bool:
    """Whether a change is said with a verb in the plural and nothing else between, or after "both" or "all"."""
    if [span.first for span in spans[-2:-1]] in (["both"], ["all"]):
        return True
    return any(span.first in PLURAL_VERBS for span in spans) and not any(separates(span) for span in spans)


def _goes_on_with_list(sentence: Sentence, span: Span) -> bool:
    """Whether a span may stand between two findings of one list."""
    is_joined = span.entry is None or span.is_cue("end")  # ", a"
    return isinstance(span.entry, Modifier) or (is_joined and _BETWEEN_LISTED.issuperset(sentence.words(span)))


def _takes_place_of(entry: FindingEntry, other: FindingEntry, *, takes_side: bool) -> bool:
    """Whether a finding that has no side or place is where the other finding of its list is.

    A line and an effusion need not be on one side, a chest tube and a pneumothorax are; what is in the spine may be in
    the same part of it.
    """
    if other.name in _DIRECTED:
        return False
    if not takes_side:
        return is_skeletal(entry.name) and is_skeletal(other.name)
    return (other.kind == "device") is (entry.kind == "device") or other.name == "chest tube"


def share_sizes(sentence: Sentence, found: Sequence[FindingInSentence], own: list[list[set[str]]]) -> None:
    """Give the size before the first of two alternatives to the second: "minimal scarring or atelectasis"."""
    for first, second, parts, others in zip(found, found[1:], own, own[1:], strict=False):
        words = [one.first for one in sentence.spans[first.at + 1 : second.at]]
        is_listed = words == [","] and sentence.is_query and _are_alternatives(sentence, found[found.index(first) :])
        if words not in (["or"], ["and", "or"]) and not is_listed:
            continue
        is_amount = first.entry.is_sized and not second.entry.is_sized  # "small effusion or scarring"
        if first.stated or second.stated or is_amount or any(not part.isdisjoint(SIZES) for part in others):
            continue
        for part in others:
            part.update(SIZES.intersection(*parts))


def _are_statements(spans: Sequence[Span], first: int, second: int) -> bool:
    """Whether two findings have a verb each: "right effusion persists, and pneumonia is possible"."""
    gap = spans[first + 1 : second]
    verb = next((at for at, span in enumerate(gap) if span.first in VERBS), len(gap))
    following = takewhile(lambda span: not span.is_separator, spans[second + 1 : second + 4])
    return any(span.first in (",", "and") for span in gap[verb:]) and any(one.first in VERBS for one in following)


def _is_accompanied(sentence: Sentence, gap: Sequence[Span], source: Span) -> bool:
    """Whether what is listed with a finding has a place before its name: "consolidation with a left nodule"."""
    words = [one.first for one in gap]
    if {"with", "and"}.isdisjoint(words) or not {"consistent", "compatible", "keeping", "or"}.isdisjoint(words):
        return False
    named = () if "of" in sentence.words(source) else values_of(sentence, source)  # "collapse of the left lower lobe"
    values = [*named, *(value for one in gap for value in values_of(sentence, one))]
    return any(dimensions()[value] in ("side", "place") for value in values)


def _neighbors(count: int) -> Iterator[tuple[int, int]]:
    """Yield each index of a list with the next one, then from the end each with the one before."""
    yield from ((n - 1, n) for n in range(1, count))
    yield from ((n, n - 1) for n in range(count - 1, 0, -1))


def _continues(gap: Sequence[Span]) -> bool:
    """Whether nothing between two findings begins another statement or changes the polarity.

    "Opacity, which may represent pneumonia" and "left effusion, with adjacent atelectasis" go on.
    """
    explains = any(span.first in _EXPLAINING or span.is_cue("possible") for span in gap)
    ends = (at for at, span in enumerate(gap) if span.is_cue("end"))
    goes_on = all(
        (explains and gap[at].first == "which") or any(span.first in _ADJACENT for span in gap[at + 1 : at + 2])
        for at in ends
    )
    return goes_on and not any(
        span.first in (";", ":", "?") or span.is_cue("absent", "resolved", "unstated", "history") for span in gap
    )
