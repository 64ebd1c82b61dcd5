"""Divides findings whose sides, places, sizes or changes are joined by "or": "small or moderate effusion"."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from mcp_cxr.language._document_terms import dimension_of
from mcp_cxr.language._vocabulary import SIDES, normalize
from mcp_cxr.language.reader import modifier_values, modifiers_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mcp_cxr.language.query._meaning import WantedFinding

Chain: TypeAlias = tuple[frozenset[str], ...]
"""The values of modifiers of which a finding must have one."""

NOT_STATED = frozenset({"acute", "focal", "multiple", "previous"})
"""Modifiers that a query need not have stated: few reports say that a pneumonia is acute."""
_JOINED = re.compile(r"\s*(?:,\s*)?(?P<word>or|to|-to-|/|,)\s*(?:(?:in|on|at)\s+)?(?:the\s+)?")
_SIDED = re.compile(r"(?P<side>\b(?:left|right))[ -]sided\b", re.IGNORECASE)


def chains_in(text: str) -> tuple[Chain, ...]:
    """Return the alternatives that "or", or "to" between sizes, joins in a query."""
    plain = _SIDED.sub(r"\g<side>", normalize(text)).replace("-", " ")
    found: list[list[frozenset[str]]] = []
    words: list[str] = []
    end = 0
    for phrase in modifiers_in(plain):
        match = re.compile(rf"\b{re.escape(phrase)}\b").search(plain, end)
        if match is None:
            continue
        joined = _JOINED.fullmatch(plain, end, match.start())
        if found and joined:
            found[-1].append(modifier_values(phrase))
            words[-1] += f" {joined['word']}"
        else:
            found.append([modifier_values(phrase)])
            words.append("")
        end = match.end()
    chains = zip(found, words, strict=True)
    return tuple(tuple(chain) for chain, joins in chains if {"or", "to"} & {*joins.split()} and _alike(chain))


def _alike(chain: Sequence[frozenset[str]]) -> bool:
    """Whether all alternatives are sides and places, or all of one other dimension."""
    kinds = {"place" if (one := dimension_of(value)) == "side" else one for values in chain for value in values}
    return len(kinds) == 1


def alternatives(wanted: Iterable[WantedFinding], chains: Sequence[Chain]) -> tuple[WantedFinding, ...]:
    """Return each finding once for each alternative that it has all of, else as it is."""
    found = list(wanted)
    for chain in chains:
        found = [one for each in found for one in _divided(each, chain)]
    return tuple(dict.fromkeys(found))


def _divided(wanted: WantedFinding, chain: Chain) -> list[WantedFinding]:
    held = [values for values in chain if values <= wanted.modifiers]
    if any(values <= NOT_STATED for values in chain):
        held.append(frozenset())
    if len(held) == 1 or held == [frozenset()]:
        return [wanted]
    rest = wanted.modifiers.difference(*chain)
    if any(values.isdisjoint(SIDES) for values in chain):  # "right middle or lower lobe"
        rest |= wanted.modifiers & {*SIDES}
    return [replace(wanted, modifiers=rest | values) for values in held]


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
    of_first = {values for values in chain if all(values <= one.modifiers for one in first[-1:])}
    of_second = {values for values in chain if all(values <= one.modifiers for one in second)}
    return first[-1].name == second[0].name and bool(of_first) and bool(of_second) and of_first != of_second
