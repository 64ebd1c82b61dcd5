"""Reads the study dates that a query's words name: "in 2019", "since March 2018", "between 2015 and 2017"."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from typing import Final

_MONTHS: Final = {name.lower()[:3]: number for number, name in enumerate(calendar.month_name) if name}
_MONTH = rf"(?:{'|'.join(rf'{name}[a-z]*' for name in _MONTHS)})\.?"
_YEAR = r"(?:19|2[0-2])\d\d"
_DATE = (
    rf"(?:{_YEAR}-\d\d?-\d\d?|{_YEAR}/\d\d?/\d\d?|{_YEAR}-\d\d(?!\d)|\d\d?/{_YEAR}|{_MONTH}\s+\d\d?(?:st|nd|rd|th)?,?\s+{_YEAR}"
    rf"|\d\d?(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH}\s+{_YEAR}|{_MONTH}\s+(?:of\s+)?{_YEAR}|{_YEAR})"
)
_END = r"(?![\w/-]|\.\d|\s*(?:mm|cm|ml|mg|x|by)\b)"
_DATES = re.compile(
    rf"\b(?:(?:between|from)\s+(?P<low>{_DATE})\s*(?:and|to|until|till|through|-|\u2013)\s*(?P<high>{_DATE}){_END}"
    rf"|(?:in|during|from|of)\s+(?P<first>{_YEAR})\s*(?:[-\u2013]|or|and)\s*(?:in\s+)?(?P<last>{_YEAR}){_END}"
    rf"|(?:since|starting (?:in|from|on)|on or after|(?:not|no) (?:earlier|older) than"
    rf"|not before)\s+(?P<since>{_DATE}){_END}(?:\s+on(?:wards?)?\b)?"
    rf"|from\s+(?P<onwards>{_DATE}){_END}\s+(?:(?:on|onwards?)\b(?!\s+the\b)|(?:to|until|till)\s+(?:now|today|present|date)\b)"
    rf"|(?:after|later than|newer than)\s+(?P<after>{_DATE}){_END}"
    rf"|(?:until|till|up to|through|on or before|(?:not|no) (?:later|newer) than|not after)\s+(?P<until>{_DATE}){_END}"
    rf"|(?:before|prior to|earlier than|older than)\s+(?P<before>{_DATE}){_END}"
    rf"|(?:in|during|from|on|of|dated|(?:study\s+)?date:?)\s+(?:the\s+year\s+)?(?P<within>{_DATE}){_END}"
    rf"|(?P<earliest>{_DATE})\s*(?:[-\u2013]|to|until|till|through)\s*(?P<latest>{_DATE}){_END}|(?P<day>{_YEAR}-\d\d-\d\d|{_MONTH}\s+{_YEAR}){_END}"
    rf"|(?P<year>{_YEAR})(?=\s+(?:chest\s+)?(?:stud(?:y|ies)|x-?rays?|films?|images?|exams?|radiographs?|reports?|cases?)\b))",
    re.IGNORECASE,
)
_DATE_LIKE = re.compile(
    rf"(?<![\w/.-])(?:\d\d?([/.-])\d\d?\1(?:\d\d)?\d\d|{_YEAR}(?:[-/]\d\d?(?:[-/]\d\d?)?)?)(?![\w/-]|\s*(?:mm|cm|ml|mg)\b)"
)
_DENIED = re.compile(
    r"\b(?:not|never|neither|nor|except(?:ing)?(?: for)?|exclud\w+|without|other than|apart|aside"
    r"|outside(?: of)?|unless)"
    r"(?:\s+(?:in|on|from|of|during|dated|the|any|all|those|ones|studies|images|cases|films))*\s*$",
    re.IGNORECASE,
)
_COUNTED = re.compile(r"\b(?:least|most|than|top|first|last|about|up to|\d+\s*mm,?)\s*$", re.IGNORECASE)
"""Before a number of studies, which is no year: "at least 2000 images"."""
_ISO = re.compile(r"(\d{4})[-/](\d\d?)(?:[-/](\d\d?))?$")
_DAY = dt.timedelta(days=1)


def taken_dates(text: str) -> tuple[str, str | None, str | None]:
    """Return the text without the words that name study dates, and the first and the last date, ISO and inclusive."""
    low: dt.date | None = None
    high: dt.date | None = None

    def taken(match: re.Match[str]) -> str:
        nonlocal low, high
        before = match.string[: match.start()]
        period = _period({name: value for name, value in match.groupdict().items() if value})
        if period is None or _DENIED.search(before) or (match["year"] and _COUNTED.search(before)):
            return match[0]
        low, high = period[0] or low, period[1] or high
        return " "

    rest = _DATES.sub(taken, text)
    return rest, low.isoformat() if low else None, high.isoformat() if high else None


def date_like_words(text: str) -> tuple[str, ...]:
    """Return the words of a text that look like years or dates: "2018", "03/04/2018"."""
    return tuple(match[0] for match in _DATE_LIKE.finditer(text))


def _period(named: dict[str, str]) -> tuple[dt.date | None, dt.date | None] | None:
    """Return the first and the last day of what the groups of a match name; None if one is no date."""
    spans = [span for value in named.values() if (span := _span(value))]
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
    try:
        first = dt.date(year, month or 1, day or 1)
    except ValueError:
        return None
    if day:
        return first, first
    last = month or len(_MONTHS)
    return first, dt.date(year, last, calendar.monthrange(year, last)[1])
