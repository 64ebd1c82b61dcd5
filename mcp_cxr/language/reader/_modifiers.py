"""Attaches the sides, places, sizes and changes of a sentence to its findings.

Modifiers belong to the finding whose phrase they stand in: those before it, back to the last comma, conjunction or
finding; and those after it, up to the next one.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from itertools import chain, combinations, pairwise, takewhile
from typing import TYPE_CHECKING

from mcp_cxr.language._vocabulary import (
    SIDES,
    TOKEN,
    Cue,
    FindingEntry,
    Modifier,
    ancestors,
    dimensions,
    normalize,
)
from mcp_cxr.language.reader._spans import ALTERNATIVES, SEPARATORS, divide_sentence, modifier_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mcp_cxr.language.reader._findings import FindingInSentence
    from mcp_cxr.language.reader._spans import Sentence, Span

_NAMED_BY_OTHER_WORDS = frozenset(
    {
        "abdominal pain",
        "aortic aneurysm",  # "abdominal aortic aneurysm"
        "bowel",  # "small bowel"
        "fat pad",  # "mediastinal fat"
        "left ventricular enlargement",
        "low lung volumes",  # "lower lung volumes"
        "neurostimulator",  # "spinal stimulator"
        "pacemaker",  # "right ventricular lead"
        "pneumomediastinum",  # "air in the mediastinum"
        "pneumoperitoneum",  # "free abdominal air"
        "rotator cuff disease",  # "high riding humeral head"
        "sternal wires",
        "vascular congestion",  # "upper lobe diversion"
        "ventricular assist device",  # "left ventricular assist device"
    }
)
"""Findings and structures whose names have words for a side, place or size that state none."""
_SIZES = frozenset({"small", "moderate", "large", "borderline"})
"""Of a finding that a predicate denies they say how sure that is: "the heart is not grossly enlarged"."""
_OF_LISTS = SEPARATORS | {"to"}
_NO_AMOUNT = frozenset({"new", "unchanged"})
"""Changes that are not small or large."""
_OTHERWISE_IN_NAMES = frozenset({"thoracic", "cervical", "neck", "minor"})
"""Words that state nothing in a name: "thoracic aorta", "cervical rib", "humeral neck", "minor fissure"."""
_NAMING_SIZES = frozenset({"large", "big", "small"})
_LEVEL = re.compile(r"t([1-9]|1[0-2])|l[1-5]|c[1-7]")
_SPINE = frozenset({"spine", "cervical spine", "thoracic spine", "lumbar spine"})
_BONES = _SPINE | {"rib", "clavicle", "humerus", "shoulder", "scapula", "sternum"}
"""Places that a finding of a bone shares with no other: "no rib fracture or pneumothorax"."""
_SKELETAL = frozenset(
    "fracture|dislocation|bone deformity|degenerative change|osteopenia|osteoporosis|bone lesion|sclerosis|osteophyte"
    "|scoliosis|kyphosis|lordosis|arthritis|orthopedic hardware|vertebroplasty|spondylolisthesis|schmorl node"
    "|metastasis|diffuse idiopathic skeletal hyperostosis|hypertrophic changes of the spine|bone abnormality".split("|")
)
"""Findings, with their narrower ones, that are at a level of the spine."""
_PAIRED_PLACES = frozenset("bases apices lobes lungs zones fields hila".split())
_PAIRED = frozenset("diaphragms hemidiaphragms angles sulci recesses hila hemithoraces".split())
"""Words in the plural for what there is one of on each side: in a place, and in the name of a finding or structure."""
_ONE_OF = frozenset({"one", "either"})
_NEAR = 3  # tokens before a place
_JOINING = frozenset({"and", "or", "but", "to"})
"""Words between the modifiers of a phrase."""
_AMOUNTS = frozenset("amount amounts area areas degree volume component focus foci".split())
"""Words between a size and its finding: "small amount of fluid"."""
_LOCATING = frozenset(
    "in at on over near within along throughout overlying involving projecting is are was were be appears"
    " appear remains remain also now both this that".split()
)
"""Words before modifiers that say where or how the finding before them is."""
_OTHER_NOUNS = frozenset("aeration ventilation expansion inflation visualization penetration rotation".split())
"""What may be improved or small, and is no finding."""
_MOST_MODIFIERS = 6  # before such a noun
_PLURAL = frozenset("are were remain have appear continue persist".split())
_OF_HEART_AND_AORTA = frozenset(
    "cardiomegaly|left ventricular enlargement|pericardial effusion|tortuous aorta|ectatic aorta|aortic aneurysm"
    "|aortic calcification|aortic atherosclerosis|enlarged cardiomediastinum".split("|")
)
"""Findings that are where their structure is: "stable cardiomegaly and mediastinal contours"."""
_DIRECTED = frozenset({"mediastinal shift", "tracheal deviation"})
"""Findings whose side is where something went: "deviated to the right by a goiter"."""
_EXPLAINING = frozenset(
    "with by reflect reflects reflecting represent represents representing indicate indicates indicating".split()
)
"""Words between a finding and what is said to explain it."""


def modifiers_by_finding(
    sentence: Sentence, found: Sequence[FindingInSentence], polarity: Callable[[int], tuple[bool, bool]]
) -> list[tuple[frozenset[str], ...]]:
    """Return the modifiers of each finding, once for each part of it that is described apart.

    In a report, a finding without any shares those of its list; in a query, only the alternatives of "or" do.

    Args:
        sentence: The sentence.
        found: Its findings.
        polarity: Whether what a token names is denied, and whether it is gone; unlike findings share nothing.
    """
    if not found:
        return []
    own = _own_modifiers(sentence, found)
    if not sentence.is_query:
        _share_changes(sentence, own, polarity)
    described = [
        [
            {value for value in part if one.entry.name not in _OF_HEART_AND_AORTA or dimensions()[value] != "place"}
            for part in _parts(own[one.at], one.at, sentence.spans)
        ]
        for one in found
    ]
    affirmed = [
        (one, parts)
        for one, parts in zip(found, described, strict=True)
        if not sentence.is_query and not any(polarity(sentence.spans[one.at].start))
    ]
    for one, parts in affirmed:
        if _is_at_both(sentence, [index for index, _ in own[one.at] if index != one.at]):
            _add_both_sides(parts)
    _share(sentence, found, described, polarity)
    if len(affirmed) == len(found):
        _share_sizes(sentence, found, described)
    for one, parts in affirmed:
        if not _PAIRED.isdisjoint(sentence.words(sentence.spans[one.at])):
            _add_both_sides(parts)
    return [
        tuple(frozenset(part - _SIZES) if one.stated == "absent" else frozenset(part) for part in parts)
        for one, parts in zip(found, described, strict=True)
    ]


def _own_modifiers(
    sentence: Sentence, found: Sequence[FindingInSentence]
) -> dict[int, list[tuple[int, tuple[str, ...]]]]:
    """Return the modifiers in the phrase of each finding, each after its index, by that of the finding."""
    own: dict[int, list[tuple[int, tuple[str, ...]]]] = {one.at: [] for one in found}
    places = [*own]
    said = frozenset[int]().union(*(one.predicate for one in found))
    for index, span in enumerate(sentence.spans):
        values = values_of(sentence, span) if span.entry is not None else ()
        if not values or (span.start in said and _is_predicate_alone(sentence, span)):
            continue
        if _is_of_other_noun(sentence.spans, index):
            continue
        if not _is_denied(sentence.spans, index) and not _is_degree(sentence, index, said):
            at = places[_owner(sentence.spans, places, index)]
            is_level = values[-1].endswith(" spine") and _is_level(sentence.words(span))
            if not is_level or any(one.at == at and _is_skeletal(one.entry.name) for one in found):
                own[at].append((index, values))
    return own


def values_of(sentence: Sentence, span: Span) -> tuple[str, ...]:
    """Return the modifiers in a span: its own, and those in the name of a structure or finding ("lung base").

    A word for a change in a name states none ("increased markings"), and "thoracic aorta" is not at the spine.
    In a query, a modifier inside a finding's name counts only if it states a side or a place that the finding need not
    have: "hilar mass" requires the hilum, but "big heart" no size and "air in the mediastinum" no place.
    """
    if span.entry is None or isinstance(span.entry, Cue):
        return ()
    if isinstance(span.entry, Modifier):
        return span.entry.values
    if span.entry.name in _NAMED_BY_OTHER_WORDS:
        return ()
    is_sized = not isinstance(span.entry, FindingEntry) or span.entry.is_sized
    words = tuple(sentence.words(span))
    stated = _stated_in_name(words, is_of_spine=_is_of_spine(span.entry.name), is_sized=is_sized)
    if sentence.is_query and isinstance(span.entry, FindingEntry):
        stated = tuple(values for values in stated if dimensions()[values[-1]] in ("side", "place"))
    return tuple(chain.from_iterable(stated))


def modifiers_in(query: str) -> tuple[str, ...]:
    """Return the words of a query that state a side, place, size or change, as written."""
    sentence = divide_sentence(query, is_query=True)
    return tuple(
        " ".join(sentence.words(span))
        for span in sentence.spans
        if not isinstance(span.entry, FindingEntry) and values_of(sentence, span)
    )


def modifier_values(text: str) -> frozenset[str]:
    """Return the values of the modifiers that the words of a text state."""
    return frozenset(value for values in _stated(tuple(TOKEN.findall(normalize(text)))) for value in values)


@lru_cache(maxsize=8192)
def _stated_in_name(tokens: tuple[str, ...], *, is_of_spine: bool, is_sized: bool) -> tuple[tuple[str, ...], ...]:
    """Return the values of the modifiers in a name; "large" in "large heart" is no degree."""
    stated = (
        values
        for first, length, values in _stated_at(tokens)
        if (is_of_spine or length > 1 or first.removesuffix("s") not in _OTHERWISE_IN_NAMES)
        and (is_sized or first not in _NAMING_SIZES)
    )
    return tuple(values for values in stated if dimensions()[values[0]] != "change")


@lru_cache(maxsize=8192)
def _stated(tokens: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Return the values of each modifier among tokens."""
    return tuple(values for _, _, values in _stated_at(tokens))


def _stated_at(tokens: tuple[str, ...]) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """Yield the first token of each modifier, its number of tokens, and its values."""
    at = 0
    while at < len(tokens):
        length, modifier = modifier_at(tokens, at) or (1, None)
        if modifier:
            yield tokens[at], length, modifier.values
        at += length


def _parts(of_finding: Sequence[tuple[int, tuple[str, ...]]], at: int, spans: Sequence[Span]) -> list[set[str]]:
    """Return the modifiers of one finding.

    One set per side if the sides differ in another modifier ("small left and large right"), else one set.

    Args:
        of_finding: The index of each span with modifiers of the finding, and the modifiers.
        at: The index of the span of the finding.
        spans: Of the sentence.
    """
    parts: list[set[str]] = [set()]
    if not of_finding:
        return parts
    previous = 0
    for index, values in of_finding:
        is_apart = any(span.is_separator for span in spans[previous + 1 : index])
        is_apart = is_apart or (spans[previous].dimension == "change" and spans[previous + 1].first in ("in", "of"))
        if parts[-1] and (is_apart or (previous < at < index and not parts[-1].isdisjoint(SIDES))):
            parts.append(set())
        parts[-1].update(values)
        previous = index
    sided = [part for part in parts if not part.isdisjoint(SIDES)]
    if len(sided) > len(SIDES):  # "bilateral, large on the right and small on the left"
        parts = [part for part in parts if part != {*SIDES}]
        sided = [part for part in parts if not part.isdisjoint(SIDES)]
    common = set[str]().union(*(part for part in parts if part.isdisjoint(SIDES)))
    sided = [set(part) for part in dict.fromkeys(map(frozenset, sided))]
    if not any(_differ(first, second) for first, second in combinations(sided, 2)):
        return [common.union(*sided)]
    common |= _of_all(sided)
    return [part | common for part in sided if not any(part < other for other in sided)]


def _is_at_both(sentence: Sentence, indices: Sequence[int]) -> bool:
    """Whether a place among some spans is one of each side: "at the bases", not "at one of the bases"."""
    spans = [sentence.spans[index] for index in indices]
    return any(
        sentence.words(span)[-1] in _PAIRED_PLACES
        and _ONE_OF.isdisjoint(sentence.tokens[max(0, span.start - _NEAR) : span.start])
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


@cache
def _is_of_spine(name: str) -> bool:
    return any(part in name for part in ("spin", "spondyl", "vertebr"))


@cache
def _is_skeletal(finding: str) -> bool:
    return not _SKELETAL.isdisjoint((finding, *ancestors(finding)))


def _is_level(words: Sequence[str]) -> bool:
    """Whether words name a level of the spine, where a tube may end, rather than the spine: "T4", "lower thoracic"."""
    return words[-1] in ("thoracic", "cervical", "midthoracic") or _LEVEL.fullmatch(words[-1]) is not None


def _is_predicate_alone(sentence: Sentence, span: Span) -> bool:
    """Whether a change or size is but the predicate of a structure ("lung volumes are decreased", "heart is large").

    "Has increased" is a change.
    """
    if span.dimension == "size":
        return span.first in _NAMING_SIZES
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
        return following.first.isalpha() and following.first not in _OF_LISTS and following.start not in said
    if following is None or following.dimension != "change" or following.start in said:
        return False
    if set(values_of(sentence, following)) & _NO_AMOUNT:
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
    earlier = [span.first for span in spans[places[before] + 1 : index] if _separates(span)]
    start = _phrase_start(spans, places[after])
    if start <= index and (earlier or _is_after_verb(spans, places[before], start)):
        return after
    later = [span.first for span in spans[index + 1 : places[after]] if _separates(span)]
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
    return isinstance(span.entry, Modifier) and span.entry.values == SIDES and span.first in SIDES


def _is_after_verb(spans: Sequence[Span], finding: int, start: int) -> bool:
    """Whether a word such as a verb stands between a finding and the modifiers of the next: "shows mild edema"."""
    before = next((one for one in reversed(spans[finding + 1 : start]) if one.first not in ("a", "an", "the")), None)
    return before is not None and before.entry is None and before.first.isalpha() and before.first not in _LOCATING


def _separates(span: Span) -> bool:
    return isinstance(span.entry, Cue) or span.first in SEPARATORS or span.first in _EXPLAINING


def _share(
    sentence: Sentence,
    found: Sequence[FindingInSentence],
    own: list[list[set[str]]],
    polarity: Callable[[int], tuple[bool, bool]],
) -> None:
    """Give the side and place of a finding to those listed with it, and to what explains it, that have none."""
    located = [{value for part in parts for value in part if dimensions()[value] in ("side", "place")} for parts in own]
    for source, target in _neighbors(len(found)) if any(located) else ():
        if not located[source] or located[target] or not _takes_place_of(found[target].entry, found[source].entry):
            continue
        first, second = sorted((source, target))
        gap = sentence.spans[found[first].at + 1 : found[second].at]
        is_cause = any(one.first == "by" for one in gap)
        if target < source and _is_accompanied(sentence, gap, sentence.spans[found[source].at]):
            continue
        if (found[first].stated and not is_cause) or found[second].stated or not _continues(gap):
            continue
        if polarity(sentence.spans[found[source].at].start) != polarity(sentence.spans[found[target].at].start):
            continue
        if sentence.is_query and (target < source or ALTERNATIVES.isdisjoint(one.first for one in gap)):
            continue
        shared = located[source] - {"mediastinum"} if found[target].entry.shares_side else located[source] & _SPINE
        if not _is_skeletal(found[target].entry.name):
            shared -= _BONES
        own[target][0] |= shared
        located[target] = shared


def _share_changes(
    sentence: Sentence, own: dict[int, list[tuple[int, tuple[str, ...]]]], polarity: Callable[[int], object]
) -> None:
    """Give the change that is said of a list to all in it: "right effusion and left opacity are unchanged"."""
    spans = sentence.spans
    changes: list[tuple[int, tuple[str, ...]]] = []
    for last, before in pairwise(reversed(own)):
        changes = [
            (index, values)
            for index, values in own[last]
            if (index, values) in changes
            or (index > last and dimensions()[values[0]] == "change" and _is_of_several(spans[last + 1 : index + 1]))
        ]
        is_listed = all(_goes_on_with_list(span) for span in spans[before + 1 : last])
        is_alike = polarity(spans[before].start) == polarity(spans[last].start)
        if changes and is_listed and is_alike and not any(dimensions()[one[0]] == "change" for _, one in own[before]):
            own[before] += changes


def _is_of_several(spans: Sequence[Span]) -> bool:
    """Whether a change is said with a verb in the plural, and nothing else between."""
    return any(span.first in _PLURAL for span in spans) and not any(_separates(span) for span in spans)


def _goes_on_with_list(span: Span) -> bool:
    return isinstance(span.entry, Modifier) or (span.entry is None and span.first in (",", "and", "the", "a", "an"))


def _is_of_other_noun(spans: Sequence[Span], index: int) -> bool:
    """Whether a modifier stands before a noun that is no finding: "improved left basal aeration"."""
    after = next(
        (span for span in spans[index : index + _MOST_MODIFIERS] if not isinstance(span.entry, Modifier)), None
    )
    return isinstance(spans[index].entry, Modifier) and after is not None and after.first in _OTHER_NOUNS


def _takes_place_of(entry: FindingEntry, other: FindingEntry) -> bool:
    """Whether a finding that has no side or place is where the other finding of its list is.

    A line and an effusion need not be on one side, a chest tube and a pneumothorax are; what is in the spine may be in
    the same part of it.
    """
    if other.name in _DIRECTED:
        return False
    if not entry.shares_side:
        return _is_skeletal(entry.name) and _is_skeletal(other.name)
    return (other.kind == "device") is (entry.kind == "device") or other.name == "chest tube"


def _share_sizes(sentence: Sentence, found: Sequence[FindingInSentence], own: list[list[set[str]]]) -> None:
    """Give the size before the first of two alternatives to the second: "minimal scarring or atelectasis"."""
    for first, second, parts, others in zip(found, found[1:], own, own[1:], strict=False):
        gap = sentence.spans[first.at + 1 : second.at]
        if [one.first for one in gap] not in (["or"], ["and", "or"]):
            continue
        if first.stated or second.stated or any(not part.isdisjoint(_SIZES) for part in others):
            continue
        for part in others:
            part.update(_SIZES.intersection(*parts))


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

    "Opacity, which may represent pneumonia" goes on.
    """
    explains = any(span.first in _EXPLAINING or span.is_cue("possible") for span in gap)
    return not any(
        span.first in (";", ":", "?")
        or span.is_cue("absent", "resolved", "unstated", "history")
        or (span.is_cue("end") and not (explains and span.first == "which"))
        for span in gap
    )
