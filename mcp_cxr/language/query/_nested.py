"""Reads a query whose parentheses nest "and" and "or": "effusion or (edema and cardiomegaly)"."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, TypeVar

from mcp_cxr.language.query._meaning import QueryMeaning
from mcp_cxr.language.reader import modifier_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")

_MOST_GROUPS = 32
"""Groups of a meaning; "or" between two parts of n and m groups makes n x m."""
_MOST_PARENTHESES = 16  # what each holds is read once more
_OPERATOR = r"(?:(?:and|but|or|with|plus)\b\s*(?:(?:not|without|no)\b)?|(?:not|without|no)\b)"
"""What joins a part in parentheses with the rest: "and not", "without"."""
_OPERATOR_BEHIND = re.compile(rf"[\s,;]*(?P<operator>{_OPERATOR})\s*", re.IGNORECASE)
"""An operator behind a parenthesis."""
_OPERATOR_BEFORE = re.compile(rf"(?:^|[\s,;]+)(?P<operator>{_OPERATOR})\s*$", re.IGNORECASE)
"""An operator before a parenthesis."""
_NESTED = re.compile(rf"\b{_OPERATOR}\s*\(|\)[\s,;]*{_OPERATOR}", re.IGNORECASE)
"""A parenthesis that an operator joins: "or (edema and mass)"."""
_INNERMOST = re.compile(r"(?P<denial>(?:\b(?:and|but)\s+)?\bnot\s*)?\((?P<inside>[^()]*)\)", re.IGNORECASE)
"""A parenthesis without another in it, and its denial: "not (edema or mass)"."""
_AND_THEN_OR = re.compile(
    r"^(?=.*\s(?:and|with|plus)\s)(?:.*\beither\s+)?(?P<first>[^,;.()]*),\s*or\s+(?P<second>[^,;.()]*)$",
    re.IGNORECASE,
)
"""What a comma nests: "effusion with edema, or pneumothorax"."""
_OR_ELSE = re.compile(r"^(?P<first>[^()]*);\s*(?P<second>or\s+[^\s();][^();]*)$", re.IGNORECASE)
"""An alternative to all before it: "edema, no effusion; or pneumothorax"."""


def parsed_nested(text: str, parse: Callable[[str], QueryMeaning]) -> QueryMeaning | None:
    """Return the meaning of a query that nests "and" and "or"; None if it does not.

    Args:
        text: The query.
        parse: Reads a text without parentheses.
    """
    text = text.translate(str.maketrans("[]{}", "()()"))
    if text.count("(") > _MOST_PARENTHESES:
        return None
    if match := _AND_THEN_OR.match(text):
        parts = [parse(part) for part in match.groups()]
        return either(parts[0], parts[1], "") if all(one.findings and not one.ruled_out for one in parts) else None

    if (match := _OR_ELSE.match(text)) and (first := parse(match["first"])).findings:
        return either(first, parse(match["second"].split(maxsplit=1)[1]), match["second"])

    def opened(match: re.Match[str]) -> str:
        inside = parse(match["inside"])
        if inside.findings or inside.ruled_out:
            return match[0]
        return f"{', without' if match['denial'] else ''} {match['inside']} "

    opened_text = _INNERMOST.sub(opened, text)
    if not _NESTED.search(opened_text):
        return parse(opened_text) if opened_text != text else None
    tokens = _tokens(opened_text)
    meaning = _alternatives(tokens, parse)
    while tokens:  # behind a parenthesis that was never opened
        tokens.pop(0)
        meaning = both(meaning, _alternatives(tokens, parse))
    return meaning if len(meaning.wanted) <= _MOST_GROUPS else None


def _tokens(text: str) -> list[str]:
    """Return parentheses, the operators beside them with a colon before each, and what is between."""
    found: list[str] = []
    pieces = re.split(r"([()])", text)
    for index, piece in enumerate(pieces):
        rest, last = piece, ""
        if index and (match := _OPERATOR_BEHIND.match(rest)) and pieces[index - 1] == ")":
            found.append(f":{' '.join(match['operator'].lower().split())}")
            rest = rest[match.end() :]
        if (match := _OPERATOR_BEFORE.search(rest)) and pieces[index + 1 : index + 2] == ["("]:
            rest, last = rest[: match.start()], f":{' '.join(match['operator'].lower().split())}"
        found += [one for one in (rest.strip(" ,;"), last) if one]
    return found


def _alternatives(tokens: list[str], parse: Callable[[str], QueryMeaning]) -> QueryMeaning:
    """Return the meaning of the first tokens, up to a closing parenthesis; they are taken from the list."""
    meaning = _joined(tokens, parse)
    while tokens and tokens[0].startswith(":or"):
        before = list(tokens)
        other = _joined(tokens, parse)
        meaning = either(meaning, other, _written(before[: len(before) - len(tokens)]))
    return meaning


def _joined(tokens: list[str], parse: Callable[[str], QueryMeaning]) -> QueryMeaning:
    """Return the meaning of the first tokens, up to "or": "and" joins more closely."""
    meaning, is_first, before_findings = QueryMeaning(), True, list[list[frozenset[str]]]()
    while tokens and tokens[0] != ")" and (is_first or not tokens[0].startswith(":or")):
        before = list(tokens)
        operator = tokens.pop(0) if tokens[0].startswith(":") else ""
        part = _part(tokens, parse)
        is_denied = operator.endswith(("not", "without", "no"))
        if part.modifiers and part.is_empty and (meaning.wanted or not is_denied):
            choices = _choices(part)
            if meaning.wanted:
                meaning = _qualified(meaning, choices, is_denied=is_denied)
            else:
                before_findings.append(choices)
        else:
            if is_denied:
                part = _denied(part, _written(before[: len(before) - len(tokens)]))
            meaning = both(meaning, part)
        is_first = False
    for choices in before_findings:  # "left AND (effusion OR mass)"
        meaning = _qualified(meaning, choices, is_denied=False)
    return meaning


def _choices(part: QueryMeaning) -> list[frozenset[str]]:
    """Return the sides, places or the like of which one is asked for; one set of all if they are not alternatives."""
    values = list(map(modifier_values, part.modifiers))
    is_choice = re.search(r"\bor\b", part.text, re.IGNORECASE)
    return values if is_choice else [frozenset[str]().union(*values)]


def _part(tokens: list[str], parse: Callable[[str], QueryMeaning]) -> QueryMeaning:
    """Return the meaning of the next part, in parentheses or not, and take its tokens from the list."""
    if not tokens or tokens[0] == ")":
        return QueryMeaning()
    first = tokens.pop(0)
    if first != "(":
        text, *others = re.split(r"\s+(?:and\s+|(?=without\b))", first, maxsplit=1, flags=re.IGNORECASE)
        if others and (part := parse(text)).modifiers and part.is_empty:  # "(mass or nodule) and right and not edema"
            tokens.insert(0, others[0])
            return replace(part, text=text)
        return replace(parse(first), text=first)
    meaning = _alternatives(tokens, parse)
    if tokens:
        tokens.pop(0)
    return meaning


def _qualified(meaning: QueryMeaning, choices: Iterable[frozenset[str]], *, is_denied: bool) -> QueryMeaning:
    """Return a meaning with one of some sides, places or the like asked for, or all ruled out, of each finding."""
    if is_denied:
        kinds = [replace(one, modifiers=values) for values in choices for one in meaning.findings]
        return replace(meaning, ruled_out=_unique((*meaning.ruled_out, *kinds)))
    wanted = (
        tuple(replace(one, modifiers=one.modifiers | values) for values in choices for one in group)
        for group in meaning.wanted
    )
    return replace(meaning, wanted=tuple(wanted))


def both(first: QueryMeaning, second: QueryMeaning) -> QueryMeaning:
    """Return the meaning of a query that asks for two meanings at once."""
    return replace(
        first,
        wanted=_unique((*first.wanted, *second.wanted)),
        ruled_out=_unique((*first.ruled_out, *second.ruled_out)),
        words=_unique((*first.words, *second.words)),
        ruled_out_words=_unique((*first.ruled_out_words, *second.ruled_out_words)),
        not_applied=(*first.not_applied, *second.not_applied),
    )


def either(first: QueryMeaning, second: QueryMeaning, text: str) -> QueryMeaning:
    """Return the meaning of two parts that "or" joins: each group of one with each of the other.

    Args:
        first: A part.
        second: The other.
        text: The second with "or", as written: named as not applied if a part rules something out.
    """
    if first.is_empty:
        return second
    if any(one.ruled_out or one.ruled_out_words for one in (first, second)):
        return replace(first, not_applied=(*first.not_applied, *second.not_applied, text))
    groups = [_unique((*one, *other)) for one, other in product(first.wanted or ((),), second.wanted or ((),))]
    return replace(both(first, second), wanted=_unique(groups))


def _denied(part: QueryMeaning, text: str) -> QueryMeaning:
    """Return what a denial of a part rules out; "not (effusion and edema)", which is none, is named as not applied."""
    if part.ruled_out or (len(part.wanted) > 1 and re.search(r"\b(?:and|with|plus)\b", text[1:])):
        return QueryMeaning(not_applied=(text,))
    return QueryMeaning(ruled_out=part.findings, ruled_out_words=part.words)


def _written(tokens: Iterable[str]) -> str:
    """Return the text that tokens were made of."""
    return re.sub(r"(?<=\() | (?=\))", "", " ".join(tokens).replace(":", ""))


def _unique(values: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))
