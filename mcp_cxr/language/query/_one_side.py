"""Reads a query that asks for one side only: "unilateral effusion", "effusion only on the left"."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from mcp_cxr.language._vocabulary import SIDES
from mcp_cxr.language.query._meaning import QueryMeaning, WantedFinding
from mcp_cxr.language.reader import mentions_in, statements

if TYPE_CHECKING:
    from collections.abc import Callable

_SIDE = r"(?P<{}>left|right)(?:\s+(?:side|lung|hemithorax))?"
"""A side and its noun, with the name of its group to be filled in: "left hemithorax"."""
_ONE_SIDE = re.compile(
    r"\b(?:(?P<kind>unilateral|(?:one|single)[ -]sided"
    r"|(?:solely|exclusively|purely|(?:^|(?<=with )|(?<=has )|(?<=have )|(?<=of ))(?:only|just))"
    r"\s+(?P<purely>left|right)(?:[ -]sided)?(?=\s+\w)|(?P<alone>left|right)(?:-only|[ -]sided only)(?=\s+\w))"
    r"|unilaterally|(?:only\s+)?(?:on|at|in)\s+(?:only\s+|just\s+)?(?:one|a\s+single|1)\s+(?:side|lung|hemithorax)(?:\s+only)?"
    rf"|(?:only|solely|exclusively|isolated|confined|limited|restricted)\s+(?:on|in|at|to)\s+(?:the\s+)?{_SIDE.format('first')}"
    rf"|(?:(?:on|in|at)\s+the\s+)?{_SIDE.format('last')}\s+only)\b",
    re.IGNORECASE,
)
"""That one side is meant and not the other: "unilateral", "limited to the right lung", "on the left only"."""


def parsed_on_one_side(text: str, parse: Callable[[str], QueryMeaning]) -> QueryMeaning | None:
    """Return the meaning of a query that asks for a finding on one side only; None if it does not.

    Args:
        text: The query.
        parse: Reads a text that says nothing of one side only.
    """
    match = _ONE_SIDE.search(text)
    if match is None:
        return None
    side = match["first"] or match["last"] or match["purely"] or match["alone"]
    before, behind = text[: match.start()], text[match.end() :]
    where = "" if side is None else side if match["kind"] else f"on the {side}"
    meaning = parse(f"{before} {where} {behind}")
    named = [
        one.name
        for statement in statements(behind if match["kind"] else before)
        for one in mentions_in(statement, is_query=True)
        if one.finding
    ]
    name = named[0 if match["kind"] else -1] if named else None
    found = next((one for one in meaning.findings if one.name == name), None)
    if found is None:
        return None
    sides = (side.lower(),) if side else SIDES
    others = frozenset(SIDES if not side else {*SIDES} - {*sides})
    listed = {found, *(one for one in _listed_with(found, meaning) if side and side.lower() in one.modifiers)}
    groups = (
        tuple(new for one in group for new in (_on_sides(one, sides) if one in listed else (one,)))
        for group in meaning.wanted
    )
    known = {(one.name, one.modifiers) for one in meaning.ruled_out}
    excluded = (
        WantedFinding(one.name, others, text=one.text)
        for one in meaning.findings
        if one in listed and (one.name, others) not in known
    )
    return replace(meaning, wanted=tuple(groups), ruled_out=(*meaning.ruled_out, *excluded))


def _listed_with(found: WantedFinding, meaning: QueryMeaning) -> tuple[WantedFinding, ...]:
    """Return the findings of which "or" joins one: of "nodule or mass only on the left", both."""
    return next(group for group in meaning.wanted if found in group)


def _on_sides(one: WantedFinding, sides: tuple[str, ...]) -> tuple[WantedFinding, ...]:
    """Return a finding once on each of some sides, which are then alternatives."""
    return tuple(replace(one, modifiers=one.modifiers - {*SIDES} | {side}) for side in sides)
