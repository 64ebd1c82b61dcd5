"""Reads the filters named in a query's words: views, ids, number of results, study dates, sex and age."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from mcp_cxr.language.query._dates_in_text import date_like_words, taken_dates
from mcp_cxr.language.query._patients_in_text import taken_patients

_IMAGE_WORDS = (
    r"(?:views?|films?|images?|radiographs?|x-?\s?rays?|cxrs?|projections?|chest|stud(?:y|ies)|exams?|examinations?"
    r"|pictures?)"
)
# Before these words PA, AP and lateral are anatomy or technique: the pulmonary artery, a lateral rib.
_NO_VIEW_BEFORE = (
    r"(?:catheters?|arter(?:y|ies|ial)|lines?|pressures?|ribs?|walls?|angles?|hypertension|diameter|leads?"
    r"|aspects?|segments?|lungs?|lobes?|portions?|bases?|window|band|branch(?:es)?|sling|chest wall"
    r"|displacement|margin|border|thorax|hemithorax|costophrenic|pleural?|third|half|side|end|clavicle|sulcus"
    r"|view box|decubitus)"
)
_NAMES: Final = {
    "posteroanterior": "PA",
    "anteroposterior": "AP",
    "pa": "PA",
    "ap": "AP",
    "lateral": "LATERAL",
    "frontal": "FRONTAL",
}
VIEW_WORDS = frozenset(_NAMES)
_VIEW = rf"(?:{'|'.join(_NAMES)})"
_VIEWS = re.compile(
    rf"\b(?P<first>{_VIEW})(?:\s*(?:and|or|&|/|,)\s*(?P<second>{_VIEW}))?\b"
    rf"(?!\s+{_NO_VIEW_BEFORE}\b)(?P<noun>\s+{_IMAGE_WORDS}\b)*",
    re.IGNORECASE,
)
_CHEST_BEFORE = re.compile(r"\b(?:chest|cxr|x-?ray|film|image|view|radiograph)[\s,]+(?:in\s+|as\s+)?$", re.IGNORECASE)
_DENIED_BEFORE = re.compile(r"\b(?:not|no|without|excluding|except(?: for)?)\s+(?:the\s+|any\s+)?$", re.IGNORECASE)

_HEX_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{8}){4}"
_UID = r"\d+(?:\.\d+){5,}"
_ID = re.compile(
    rf"(?<![\w.-])(?:(?P<subject>p\d{{8}})|(?P<study>s\d{{8}})|(?P<image>{_HEX_ID}|{_UID}))(?![\w-])", re.IGNORECASE
)

_NUMBER_WORDS = {
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "twelve": 12,
    "fifteen": 15,
    "twenty": 20,
    "fifty": 50,
}
_UNITS = (
    r"(?:(?:mm|cm|mg|ml|kg|years?|yrs?|yo|y\.?o|days?|weeks?|months?|hours?|percent|degrees?|views?|ribs?|th|rd|nd|st)\b"
    r"|%|-|\.\d|/)"
)
_NUMBER = rf"(?:\d{{1,3}}|{'|'.join(_NUMBER_WORDS)})"
_LIMIT = re.compile(
    r"\b(?:give|show|find|list|get|retrieve|return|fetch|display|open|pull|locate|bring|provide|grab|pick|select|send|collect"
    r"|wants|requests|looking for|asks for|asked for"
    r"|(?:i|we)(?:['\u2019]d|\s+would|\s+only|\s+just)*\s+(?:want|need|like))"
    r"\s+(?:me\s+|us\s+|up\s+|with\s+|to\s+(?:see|get|have)\s+)*(?:to\s+|at\s+most\s+)?"
    rf"(?:the\s+)?(?:top\s+|first\s+|best\s+)?(?P<number>{_NUMBER})\b(?!\s*{_UNITS})"
    rf"|\b(?:top|first|best|limit(?:ed)?(?:\s+to)?|max(?:imum)?(?:\s+of)?)\s+(?P<top>{_NUMBER})\b(?!\s*{_UNITS})"
    r"(?:\s+(?:results|hits))?"
    rf"|\b(?:ideally|preferably|about|around|say)\s+(?P<about>{_NUMBER})\s+of\s+(?:them|these|those)\b"
    rf"|\b(?:(?:at most|no more than|up to|only)\s+)?(?P<results>{_NUMBER})\s+(?:results|hits|examples)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class TextFilters:
    """The filters that a query's words name, and the remaining words."""

    text: str
    """The remaining words."""
    view_positions: tuple[str, ...] = ()
    """PA, AP, LATERAL, FRONTAL."""
    subject_id: str | None = None
    study_id: str | None = None
    image_id: str | None = None
    limit: int | None = None
    """The number of results that the words name."""
    sex: str | None = None
    """F or M."""
    age_from: int | None = None
    """Years, inclusive."""
    age_to: int | None = None
    """Years, inclusive."""
    date_from: str | None = None
    """ISO date, inclusive."""
    date_to: str | None = None
    """ISO date, inclusive."""

    @property
    def patient_words(self) -> str:
        """The sex and age that the words name, for people: "women aged 60 or over"; empty if they name none."""
        sex = {"F": "women", "M": "men", None: "patients"}[self.sex]
        low, high = self.age_from, self.age_to
        if low is not None and high is not None:
            return f"{sex} aged {low}" if low == high else f"{sex} aged {low} to {high}"
        if low is not None:
            return f"{sex} aged {low} or over"
        if high is not None:
            return f"{sex} aged {high} or under"
        return sex if self.sex else ""

    @property
    def date_words(self) -> str:
        """The study dates that the words name, for people: "2019-01-01 to 2019-12-31"; empty if they name none."""
        if self.date_from and self.date_to:
            return self.date_from if self.date_from == self.date_to else f"{self.date_from} to {self.date_to}"
        if self.date_from:
            return f"since {self.date_from}"
        return f"until {self.date_to}" if self.date_to else ""

    @property
    def unread_dates(self) -> tuple[str, ...]:
        """Years and dates among the remaining words, in a form that is no filter: "not in 2018", "03/04/2018"."""
        return date_like_words(self.text)


def read_text_filters(query: str) -> TextFilters:
    """Return the filters that the words of a query name, and the words that remain."""
    text, ids = _taken(_ID, query)
    found = {name: value for match in ids for name, value in match.groupdict().items() if value}
    text, views = _views(text)
    text, limits = _taken(_LIMIT, text)
    text, date_from, date_to = taken_dates(text)
    text, sex, (age_from, age_to) = taken_patients(text)
    return TextFilters(
        " ".join(text.split()),
        views,
        _lower(found.get("subject")),
        _lower(found.get("study")),
        _lower(found.get("image")),
        _limit(limits),
        sex,
        age_from,
        age_to,
        date_from,
        date_to,
    )


def _lower(value: str | None) -> str | None:
    return value.lower() if value else None


def _taken(pattern: re.Pattern[str], text: str) -> tuple[str, list[re.Match[str]]]:
    """Return the text without the matches of a pattern, and the matches."""
    return pattern.sub(" ", text), list(pattern.finditer(text))


def _views(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the text without the words that name a view of the image, and the views."""
    views: dict[str, None] = {}
    kept: list[str] = []
    end = 0
    for match in _VIEWS.finditer(text):
        if not _is_view(match, text):
            continue
        views |= {_NAMES[name.lower()]: None for name in (match["first"], match["second"]) if name}
        kept.append(text[end : match.start()])
        end = match.end()
    return " ".join([*kept, text[end:]]), tuple(views)


def _is_view(match: re.Match[str], text: str) -> bool:
    """Whether a match means how the image was taken; "lateral" alone may be a place."""
    if _DENIED_BEFORE.search(text[: match.start()]):
        return False
    named = bool(match["noun"] or match["second"] or _CHEST_BEFORE.search(text[: match.start()]))
    short = match["first"].lower() in ("pa", "ap", "posteroanterior", "anteroposterior")
    return named or short or not text[match.end() :].strip() or not text[: match.start()].strip()


def _limit(matches: list[re.Match[str]]) -> int | None:
    for match in matches:
        word = (match["number"] or match["top"] or match["results"] or match["about"]).lower()
        number = _NUMBER_WORDS.get(word) or int(word)
        if number >= 1:
            return min(number, 100)
    return None
