"""Reads the sex and age of patients that a query's words name: "women over 60", "65F", "in his 70s", "elderly"."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

from mcp_cxr.language.query._shared_patterns import DENIES_FILTER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_SEX = {
    "F": r"wom[ae]n|females?(?:\s+(?:sex|gender))?|girls?|lad(?:y|ies)",
    "M": r"m[ae]n|males?(?:\s+(?:sex|gender))?|boys?|gentlem[ae]n",
}
"""Words for the sexes."""
_YEARS_OLD = r"(?:years?|yrs?|yo|y/o|y\.o\.|y\b)[\s-]*(?:olds?)?"
"""A unit of age: "years old", "y/o"."""
_YEARS = rf"(?:\s*{_YEARS_OLD})?"
_YEARS_GIVEN = rf"(?:\s*{_YEARS_OLD}|\s+years? of age)"
"""The unit, where a number alone would be no age: "at least 60 years"."""
_OTHER_UNITS = (
    r"mm|cm|millimet\w+|centimet\w+|weeks?|days?|months?|hours?|feet|foot|percent|nodules|ribs?|degrees?|kgs?"
    r"|lbs?|pounds|bpm|mmhg|ml|pack|packs|times|stud(?:y|ies)|cases|images|films|reports|results|exams|patients|people|subjects"
)
"""What is counted behind a number that is no age: "over 5 mm"."""
_AFTER_SEX = (
    "(?:" + "|".join(rf"(?<=\b{word})" for word in "female females woman women male males man men".split()) + ")"
)
"""Behind a word for a sex: "women 40-50"."""
_AGE = re.compile(
    rf"(?:(?P<of>\b(?:age[ds]?|patients?|pts?|wom[ae]n|m[ae]n|females?|males?)[\s:]*)?(?P<sign>[<>\u2264\u2265]=?)\s*(?P<signed>\d{{1,3}})"
    rf"(?(of){_YEARS}|{_YEARS_GIVEN})"
    rf"|\b(?:aged?\s+)?(?:over|above|older than)[\s-]+(?:the age of\s+|age\s+)?(?P<from>\d{{1,3}})(?:s\b)?{_YEARS}"
    rf"|\b(?:aged?\s+)?(?:under|below|younger than)[\s-]+(?:the age of\s+|age\s+)?(?P<to>\d{{1,3}})(?:s\b)?{_YEARS}"
    rf"|\b(?:at least|from)\s+(?P<at_least>\d{{1,3}}){_YEARS_GIVEN}|\bup to\s+(?P<at_most>\d{{1,3}}){_YEARS_GIVEN}"
    rf"|\baged?\s+(?:at least|from)\s+(?P<aged_from>\d{{1,3}})|\baged?\s+up to\s+(?P<aged_to>\d{{1,3}})"
    rf"|\b(?:aged?\s+)?(?P<or_more>\d{{1,3}}){_YEARS}\s*(?:(?<=\d\d)\+{_YEARS}|\+{_YEARS_GIVEN}|(?:or|and)\s+(?:older|over|above|up))(?!\w)"
    rf"|\b(?:aged?\s+)?(?P<or_less>\d{{1,3}}){_YEARS}\s+(?:or|and)\s+(?:younger|under|below)"
    rf"|\b(?:aged?\s+)?(?:age[ds]?|between(?:\s+(?:the\s+)?ages?)?)(?:\s+of)?\s+(?P<low>\d{{1,3}})\s*(?:to|-|\u2013|and)\s*(?P<high>\d{{1,3}}){_YEARS}"
    rf"|\b(?P<older>\d{{1,3}})\s*(?:to|-|\u2013)\s*(?P<oldest>\d{{1,3}})[\s-]*{_YEARS_OLD}"
    r"|\b(?:in\s+)?(?:(?:his|her|their|the)\s+)?(?:(?:early|mid|late)[\s-]+)?(?P<decade>[1-9]0)['\u2019]?s"
    rf"|{_AFTER_SEX},?\s+(?P<youngest>\d\d)\s*(?:-|to|\u2013)\s*(?P<eldest>\d\d)\b"
    rf"|{_AFTER_SEX},?\s+(?:of\s+)?(?P<years>\d\d)(?=\s*(?:$|[,;]|with\b|who\b))"
    rf"|\baged?\s+(?P<only>\d{{1,3}})|\b(?P<old>\d{{1,3}})[\s-]*{_YEARS_OLD})(?!\s*(?:{_OTHER_UNITS})\b|\s*%|\.\d)(?!\w)",
    re.IGNORECASE,
)
"""Ages in years: "over 60", "> 60 years", "65 or older", "between 40 and 50", "in his 70s", "70-year-old"."""
_TENS: Final = {
    name: 10 * number
    for number, name in enumerate(
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], start=2
    )
}
_UNITS: Final = {
    name: number for number, name in enumerate("one two three four five six seven eight nine".split(), start=1)
}
_IN_WORDS = rf"(?P<tens>{'|'.join(_TENS)})(?:[\s-](?P<units>{'|'.join(_UNITS)}))?\b"
"""A number in words: "sixty-five"."""
_AGE_IN_WORDS = re.compile(
    r"(?P<before>\b(?:over|under|above|below|age[ds]?|between|and|to|(?:older|younger) than)\s+(?:the\s+)?"
    r"(?:ages?\s+of\s+)?)"
    rf"{_IN_WORDS}|\b{re.sub('tens>|units>', lambda one: 'old_' + one[0], _IN_WORDS)}(?=[\s-]*{_YEARS_OLD})",
    re.IGNORECASE,
)
"""An age in words: "over sixty", "sixty-five years old"."""
_YEARS_IN_WORDS = re.compile(rf"\b(?P<units>{'|'.join(_UNITS)})(?=[\s-]+years?[\s-]+olds?\b)", re.IGNORECASE)
"""An age below ten in words: "five" in "five years old"."""
_DECADES = re.compile(
    rf"(?P<whose>\b(?:his|her|their|the)\s+(?:(?:early|mid|late)[\s-]+)?)"
    rf"(?P<tens>{'|'.join(name.removesuffix('y') for name in _TENS)})ies\b",
    re.IGNORECASE,
)
"""A decade of life in words: "his late sixties"."""
_AGE_AND_LETTER = re.compile(
    rf"\b(?P<years>\d\d)(?:\s*[-/]?\s*{_YEARS_OLD}[\s/]*(?P<sex>[mMfF])|\s*/?\s*(?P<short>[MF]))\b"
    r"|(?<!\w)(?P<first>[MF])[\s,/]*(?P<then>\d\d)(?=\s*(?:$|[,;]|y|with\b|w/))"
)
"""An age with the sex as a letter: "65F", "72 yo m", "M 45"."""
_FIELD = re.compile(
    r"(?-i:(?<=\d0s )(?P<letter>[MF])\b)"
    r"|\b(?P<bound>(?:min|max)(?:imum)?[_ ]age|age[_ ](?:min|max|from|to))\s*[:=]\s*"
    r"|\b(?:(?P<age>age)\s*[:=]|(?:sex|gender)\s*[:=]\s*(?P<sex>[fm])(?:emale|ale)?\b)\s*",
    re.IGNORECASE,
)
"""A field as in "sex:F age:50-70"."""
_PATIENTS = (
    r"(?=\s+(?:patients?|cases?|stud\w+|exams?|films?|images?|chests?|x-?rays?|wom[ae]n|m[ae]n|females?|males?))"
)
"""Before what shows that an age group is meant: "adult chests"."""
_PEOPLE = r"(?=\s+(?:patients?|people|persons?|wom[ae]n|m[ae]n|females?|males?|lad(?:y|ies)|gentlem[ae]n))"
"""Before people, of whom "old" states the age."""
_AGE_GROUPS: Final = {
    r"infants?|babies|\d+[\s-]*(?:month|week|day)s?[\s-]*olds?": (None, 1),
    r"neonat(?:es?|al)|newborns?": (None, 0),
    r"toddlers?": (1, 3),
    "teenagers?|teens|adolescents?": (13, 19),
    rf"children|kids|(?<=\ba )child|pa?ediatrics?|pa?eds|child{_PATIENTS}": (None, 17),
    rf"adults|adult{_PATIENTS}": (18, None),
    rf"elderly|geriatric|seniors|senior citizens|pensioners|old(?:er)?{_PEOPLE}": (65, None),
    r"septuagenarians?": (70, 79),
    r"octogenarians?": (80, 89),
    r"nonagenarians?": (90, 99),
    r"centenarians?": (100, None),
}
"""The ages that words stand for; "adult respiratory distress syndrome" names none."""
_VAGUE_AGES = re.compile(rf"\b(?:middle[\s-]aged?|young(?:er|ish)?(?:{_PEOPLE}|(?=\s+adults?\b)))\b", re.IGNORECASE)
"""Words for ages that nobody gives in years."""
_DENIED = re.compile(
    rf"(?:\b(?:and|but)\s+)?\b{DENIES_FILTER}(?:\s+|-)"
    r"(?:(?:in|the|any|of|all|those|anyone|who|that|is|are|was|were|patients?|people|an?)\s+)*$",
    re.IGNORECASE,
)
"""Before a sex or an age that is denied: "excluding all"."""
_OR_PATIENTS = re.compile(
    r"\bor\s+(?:(?:in|among|for)\s+)?(?:patients|people|those|subjects)\s+(?:aged\s+)?$", re.IGNORECASE
)
"""Before an age that is one of several alternatives: "edema or patients over 60"."""
_Ages: TypeAlias = list[tuple[re.Match[str], bool]]
"""Matches, each with whether it is denied."""
_GROUPS_OF_LOWEST = ("from", "at_least", "aged_from", "or_more", "low", "older", "youngest", "years", "only", "old")
"""Groups of `_AGE` that state the lowest age."""
_GROUPS_OF_HIGHEST = ("at_most", "aged_to", "or_less", "high", "oldest", "eldest", "years", "only", "old")
"""Groups of `_AGE` that state the highest age."""


def taken_patients(text: str) -> tuple[str, str | None, tuple[int | None, int | None], tuple[str, ...]]:
    """Return the text without what it says of sex and age; F or M; the lowest and highest age; words of neither.

    What is denied leaves the rest: "not men" are women, "excluding children" leaves 18 and over.
    """
    text = _FIELD.sub(_in_words, text)
    text = _DECADES.sub(lambda match: f"{match['whose']}{_TENS[match['tens'].lower() + 'y']}s", text)
    text = _AGE_IN_WORDS.sub(_in_digits, text)
    text = _YEARS_IN_WORDS.sub(lambda match: str(_UNITS[match["units"].lower()]), text)
    low = high = None
    text, letters = _taken(_AGE_AND_LETTER, text)
    for match, _ in letters:
        low = high = int(match["years"] or match["then"])
    sexes = [(match["sex"] or match["short"] or match["first"]).upper() for match, _ in letters]
    text, ages = _taken(_AGE, text)
    ages, not_applied = _without_alternatives(ages)
    not_applied += [f"not {match[0]}" for match, is_denied in ages if is_denied and not _complement(match)]
    for match, is_denied in ages:
        lowest, highest = (_complement(match) or (None, None)) if is_denied else _ages(match.groupdict(), low, high)
        low, high = lowest if lowest is not None else low, highest if highest is not None else high
    if choice := _choice_of_ages([match for match, is_denied in ages if not is_denied]):
        words, low, high = choice
        not_applied.append(words)
    text, vague = _taken(_VAGUE_AGES, text)
    spans: dict[str, tuple[int | None, int | None]] = {}
    for words, span in _AGE_GROUPS.items():
        text, groups = _taken(re.compile(rf"\b(?:{words})\b", re.IGNORECASE), text)
        for match, is_denied in groups:
            lowest, highest = _others(*span) if is_denied else span
            not_applied += [f"not {match[0]}"] * (is_denied and lowest is highest is None)
            spans[match[0]] = (lowest, highest)
    not_applied += [" or ".join(spans)] * _are_apart(spans.values())
    for lowest, highest in () if _are_apart(spans.values()) else spans.values():
        low = lowest if low is None and (high is None or (lowest or 0) <= high) else low
        high = highest if high is None and (highest is None or highest >= (low or 0)) else high
    for name, words in _SEX.items():
        text, found = _taken(re.compile(rf"\b(?:{words})\b", re.IGNORECASE), text)
        sexes += [{"F": "M", "M": "F"}[name] if is_denied else name for _, is_denied in found]
    not_applied += [f"{'not ' * is_denied}{match[0]}" for match, is_denied in vague]
    return text, sexes[0] if len(set(sexes)) == 1 else None, (low, high), tuple(not_applied)


def _without_alternatives(ages: _Ages) -> tuple[_Ages, list[str]]:
    """Return ages without one that is an alternative to a finding, and it as written: "or patients over 60"."""
    match, is_denied = ages[0] if ages else (None, True)
    before = _OR_PATIENTS.search(match.string[: match.start()]) if match else None
    if not match or not before or is_denied:
        return ages, []
    return ages[1:], [f"{before[0]}{match[0]}"]


def _choice_of_ages(matches: Sequence[re.Match[str]]) -> tuple[str, int | None, int | None] | None:
    """Return two ages that "or" joins as written, and the lowest and highest of both: "over 60 or women over 70"."""
    for one, other in pairwise(matches):
        if re.search(r"\bor\b", one.string[one.end() : other.start()], re.IGNORECASE):
            lows, highs = zip(*(_ages(match.groupdict(), None, None) for match in (one, other)), strict=True)
            low = None if None in lows else min(lows)
            return one.string[one.start() : other.end()], low, None if None in highs else max(highs)
    return None


def _are_apart(spans: Iterable[tuple[int | None, int | None]]) -> bool:
    """Whether no patient is of two ages that words stand for: children and the elderly."""
    lows, highs = [low or 0 for low, _ in spans], [high for _, high in spans if high is not None]
    return bool(highs) and max(lows) > min(highs)


def _taken(pattern: re.Pattern[str], text: str) -> tuple[str, _Ages]:
    """Return a text without the matches of a pattern and what denies them; each match, and whether it is denied."""
    kept, found, end = list[str](), list[tuple[re.Match[str], bool]](), 0
    for match in pattern.finditer(text):
        before = text[end : match.start()]
        denied = _DENIED.search(before)
        sex = (match.groupdict().get("of") or "").strip(" :")  # as in "men > 50"
        kept += [before[: denied.start()] if denied else before, f" {sex if sex[:1] in set('fFmMwW') else ''} "]
        found.append((match, denied is not None))
        end = match.end()
    return "".join([*kept, text[end:]]), found


def _complement(match: re.Match[str]) -> tuple[int | None, int | None] | None:
    """Return the ages that a denied one leaves: of "not over 50", up to 50; None if they are two spans."""
    if match["from"]:
        return None, int(match["from"])
    others = _others(*_ages(match.groupdict(), None, None))
    return None if others == (None, None) else others


def _others(low: int | None, high: int | None) -> tuple[int | None, int | None]:
    """Return the ages outside a span that is open on one side; (None, None) if it is not."""
    if low is not None and high is not None:
        return None, None
    return (high + 1, None) if high is not None else (None, low - 1 if low is not None else None)


def _in_words(match: re.Match[str]) -> str:
    """Return a field as running text: "aged " for "age:", "female " for "sex:F"."""
    if match["age"]:
        return "aged "
    if match["bound"]:
        return "aged from " if re.search("min|from", match["bound"].lower()) else "aged up to "
    return {"f": "female ", "m": "male "}[(match["sex"] or match["letter"]).lower()]


def _in_digits(match: re.Match[str]) -> str:
    """Return an age in digits: "over 65" for "over sixty-five"."""
    tens, units = match["tens"] or match["old_tens"], match["units"] or match["old_units"]
    return f"{match['before'] or ''}{_TENS[tens.lower()] + (_UNITS[units.lower()] if units else 0)}"


def _ages(given: Mapping[str, str | None], low: int | None, high: int | None) -> tuple[int | None, int | None]:
    """Return the lowest and the highest age that a match of `_AGE` states, else those given."""
    if given["decade"]:
        return int(given["decade"]), int(given["decade"]) + 9
    if given["signed"]:
        years, sign = int(given["signed"]), given["sign"]
        return {">": (years + 1, high), "<": (low, years - 1)}.get(
            sign or "", (years, high) if sign in (">=", "\u2265") else (low, years)
        )
    if given["to"]:
        return low, int(given["to"]) - 1
    return _first_age(given, _GROUPS_OF_LOWEST, low), _first_age(given, _GROUPS_OF_HIGHEST, high)


def _first_age(given: Mapping[str, str | None], names: Iterable[str], default: int | None) -> int | None:
    """Return the age of the first of some groups that matched."""
    return next((int(value) for name in names if (value := given[name])), default)
