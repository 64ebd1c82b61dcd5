"""Attaches the sides, places, sizes and changes of a sentence to its findings.

Modifiers belong to the finding whose phrase they stand in: those before it, back to the last comma, conjunction or
finding; and those after it, up to the next one.
"""

from __future__ import annotations

import re
from itertools import combinations, compress, takewhile
from typing import TYPE_CHECKING

from mcp_cxr.language._vocabulary import (
    SIDES,
    FindingEntry,
    Modifier,
    dimensions,
)
from mcp_cxr.language.reader._modifier_values import NAMING_SIZES, SIZES, values_of
from mcp_cxr.language.reader._modifiers_of_others import is_of_other, is_where_it_ends, without_other_clauses
from mcp_cxr.language.reader._places import is_skeletal
from mcp_cxr.language.reader._shared_modifiers import separates, share_changes, share_places, share_sizes
from mcp_cxr.language.reader._spans import PLURAL_VERBS, SEPARATORS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mcp_cxr.language.reader._findings import FindingInSentence
    from mcp_cxr.language.reader._modifier_values import IndexedValues
    from mcp_cxr.language.reader._spans import Sentence, Span

_LIST_SEPARATORS = SEPARATORS | {"to"}
"""Words between the modifiers of a list or a range: "small to moderate"."""
_CHANGES_WITHOUT_DEGREE = frozenset({"new", "unchanged"})
"""Changes that have no degree: in "small new effusion", "small" is the size of the effusion."""
_LEVEL = re.compile(r"t([1-9]|1[0-2])|l[1-5]|c[1-7]")
"""A vertebra: "T5"."""
_PAIRED_PLACES = frozenset("bases apices lobes lungs zones fields hila".split())
"""Places in the plural that are on both sides: "in the bases"."""
_PAIRED = frozenset("diaphragms hemidiaphragms angles sulci recesses hila hemithoraces".split())
"""Words in the plural for what there is one of on each side: in a place, and in the name of a finding or structure."""
_ONE_OF = frozenset({"one", "either"})
"""Words of which a place in the plural is on one side only: "one of the bases"."""
_MOST_BEFORE_PLACE = 3  # tokens from "one" to the place: "one of the bases"
_JOINING = frozenset({"and", "or", "but", "to"})
"""Words between the modifiers of a phrase."""
_AMOUNTS = frozenset("amount amounts area areas degree volume component focus foci".split())
"""Words between a size and its finding: "small amount of fluid"."""
_LOCATING = frozenset(
    "in at on over near within along throughout overlying involving projecting is are was were be appears"
    " appear remains remain also now both this that".split()
)
"""Words before modifiers that say where or how the finding before them is."""


def modifiers_by_finding(
    sentence: Sentence, found: Sequence[FindingInSentence], polarity: Callable[[int], tuple[bool, bool]]
) -> list[tuple[frozenset[str], ...]]:
    """Return the modifiers of each finding, once for each part of it that is described apart.

    "Effusions, large left and small right" are two parts. In a report, a finding without any shares those of its list;
    in a query, only the alternatives of "or" do.

    Args:
        sentence: The sentence.
        found: Its findings.
        polarity: Returns whether what a token names is denied, and whether it has resolved; findings that differ in
            this share no modifiers.
    """
    if not found:
        return []
    is_affirmed = [not any(polarity(sentence.spans[one.at].start)) for one in found]
    affirmed = [one and not sentence.is_query for one in is_affirmed]
    described = _by_phrase(sentence, found, polarity, affirmed)
    share_places(sentence, found, described, polarity)
    if all(is_affirmed):
        share_sizes(sentence, found, described)
    for one, parts in compress(zip(found, described, strict=True), affirmed):
        if not _PAIRED.isdisjoint(sentence.words(sentence.spans[one.at])):
            _add_both_sides(parts)
    return [
        tuple(frozenset(part - SIZES) if one.stated == "absent" else frozenset(part) for part in parts)
        for one, parts in zip(found, described, strict=True)
    ]


def _by_phrase(
    sentence: Sentence,
    found: Sequence[FindingInSentence],
    polarity: Callable[[int], tuple[bool, bool]],
    affirmed: Sequence[bool],
) -> list[list[set[str]]]:
    """Return the modifiers of each part of each finding: those in its phrase, and the changes of its list."""
    own = _own_modifiers(sentence, found)
    if not sentence.is_query:
        share_changes(sentence, own, polarity)
    described = [_parts(own[one.at], one.at, sentence.spans) for one in found]
    for one, parts in compress(zip(found, described, strict=True), affirmed):
        if _is_at_both(sentence, [index for index, _ in own[one.at] if index != one.at]):
            _add_both_sides(parts)
    return described


def _own_modifiers(sentence: Sentence, found: Sequence[FindingInSentence]) -> dict[int, list[IndexedValues]]:
    """Return, by the index of each finding's span, the modifiers in its phrase, each with the index of its span."""
    own: dict[int, list[IndexedValues]] = {one.at: [] for one in found}
    places = [*own]
    devices = {one.at for one in found if one.entry.kind == "device"}
    said = frozenset[int]().union(*(one.predicate for one in found))
    of_volumes = frozenset[int]().union(*(one.predicate for one in found if one.entry.name == "low lung volumes"))
    for index, span in enumerate(sentence.spans):
        values = values_of(sentence, span) if span.entry is not None else ()
        if not values or span.start in of_volumes or (span.start in said and _is_predicate_alone(sentence, span)):
            continue
        if is_of_other(sentence.spans, places, index):
            continue
        if not _is_denied(sentence.spans, index) and not _is_degree(sentence, index, said):
            at = places[_owner(sentence.spans, places, index)]
            if at < index and at in devices and is_where_it_ends(sentence.spans, at, index, own[at]):
                continue
            is_level = values[-1].endswith(" spine") and _is_level(sentence.words(span))
            if not is_level or any(one.at == at and is_skeletal(one.entry.name) for one in found):
                own[at].append((index, values))
    if sentence.is_query:
        return own
    apart = {at: without_other_clauses(sentence.spans, at, values) for at, values in own.items()}
    return {at: _without_density(sentence, at, values) for at, values in apart.items()}


def _without_density(sentence: Sentence, at: int, own: list[IndexedValues]) -> list[IndexedValues]:
    """Return the modifiers of a finding without an "increased" that says how dense it is, not how it changed.

    "Increased" before a finding is dense if another change is stated: "increased opacity has improved" is improved,
    "stable increased opacity" is unchanged. It stays a change if sides are stated both before and behind the finding.
    """
    changes = [index for index, values in own if dimensions()[values[0]] == "change"]
    if len(changes) == 1:
        return own
    is_sided = [{values[0] in SIDES for index, values in own if (index < at) is before} for before in (True, False)]
    is_apart = all(True in sides for sides in is_sided)
    first = next((one for one in changes if sentence.spans[one].first == "increased" and one < at), at)
    is_idle = first - 1 in changes or (any(one > at for one in changes) and not is_apart)
    return [(index, values) for index, values in own if index != first or not is_idle or index == at]


def _parts(of_finding: Sequence[IndexedValues], at: int, spans: Sequence[Span]) -> list[set[str]]:
    """Return the modifiers of one finding.

    One set per side if the sides differ in another modifier ("small left and large right"), else one set.

    Args:
        of_finding: The index of each span with modifiers of the finding, and the modifiers.
        at: The index of the span of the finding.
        spans: Of the sentence.
    """
    parts = _parts_in_order(of_finding, at, spans)
    sided = [part for part in parts if not part.isdisjoint(SIDES)]
    if len(sided) > len(SIDES):  # "bibasilar, large on the right and small on the left"
        parts = [_without_sides(part, parts) if part.issuperset(SIDES) else part for part in parts]
        sided = [part for part in parts if not part.isdisjoint(SIDES)]
    common = set[str]().union(*(part for part in parts if part.isdisjoint(SIDES)))
    sided = [set(part) for part in dict.fromkeys(map(frozenset, sided))]
    if not any(_differ(first, second) for first, second in combinations(sided, 2)):
        return [common.union(*sided)]
    common |= _of_all(sided)
    return [part | common for part in sided if not any(part < other for other in sided)]


def _without_sides(both: set[str], parts: Sequence[set[str]]) -> set[str]:
    """Return what is said of both sides, without what is said of each of them."""
    stated = {dimensions()[value] for part in parts if part != both for value in part}
    return {value for value in both if dimensions()[value] not in stated}


def _parts_in_order(of_finding: Sequence[IndexedValues], at: int, spans: Sequence[Span]) -> list[set[str]]:
    """Return the modifiers of one finding, divided at separators, at plural verbs and at the finding."""
    parts: list[set[str]] = [set()]
    previous = 0
    for index, values in of_finding:
        is_apart = any(span.is_separator for span in spans[previous + 1 : index])
        if index > at and spans[index].dimension == "change":  # "in the right apex and left base have worsened"
            is_apart = is_apart or any(span.first in PLURAL_VERBS for span in spans[max(at, previous) + 1 : index])
        is_apart = is_apart or (spans[previous].dimension == "change" and spans[previous + 1].first in ("in", "of"))
        is_sided = previous < at < index and not parts[-1].isdisjoint(SIDES)
        if spans[index].dimension == "change" and not parts[-1].issuperset(SIDES):
            is_sided = False  # "right effusion increased, left decreased"
        if parts[-1] and (is_apart or is_sided):
            parts.append(set())
        parts[-1].update(values)
        previous = index
    return parts


def _is_at_both(sentence: Sentence, indices: Sequence[int]) -> bool:
    """Whether a place among some spans is one of each side: "at the bases", not "at one of the bases"."""
    spans = [sentence.spans[index] for index in indices]
    return any(
        sentence.words(span)[-1] in _PAIRED_PLACES
        and _ONE_OF.isdisjoint(sentence.tokens[max(0, span.start - _MOST_BEFORE_PLACE) : span.start])
        for span in spans
    )


def _add_both_sides(parts: list[set[str]]) -> None:
    """Add both sides to the modifiers of a finding of which no side is stated."""
    if all(part.isdisjoint(SIDES) for part in parts):
        for part in parts:
            part |= {*SIDES}


def _of_all(sided: Sequence[set[str]]) -> set[str]:
    """Return what the first part alone states of a dimension: "patchy right upper and left lower lobe opacities"."""
    stated = {dimensions()[value] for part in sided[1:] for value in part} | {"side", "place"}
    return {value for value in sided[0] if dimensions()[value] not in stated}


def _differ(first: set[str], second: set[str]) -> bool:
    """Whether two parts must stay separate.

    They share a side and are not equal, or they state different values of a dimension other than side.
    """
    if first & second & set(SIDES):
        return first != second
    by_dimension = [{(dimensions()[value], value) for value in part if value not in SIDES} for part in (first, second)]
    return any(one[0] == other[0] and one != other for one in by_dimension[0] for other in by_dimension[1])


def denied_sides(sentence: Sentence, found: Sequence[FindingInSentence]) -> list[frozenset[str]]:
    """Return the sides that are denied of each finding after it: "left effusion, not right"."""
    none = frozenset[str]()
    if not found or not any(span.is_cue("absent") for span in sentence.spans):
        return [none] * len(found)
    places = list(dict.fromkeys(one.at for one in found))
    denied = dict.fromkeys(places, none)
    for index, span in enumerate(sentence.spans):
        if span.dimension == "side" and _is_denied(sentence.spans, index):
            at = places[_owner(sentence.spans, places, index)]
            if at < index:
                denied[at] |= set(values_of(sentence, span))
    return [denied[one.at] for one in found]


def _is_level(words: Sequence[str]) -> bool:
    """Whether words name a level of the spine, where a tube may end, rather than the spine: "T4", "lower thoracic"."""
    return words[-1] in ("thoracic", "cervical", "midthoracic") or _LEVEL.fullmatch(words[-1]) is not None


def _is_predicate_alone(sentence: Sentence, span: Span) -> bool:
    """Whether a change or size is but the predicate of a structure ("lung volumes are decreased", "heart is large").

    "Has increased" is a change.
    """
    if span.dimension == "size":
        return span.first in NAMING_SIZES
    return span.dimension == "change" and sentence.tokens[span.start - 1] not in ("has", "have")


def _is_degree(sentence: Sentence, index: int, said: frozenset[int]) -> bool:
    """Whether a size says how much something changed ("slightly larger"); in "mild improving edema" it does not.

    Or how much it is anything else that is not said of a structure ("slightly withdrawn").
    """
    spans = sentence.spans
    if {dimensions()[value] for value in values_of(sentence, spans[index])} != {"size"}:
        return False
    if index and index + 1 == len(spans) and spans[index].first.endswith("ly"):  # "has improved slightly"
        return sentence.tokens[spans[index].start - 1].endswith(("ed", "n"))
    following = next((one for one in spans[index + 1 :] if one.first != "interval"), None)
    is_adverb = spans[index].first.endswith("ly") or spans[index].first == "somewhat"
    if following and following.entry is None and is_adverb:
        return following.first.isalpha() and following.first not in _LIST_SEPARATORS and following.start not in said
    if following is None or following.dimension != "change" or following.start in said:
        return False
    if set(values_of(sentence, following)) & _CHANGES_WITHOUT_DEGREE:
        return False
    is_noun = sentence.tokens[following.end : following.end + 1] in (["of"], ["in"])
    return is_adverb or is_noun or not sentence.words(following)[-1].endswith("ing")


def _is_denied(spans: Sequence[Span], index: int) -> bool:
    """Whether a span is a modifier without finding that is denied after one: "not right", "no acute process"."""
    if not isinstance(spans[index].entry, Modifier):
        return False
    at = index - 1
    while at > 0 and (isinstance(spans[at].entry, Modifier) or spans[at].first in ("on", "in", "at", "the")):
        at -= 1
    if at < 0 or not spans[at].is_cue("absent"):
        return False
    clause = [*_clause(spans, index)]
    is_stated = at > 0 or any(one.entry is None and one.first.isalpha() for one in clause)
    return is_stated and not any(isinstance(one.entry, FindingEntry) for one in clause)


def _clause(spans: Sequence[Span], index: int) -> Iterator[Span]:
    """Yield the spans after one, up to the next separator or end of a clause."""
    return takewhile(lambda one: not one.is_separator and not one.is_cue("end"), spans[index + 1 :])


def _owner(spans: Sequence[Span], places: Sequence[int], index: int) -> int:
    """Return which finding a modifier belongs to, as an index of `places`, which has at least one."""
    if index in places:
        return places.index(index)
    before = max((n for n, at in enumerate(places) if at < index), default=None)
    after = min((n for n, at in enumerate(places) if at > index), default=None)
    if before is None or after is None:
        return before or 0
    earlier = [span.first for span in spans[places[before] + 1 : index] if separates(span)]
    start = _phrase_start(spans, places[after])
    if start <= index and (earlier or _is_after_verb(spans, places[before], start)):
        return after
    later = [span.first for span in spans[index + 1 : places[after]] if separates(span)]
    if later and later != ["by"]:
        return before
    if later:  # "the right lung is clear, the left obscured by effusion"
        return after if "," in earlier else before
    is_predicate = places[after] == index + 1 and spans[index - 1].first in ("is", "are")  # "are mildly hyperinflated"
    return after if earlier or is_predicate else before


def _phrase_start(spans: Sequence[Span], finding: int) -> int:
    """Return where the modifiers before a finding begin: "small right and large left effusion"."""
    start = finding
    while start > 1:
        one, before = spans[start - 1], spans[start - 2]
        is_joint = isinstance(spans[start].entry, Modifier) and isinstance(before.entry, Modifier)
        is_joint = is_joint and one.first in _JOINING
        is_aside = one.first == "," and (_compares_sides(spans[start]) or _compares_sides(before))
        is_amount = one.first in _AMOUNTS or (one.first == "of" and before.first in _AMOUNTS)
        if not (isinstance(one.entry, Modifier) or is_joint or is_aside or is_amount):
            break
        start -= 1
    return start


def _compares_sides(span: Span) -> bool:
    """Whether a span is an aside such as "left greater than right"."""
    return isinstance(span.entry, Modifier) and {*span.entry.values} == {*SIDES} and span.first in SIDES


def _is_after_verb(spans: Sequence[Span], finding: int, start: int) -> bool:
    """Whether a word such as a verb stands between a finding and the modifiers of the next: "shows mild edema"."""
    before = next((one for one in reversed(spans[finding + 1 : start]) if one.first not in ("a", "an", "the")), None)
    return before is not None and before.entry is None and before.first.isalpha() and before.first not in _LOCATING
