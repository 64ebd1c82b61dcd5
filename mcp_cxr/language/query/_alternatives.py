"""Divides findings whose sides, places, sizes or changes are joined by "or": "small or moderate effusion"."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from mcp_cxr.language._document_terms import dimension_of
from mcp_cxr.language._vocabulary import SIDES, ancestors, normalize
from mcp_cxr.language.reader import modifier_values, modifiers_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mcp_cxr.language.query._meaning import WantedFinding

Chain: TypeAlias = tuple[frozenset[str], ...]
"""The values of modifiers of which a finding must have one."""

NOT_STATED = frozenset({"acute", "focal", "previous"})
"""Modifiers that a query need not have stated: few reports say that a pneumonia is acute."""
CHANGED_OR_GONE: Chain = tuple(frozenset({value}) for value in ("improved", "worse", "unchanged", "resolved"))
"""Changes that no mention has two of: "improved or resolved"."""
_WITH_SIDE = frozenset({*SIDES, "lingula"})
"""Values that state a side: the lingula is on the left."""
_FEWEST = 2  # alternatives
_JOINED = re.compile(r"\s*(?:,\s*)?(?:or|nor|to|vs|versus|/|,)\s*(?:(?:in|on|at)\s+)?(?:(?:the|an?)\s+)?")
"""Between the alternatives of a chain: ", or in the"."""
_ALTERNATIVE = re.compile(r"\b(?:or|nor|to|vs|versus)\b")
_SIDED = re.compile(r"(?P<side>\b(?:left|right))[ -]sided\b", re.IGNORECASE)


class _Part(NamedTuple):
    """A modifier in a text, or a side with its place."""

    start: int
    end: int
    values: frozenset[str]
    is_side: bool
    """Whether it is the word "left" or "right" alone."""


def without_joins(text: str) -> tuple[str, tuple[Chain, ...]]:
    """Return a query without what joins alternatives, so that all of them belong to the finding, and the alternatives.

    "Edema and small or large effusion" becomes "edema and small large effusion", with small and large. "To" joins too:
    "small to moderate".
    """
    plain = _SIDED.sub(r"\g<side>", normalize(text)).replace("-", " ")
    runs: list[list[_Part]] = []
    end = 0
    for phrase in modifiers_in(plain):
        match = re.compile(rf"\b{re.escape(phrase)}\b").search(plain, end)
        if match is None:
            continue
        part = _Part(match.start(), match.end(), modifier_values(match[0]), is_side=match[0] in SIDES)
        if runs and _JOINED.fullmatch(plain, end, part.start) and _goes_on(runs[-1], part, plain[end : part.start]):
            runs[-1].append(part)
        elif runs and plain[end : part.start].isspace() and _is_one_place(runs[-1], part):
            last = runs[-1].pop()
            runs[-1].append(_Part(last.start, part.end, last.values | part.values, is_side=False))
        else:
            runs.append([part])
        end = part.end
    chains: list[Chain] = []
    for run in reversed(runs):
        chain = _with_place_of_last(run)
        between = plain[run[0].end : run[-1].start]
        if _ALTERNATIVE.search(between) and _alike(chain):
            chains.insert(0, chain)
            listed = " ".join(plain[part.start : part.end] for part in run)
            plain = f"{plain[: run[0].start]}{listed}{plain[run[-1].end :]}"
    return plain if chains else text, tuple(chains)


def _goes_on(run: Sequence[_Part], part: _Part, between: str) -> bool:
    """Whether a modifier is in the list before it; behind a comma one of another kind is not: "left or right, old"."""
    return between.strip() != "," or not {*map(kind_of, run[-1].values)}.isdisjoint(map(kind_of, part.values))


def _is_one_place(run: Sequence[_Part], part: _Part) -> bool:
    """Whether a modifier belongs to the one before it: "left basal", but not the place of "right or left basal"."""
    are_sides = len(run) > 1 and all(one.is_side for one in run)
    return {kind_of(value) for value in run[-1].values | part.values} == {"place"} and not are_sides


def _with_place_of_last(run: Sequence[_Part]) -> Chain:
    """Return the values of alternatives, with the place of the last for sides alone: "right or left upper lobe"."""
    last = run[-1].values
    place = last - {*SIDES} if last & {*SIDES} else frozenset[str]()
    return tuple(one.values | place if one.is_side else one.values for one in run)


def _alike(chain: Sequence[frozenset[str]]) -> bool:
    """Whether all alternatives are sides and places, or all of one other dimension."""
    return len({kind_of(value) for values in chain for value in values}) == 1


def kind_of(value: str) -> str:
    """Return the dimension of a modifier, "place" for a side, too."""
    return "place" if (dimension := dimension_of(value)) == "side" else dimension


def alternatives(wanted: Iterable[WantedFinding], chains: Sequence[Chain]) -> tuple[WantedFinding, ...]:
    """Return each finding once for each alternative that it has all of, else as it is."""
    found = list(wanted)
    for chain in chains:
        found = [one for each in found for one in _divided(each, chain)]
    return tuple(dict.fromkeys(found))


def _divided(wanted: WantedFinding, chain: Chain) -> list[WantedFinding]:
    """Return a finding once for each alternative of a chain that it has; unchanged if it has less than two."""
    held = [values for values in chain if values <= wanted.modifiers]
    if any(values <= NOT_STATED for values in chain):
        held.append(frozenset())
    if len(held) < _FEWEST:
        return [wanted]
    rest = wanted.modifiers.difference(*chain)
    sides = {values & {*SIDES} for values in chain} - {frozenset[str]()}
    shared = next(iter(sides)) if len(sides) == 1 else frozenset[str]()  # "right middle or lower lobe"
    return [
        replace(wanted, modifiers=rest | values | (shared if values.isdisjoint(_WITH_SIDE) else frozenset[str]()))
        for values in held
    ]


def is_contrast(ruled_out: WantedFinding, wanted: Iterable[WantedFinding]) -> bool:
    """Whether a size that is ruled out is merely not the one that is wanted: "large effusions, not small ones"."""
    sizes = {kind_of(value) for value in ruled_out.modifiers}
    return sizes == {"size"} and any(
        one.name == ruled_out.name and "size" in map(kind_of, one.modifiers - ruled_out.modifiers) for one in wanted
    )


def chains_of_denials(chains: Sequence[Chain], groups: Iterable[Sequence[WantedFinding]]) -> list[Chain]:
    """Return the chains of what is ruled out: those that do not belong to a finding that is wanted.

    "Left or right effusion, not bilateral" rules out neither the left nor the right one.
    """
    left = list(chains)
    for one in (one for group in groups for one in group):
        used = next((chain for chain in left if len(_divided(one, chain)) >= _FEWEST), None)
        if used is not None:
            left.remove(used)
    return left


def joined_groups(
    groups: Iterable[Sequence[WantedFinding]], chains: Sequence[Chain]
) -> list[tuple[WantedFinding, ...]]:
    """Return groups of which those that want one finding in alternative ways are one: "mass in the RUL or LLL"."""
    found: list[tuple[WantedFinding, ...]] = []
    for group in groups:
        if found and any(_are_alternatives(found[-1], group, chain) for chain in chains):
            found[-1] = (*found[-1], *group)
        else:
            found.append(tuple(group))
    return found


def _are_alternatives(first: Sequence[WantedFinding], second: Sequence[WantedFinding], chain: Chain) -> bool:
    """Whether two groups want one finding with different alternatives of a chain."""
    of_first = {values for values in chain if all(values <= one.modifiers for one in first[-1:])}
    of_second = {values for values in chain if all(values <= one.modifiers for one in second)}
    return first[-1].name == second[0].name and bool(of_first) and bool(of_second) and of_first != of_second


def not_implied(groups: Iterable[tuple[WantedFinding, ...]]) -> tuple[tuple[WantedFinding, ...], ...]:
    """Return the groups, each once, without those that another one implies."""
    found = {tuple((one.description, one.is_hedged) for one in group): group for group in reversed(list(groups))}
    return tuple(
        group for group in reversed(found.values()) if not any(_is_implied_by(group, other) for other in found.values())
    )


def _is_implied_by(group: Sequence[WantedFinding], other: Sequence[WantedFinding]) -> bool:
    """Whether each finding of another group is a kind of the only one of a group: "a mass, a left mass"."""
    one = group[0]
    return (
        len(group) == 1
        and not one.modifiers
        and all(one.name in ancestors(each.name) or (one.name == each.name and each.modifiers) for each in other)
    )
