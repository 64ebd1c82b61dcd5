"""Attaches the sides, places, sizes and changes of a sentence to its findings.

Modifiers belong to the finding whose phrase they stand in: those before it, back to the last comma, conjunction or
finding; and those after it, up to the next one.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import chain, combinations, takewhile
from typing import TYPE_CHECKING

from mcp_cxr.language._vocabulary import SIDES, TOKEN, Cue, FindingEntry, Modifier, dimensions, normalize
from mcp_cxr.language.reader._spans import ALTERNATIVES, SEPARATORS, divide_sentence, modifier_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mcp_cxr.language.reader._findings import FindingInSentence
    from mcp_cxr.language.reader._spans import Sentence, Span

_PLACED_BY_NAME = frozenset(
    {
        "cancer",  # "head and neck cancer"
        "fat pad",  # "mediastinal fat"
        "humerus fracture",  # "humeral neck fracture"
        "pneumomediastinum",  # "air in the mediastinum"
        "rotator cuff disease",  # "high riding humeral head"
        "scapula fracture",  # "broken shoulder blade"
        "vascular congestion",  # "upper lobe diversion"
    }
)
"""Findings with a name that states a place which their other names leave out."""
_NO_AMOUNT = frozenset({"new", "unchanged"})
"""Changes that are not small or large."""


def modifiers_by_finding(sentence: Sentence, found: Sequence[FindingInSentence]) -> list[tuple[frozenset[str], ...]]:
    """Return the modifiers of each finding, once for each part of it that is described apart.

    In a report, a finding without any shares those of its list; in a query, only the alternatives of "or" do.
    """
    if not found:
        return []
    own: dict[int, list[tuple[int, tuple[str, ...]]]] = {one.at: [] for one in found}
    places = [*own]
    for index, span in enumerate(sentence.spans):
        values = values_of(sentence, span) if span.entry is not None else ()
        if values and not _is_denied_side(sentence.spans, index) and not _is_degree(sentence, index):
            own[places[_owner(sentence.spans, places, index)]].append((index, values))
    described = [_parts(own[one.at], one.at, sentence.spans) for one in found]
    _share(sentence, found, described)
    return [tuple(map(frozenset, parts)) for parts in described]


def values_of(sentence: Sentence, span: Span) -> tuple[str, ...]:
    """Return the modifiers in a span: its own, and those in the name of a structure or finding ("lung base").

    In a query, a modifier inside a finding's name counts only if it states a side or a place that the finding need not
    have: "hilar mass" requires the hilum, but "big heart" no size and "air in the mediastinum" no place.
    """
    if span.entry is None or isinstance(span.entry, Cue):
        return ()
    if isinstance(span.entry, Modifier):
        return span.entry.values
    stated = _stated(tuple(sentence.words(span)))
    if sentence.is_query and isinstance(span.entry, FindingEntry):
        kinds = {"side"} if span.entry.name in _PLACED_BY_NAME else {"side", "place"}
        stated = tuple(values for values in stated if dimensions()[values[-1]] in kinds)
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
def _stated(tokens: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Return the values of the modifier at each token that begins one."""
    found = (modifier_at(tokens, at) for at in range(len(tokens)))
    return tuple(one[1].values for one in found if one)


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
        if parts[-1] and (is_apart or (previous < at < index and not parts[-1].isdisjoint(SIDES))):
            parts.append(set())
        parts[-1].update(values)
        previous = index
    sided = [part for part in parts if not part.isdisjoint(SIDES)]
    if not any(_differ(first, second) for first, second in combinations(sided, 2)):
        return [set().union(*parts)]
    common = set[str]().union(*(part for part in parts if part not in sided))
    return [part | common for part in sided if not any(part < other for other in sided)]


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
        if _is_denied_side(sentence.spans, index):
            at = places[_owner(sentence.spans, places, index)]
            if at < index:
                denied[at] |= set(values_of(sentence, span))
    return [denied[one.at] for one in found]


def _is_degree(sentence: Sentence, index: int) -> bool:
    """Whether a size says how much something changed ("slightly larger"); in "mild improving edema" it does not."""
    spans = sentence.spans
    if {dimensions()[value] for value in values_of(sentence, spans[index])} != {"size"}:
        return False
    following = next((one for one in spans[index + 1 :] if one.first != "interval"), None)
    if following is None or following.dimension != "change" or set(values_of(sentence, following)) & _NO_AMOUNT:
        return False
    is_noun = sentence.tokens[following.end : following.end + 1] in (["of"], ["in"])
    return spans[index].first.endswith("ly") or is_noun or not sentence.words(following)[-1].endswith("ing")


def _is_denied_side(spans: Sequence[Span], index: int) -> bool:
    """Whether a span is a side alone that a cue directly before it denies of what was named before ("not right")."""
    if spans[index].dimension != "side" or any(isinstance(one.entry, FindingEntry) for one in _clause(spans, index)):
        return False
    before = next((one for one in reversed(spans[:index]) if one.first not in ("on", "in", "at", "the")), None)
    return before is not None and before.is_cue("absent") and before.start > 0


def _clause(spans: Sequence[Span], index: int) -> Iterator[Span]:
    """Yield the spans after one, up to the next separator or end of a clause."""
    return takewhile(lambda one: not one.is_separator and not one.is_cue("end"), spans[index + 1 :])


def _owner(spans: Sequence[Span], places: Sequence[int], index: int) -> int:
    """Return which finding a modifier belongs to, as an index of `places`, which has at least one."""
    if index in places:
        return places.index(index)
    before = max((n for n, at in enumerate(places) if at < index), default=None)
    after = min((n for n, at in enumerate(places) if at > index), default=None)
    if before is None:
        return 0
    if after is None:
        return before
    if any(_separates(span) for span in spans[index + 1 : places[after]]):
        return before
    return after if any(_separates(span) for span in spans[places[before] + 1 : index]) else before


def _separates(span: Span) -> bool:
    return isinstance(span.entry, Cue) or span.first in SEPARATORS or span.first in ("with", "by")


def _share(sentence: Sentence, found: Sequence[FindingInSentence], own: list[list[set[str]]]) -> None:
    """Give the side and place of a finding to those listed with it, and to what explains it, that have none."""
    if not any(any(parts) for parts in own):
        return
    located = [{value for part in parts for value in part if dimensions()[value] in ("side", "place")} for parts in own]
    for source, target in _neighbors(len(found)):
        first, second = sorted((source, target))
        gap = sentence.spans[found[first].at + 1 : found[second].at]
        is_cause = any(one.first == "by" for one in gap)
        if (found[first].stated and not is_cause) or found[second].stated or located[target] or not _continues(gap):
            continue
        if sentence.is_query and (target < source or ALTERNATIVES.isdisjoint(one.first for one in gap)):
            continue
        if found[target].entry.shares_side:
            own[target][0] |= located[source]
            located[target] = located[source]


def _neighbors(count: int) -> Iterator[tuple[int, int]]:
    """Yield each index of a list with the next one, then from the end each with the one before."""
    yield from ((n - 1, n) for n in range(1, count))
    yield from ((n, n - 1) for n in range(count - 1, 0, -1))


def _continues(gap: Sequence[Span]) -> bool:
    """Whether nothing between two findings begins another statement or changes the polarity."""
    return not any(
        span.first in (";", ":", "?") or span.is_cue("absent", "end", "resolved", "unstated", "history") for span in gap
    )
