"""Replaces a study's own identifiers in its report by `___`, as MIMIC's reports have it.

Only what the file's header and the PACS say of this patient is looked for. That is no de-identification: a report may
name relatives, physicians and places.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MASK: Final = "___"
_SHORTEST_NAME: Final = 2
_SHORTEST_ID: Final = 3
_TITLES: Final = (
    "mr|mrs|ms|miss|mister|madam|sir|patient|name|herr|herrn|frau|fr|hr|monsieur|madame|mme|mlle|m|senor|senora|sr|sra"
    "|don|dona|signor|signora|sig|pan|pani|dhr|mevr|mevrouw"
)
_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september", "october"),
    *("november", "december"),
)


def mask_identifiers(
    report: str,
    *,
    names: Iterable[str | None],
    ids: Iterable[str | None],
    birth_dates: Iterable[str | None],
) -> str:
    """Return a report in which these identifiers are replaced.

    Args:
        report: The whole text.
        names: Values of (0010,0010) Patient Name, `Family^Given^Middle^Prefix^Suffix`, up to three alternatives with
            `=` between them.
        ids: PatientID and accession number.
        birth_dates: Values of (0010,0030) Patient Birth Date, `19500312`.
    """
    patterns = [
        *(pattern for value in names if value for one in value.split("=") for pattern in _of_name(one)),
        *(_of_id(value) for value in ids if value and len(value.strip()) >= _SHORTEST_ID),
        *(pattern for value in birth_dates if value for pattern in _of_date(value)),
    ]
    plain = report.translate({ord(char): _bare(char) for char in set(report)})
    for pattern in patterns:
        spans = [found.span("masked") for found in re.finditer(pattern, plain)]
        report, plain = _masked(report, spans), _masked(plain, spans)
    return report


def _masked(text: str, spans: list[tuple[int, int]]) -> str:
    """Replace parts of a text; the report and its twin without accents and case have the same places."""
    starts = [0, *(stop for _, stop in spans)]
    stops = [*(start for start, _ in spans), len(text)]
    return MASK.join(text[start:stop] for start, stop in zip(starts, stops, strict=True))


def _bare(char: str) -> str:
    """Return one small letter without accents for a letter, so that places stay the same."""
    bare = unicodedata.normalize("NFD", char)[0].lower()
    return bare if len(bare) == 1 else char


def _of_name(value: str) -> Iterator[str]:
    """Yield patterns of a name: all orders of its parts together, then each by itself where it can be meant."""
    from mcp_cxr.language.query import is_word_of_reports

    family, given, *others = [part.strip() for part in (*value.split("^"), "", "")]
    middle = others[0] if others else ""
    words = ["".join(map(_bare, word)) for part in (family, given, middle) for word in re.findall(r"[^\W\d_]+", part)]
    words = [word for word in dict.fromkeys(words) if len(word) >= _SHORTEST_NAME]
    if not words:
        return
    either = "|".join(sorted(map(re.escape, words), key=len, reverse=True))
    between = r"(?:\s*,\s*|[\s\-^]+(?:[a-z]\.?\s+)?)"
    yield rf"(?<!\w)(?P<masked>(?:{either})(?:{between}(?:{either}))+)(?!\w)"
    yield rf"(?<!\w)(?:{_TITLES})[.:]?\s+(?P<masked>{either})(?!\w)"
    alone = [re.escape(word) for word in words if not is_word_of_reports(word)]
    if alone:
        yield rf"(?<!\w)(?P<masked>{'|'.join(sorted(alone, key=len, reverse=True))})(?!\w)"


def _of_id(value: str) -> str:
    """Return the pattern of an id, with or without the zeros before it and signs within."""
    signs = [re.escape(_bare(char)) for char in value.strip().lstrip("0") or value.strip() if char.isalnum()]
    between = r"[\s./_-]?"
    return rf"(?<!\w)(?P<masked>0*{between.join(signs)})(?!\w)"


def _of_date(value: str) -> Iterator[str]:
    """Yield patterns of a date as people and equipment write it."""
    try:
        day = dt.datetime.strptime(value.strip()[:8], "%Y%m%d").date()  # noqa: DTZ007  # a date alone
    except ValueError:
        return
    y, m, d = rf"(?:{day:%Y}|{day:%y})", rf"0?{day.month}", rf"0?{day.day}"
    name = _MONTHS[day.month - 1]
    month = rf"(?:{name}|{name[:3]}\.?)"
    sign = r"\s*[./\-]\s*"
    yield rf"(?<!\d)(?P<masked>{day:%Y%m%d})(?!\d)"
    yield rf"(?<!\d)(?P<masked>{day:%Y}{sign}{m}{sign}{d})(?!\d)"
    yield rf"(?<!\d)(?P<masked>(?:{d}{sign}{m}|{m}{sign}{d}){sign}{y})(?!\d)"
    yield rf"(?<!\d)(?P<masked>{d}(?:st|nd|rd|th)?\.?\s+(?:of\s+)?{month},?\s+{y})(?!\d)"
    yield rf"(?<!\w)(?P<masked>{month}\s+{d}(?:st|nd|rd|th)?,?\s+{y})(?!\d)"
    yield rf"(?<!\d)(?P<masked>{d}[\s-]{month}[\s-]{y})(?!\d)"
