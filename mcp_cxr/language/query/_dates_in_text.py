"""Reads the study dates that a query's words name: "in 2019", "since March 2018", "between 2015 and 2017"."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from itertools import pairwise
from typing import Final

_MONTHS: Final = {name.lower()[:3]: number for number, name in enumerate(calendar.month_name) if name}
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
)
_YEAR = r"(?:19|2[0-2])\d\d"
_ORDINAL = r"\d\d?(?:st|nd|rd|th)?"
"""A day of a month: "3rd"."""
_EXACT = (
    rf"(?:{_YEAR}-\d\d?-\d\d?|{_YEAR}/\d\d?/\d\d?|{_YEAR}-\d\d(?!\d)|\d\d?/{_YEAR}|{_MONTH}\s+{_ORDINAL},?\s+{_YEAR}"
    rf"|{_ORDINAL}(?:\s+of\s+|[\s-]+){_MONTH},?[\s-]+{_YEAR}|{_MONTH}[\s-]+(?:of\s+)?{_YEAR}|(?:19|20)\d0['\u2019]?s)"
)
"""A day, a month or a decade: "2018-03-04", "March 2018", "4th of March 2018", "2010s"."""
_DATE = rf"(?:{_EXACT}|{_YEAR})"
"""The same, or a year."""
_END_OF_DATE = r"(?![\w/-]|\.\d|\s*(?:mm|cm|ml|mg|x|by)\b)"
"""The end of a date: no number, unit or hyphen follows."""
_STUDIES = (
    r"(?:stud(?:y|ies)|x-?rays?|films?|images?|exams?|examinations?|radiographs?|reports?|cases?|scans?|cxrs?|ones?)"
)
_OF_EACH = r"(?:per|(?:of|for|from) (?:each|every))"
_DATES = re.compile(
    rf"\b(?:(?:between|from|dated|date[:=]?)\s*\b(?P<low>{_DATE})\s*(?:and|to|until|till|through|-|\u2013|\.\.)\s*(?P<high>{_DATE}){_END_OF_DATE}"
    rf"|(?:in|during|from|of)\s+(?P<first>{_YEAR})\s*(?:[-\u2013]|\.\.|to\b|through\b)\s*(?P<last>{_YEAR}){_END_OF_DATE}"
    rf"|(?:(?:in|during|from|of)\s+)?(?P<years>{_YEAR}(?:(?:\s*,\s*|,?\s+(?:and|or|vs\.?|versus)\s+)(?:in\s+)?{_YEAR})+){_END_OF_DATE}"
    rf"|(?:since|starting (?:in|from|on)|on or after|(?:not|nor|no) (?:earlier|older) than"
    rf"|not before)\s+(?P<since>{_DATE}){_END_OF_DATE}(?:\s+on(?:wards?)?\b)?"
    rf"|from\s+(?P<onwards>{_DATE}){_END_OF_DATE}\s+(?:(?:on|onwards?)\b(?!\s+the\b)|(?:to|until|till)\s+(?:now|today|present|date)\b)"
    rf"|(?:after|post(?=[\s-])|later than|newer than)[\s-]+(?P<after>{_DATE}){_END_OF_DATE}"
    rf"|(?:until|till|up to|through|on or before|(?:not|nor|no) (?:later|newer) than|not after)"
    rf"\s+(?P<until>{_DATE}){_END_OF_DATE}"
    rf"|(?:before|pre(?=[\s-])|prior to|earlier than|older than)[\s-]+(?P<before>{_DATE}){_END_OF_DATE}"
    rf"|(?:in|during|from|on|of|dated|(?:study\s+)?date[:=]?|the\s+(?=year\b)|(?=year\b))\s*\b(?:the\s+(?:year\s+)?|year\s+)?(?P<within>{_DATE}){_END_OF_DATE}"
    rf"|(?P<earliest>{_DATE})\s*(?:[-\u2013]|to|until|till|through)\s*(?P<latest>{_DATE}){_END_OF_DATE}|(?:the\s+)?(?<!/)(?P<day>{_EXACT}){_END_OF_DATE}"
    rf"|(?P<year>{_YEAR})(?=\s+(?:chest\s+)?{_STUDIES}\b))",
    re.IGNORECASE,
)
"""Dates with what says how they bound: "between 2015 and 2017", "since March 2018", "before 2018"."""
_SEASON = r"(?:summer|winter|spring|autumn|fall|christmas|easter|new year(?:['\u2019]?s)?(?: (?:day|eve))?)"
_WEEKDAY = r"(?:(?:mon|tues|wednes|thurs|fri|satur|sun)days?|weekends?)"
_TIME_UNIT = (
    rf"(?:hours?|hrs?|days?|nights?|weeks?|wks?|fortnights?|months?|mos?|years?|yrs?|decades?|quarters?|{_SEASON}|{_WEEKDAY}"
    rf"|{_MONTH})(?!\w)"
)
"""A unit of time: "weeks", "summer"."""
_HOW_MANY = r"(?:\d+|an?|one|two|three|four|five|six|ten|twelve|few|several|couple(?:\s+of)?)"
"""How many of them: "two", "a couple of"."""
_BEFORE, _AFTER = r"(?:before|prior to|until|pre)", r"(?:after|since|from|post)"
_OR_BOTH = r"\s*(?:,?\s*(?:and|or|as well as)\s+|/|&\s*)(?:also\s+)?"
"""Between two bounds of one date, which leave out no day: "before and after 2016"."""
_VAGUE = re.compile(
    rf"\b(?:(?:in|on|at|from|since|before|after|until|by|of|during|within|over|for|between)\s+){{0,3}}(?:the\s+|an?\s+)?"
    rf"(?P<named>(?:both\s+)?(?:{_BEFORE}{_OR_BOTH}{_AFTER}|{_AFTER}{_OR_BOTH}{_BEFORE})[\s-]+{_DATE}{_END_OF_DATE}|(?:(?:early|mid(?:dle)?|late|end|beginning|start|{_SEASON}|q[1-4]|(?:first|second|third|fourth|last|1st|2nd|3rd|4th)"
    rf"\s+(?:half|quarter|months?|weeks?)|around|circa)[\s,-]+(?:of\s+)?(?:the\s+)?)+{_DATE}{_END_OF_DATE}|{_YEAR}[\s-]*q[1-4]\b"
    rf"|(?:last|past|previous|preceding|this|current|next)\s+(?:{_HOW_MANY}\s+)?{_TIME_UNIT}|{_HOW_MANY}\s+{_TIME_UNIT}\s+(?:ago|back)\b"
    rf"|{_MONTH}\s*(?:-|\u2013|to|and|or|through)\s*{_MONTH}\s+{_YEAR}{_END_OF_DATE}"
    rf"|yesterday|(?<!to )(?<!until )(?<!till )today\b"
    rf"|(?!\w+(?:\s+recent)?\s+(?:(?:ones\s+)?first\b|{_STUDIES}\s+{_OF_EACH}\b))"
    r"(?:most recent(?:ly)?\b|latest\b|newest\b"
    rf"|(?:recent(?:ly)?|oldest|earliest)(?=\s+(?:(?:chest|taken|acquired|performed|done|obtained)\b|{_STUDIES}\b)))"
    rf"|(?:from|since)\s+the\s+(?:[1-9]0['\u2019]?s|(?:twen|thir|for|fif|six|seven|eigh|nine)ties)\b)",
    re.IGNORECASE,
)
"""Dates that have no fixed first and last day, or depend on today: "mid-2015", "last year", "the latest film"."""
_UNREAD = re.compile(
    rf"(?:\b(?:in|on|from|since|before|after|until|by|of|during|dated)\s+){{0,3}}(?:the\s+)?"
    rf"(?P<named>\b{_ORDINAL}(?:\s+of\s+|[\s-]+){_MONTH}(?!\w)|\b{_MONTH}\s+{_ORDINAL}(?![\w.])"
    rf"|(?<=\bon )\d\d?/\d\d?(?![\w/])|(?<=\b(?:in|on|by) )(?:(?-i:May)|(?!may){_MONTH}|{_WEEKDAY})(?!\w)"
    rf"|(?<=since )(?:{_MONTH}|{_WEEKDAY})(?!\w)"
    rf"|(?<![\w/.-])(?:\d\d?([/.-])\d\d?\2(?:\d\d)?\d\d|{_YEAR}(?:[-/]\d\d?(?:[-/]\d\d?)?)?)(?![\w/-]|\s*(?:mm|cm|ml|mg)\b))",
    re.IGNORECASE,
)
"""Words that look like a date and name no whole one: "12 May", "03/04/2018", "2018"."""
_DENIED = re.compile(
    r"\b(?:not|never|neither|nor|except(?:ing)?(?: for)?|exclud\w+|without|w/o|other than|apart|aside"
    r"|outside(?: of)?|unless)"
    r"(?:\s+(?:in|on|from|of|during|dated|the|any|all|those|ones|studies|images|cases|films))*\s*$",
    re.IGNORECASE,
)
"""Before a date that is denied: "not in"."""
_COUNTED = re.compile(r"\b(?:least|most|than|top|first|last|about|up to|\d+\s*mm,?)\s*$", re.IGNORECASE)
"""Before a number of studies, which is no year: "at least 2000 images"."""
_HUNDREDS = re.compile(r"\d\d00(?=\s+(?:chest\s+)?[a-z-]+s\b)", re.IGNORECASE)
"""A number of things, which is no year: "2000 effusions"."""
_FIELD = re.compile(
    r"\b(?:(?:study\s+)?(?:date|year)\s*(?P<sign>[<>]=?|[\u2264\u2265])|year\s*(?P<is>[:=]))\s*(?=(?:19|2[0-2])\d\d)",
    re.IGNORECASE,
)
"""A field that bounds the date: "study date >=", "year:"."""
_FIELD_SIGNS: Final = {
    ">=": "since",
    "\u2265": "since",
    ">": "after",
    "<=": "until",
    "\u2264": "until",
    "<": "before",
    None: "in",
}
"""What the sign of a field says: "date >= 2015"."""
_BEFORE_DATE = re.compile(r"(?:in|on|from|of|during|dated)\s+", re.IGNORECASE)
"""Left out where a warning names the date: "in"."""
_ISO = re.compile(r"(\d{4})[-/](\d\d?)(?:[-/](\d\d?))?$")
_DAY = dt.timedelta(days=1)
_DECADE = 10  # years


def taken_dates(text: str) -> tuple[str, str | None, str | None, tuple[str, ...]]:
    """Return the text without dates; the first and the last study date, ISO, inclusive; and dates that are no filter.

    No filter are a date that is denied, one without fixed days, one that depends on today, and several apart:
    "not in 2018", "12 May", "last year", "in 2012 or 2014".
    """
    text = _FIELD.sub(lambda match: f"{_FIELD_SIGNS[match['sign']]} ", text)
    text, unread = _without(_VAGUE, text)
    kept, end = list[str](), 0
    found: dict[str, tuple[dt.date | None, dt.date | None]] = {}
    for match in _DATES.finditer(text):
        before = text[end : match.start()]
        number = match["year"]
        if number and (_HUNDREDS.match(text, match.start("year")) or _COUNTED.search(before)):
            continue
        period = _period({name: value for name, value in match.groupdict().items() if value})
        denied = _DENIED.search(before)
        kept += [before[: denied.start()] if denied else before, " "]
        end = match.end()
        if denied:
            unread.append(f"{denied[0]}{match[0]}")
        elif period is None:
            unread.append(_BEFORE_DATE.sub("", match[0], count=1))
        else:
            found[match[0]] = period
    text, others = _without(_UNREAD, "".join([*kept, text[end:]]))
    low = max((one[0] for one in found.values() if one[0]), default=None)
    high = min((one[1] for one in found.values() if one[1]), default=None)
    if low and high and low > high:
        return text, None, None, (*unread, *map(str.strip, found), *others)
    return text, low.isoformat() if low else None, high.isoformat() if high else None, (*unread, *others)


def _without(pattern: re.Pattern[str], text: str) -> tuple[str, list[str]]:
    """Return a text without the dates of a pattern and what denies them, and these as they are written."""
    matches = [one for one in pattern.finditer(text) if not _HUNDREDS.match(text, one.start("named"))]
    kept, named, end = list[str](), list[str](), 0
    for match in matches:
        before = text[end : match.start()]
        denied = _DENIED.search(before)
        kept += [before[: denied.start()] if denied else before, " "]
        named.append(f"{denied[0] if denied else ''}{match['named']}")
        end = match.end()
    return "".join([*kept, text[end:]]), named


def _period(named: dict[str, str]) -> tuple[dt.date | None, dt.date | None] | None:
    """Return the first and the last day of what the groups of a match name; None if one is no date."""
    if years := named.get("years"):
        numbers = sorted(int(one) for one in re.findall(r"\d+", years))
        named = {"first": str(numbers[0]), "last": str(numbers[-1])} if _are_consecutive(numbers) else {"none": ""}
    spans = [span for value in named.values() if value and (span := _span(value))]
    if len(spans) < len(named):
        return None
    (first, _), (_, last), name = spans[0], spans[-1], next(iter(named))
    one_sided = {
        "since": (first, None),
        "onwards": (first, None),
        "after": (last + _DAY, None),
        "until": (None, last),
        "before": (None, first - _DAY),
    }
    return one_sided.get(name, (first, last))


def _are_consecutive(numbers: list[int]) -> bool:
    return all(after - before <= 1 for before, after in pairwise(numbers))


def _span(text: str) -> tuple[dt.date, dt.date] | None:
    """Return the first and the last day of a year, a month or a day; None if it is no date."""
    if iso := _ISO.match(text):
        year, month, day = int(iso[1]), int(iso[2]), int(iso[3] or 0)
    else:
        numbers = [int(one) for one in re.findall(r"\d+", text)]
        name = re.search(_MONTH, text, re.IGNORECASE)
        year, month = max(numbers), _MONTHS[name[0].lower()[:3]] if name else 0
        if "/" in text:
            month, numbers = numbers[0], numbers[1:]
        day = min(numbers) if len(numbers) > 1 else 0
    if text.endswith("s") and not month:
        return dt.date(year, 1, 1), dt.date(year + _DECADE - 1, 12, 31)
    try:
        first = dt.date(year, month or 1, day or 1)
    except ValueError:
        return None
    if day:
        return first, first
    last = month or len(_MONTHS)
    return first, dt.date(year, last, calendar.monthrange(year, last)[1])
