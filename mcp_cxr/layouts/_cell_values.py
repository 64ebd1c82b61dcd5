"""Reads the cells of tables: ids, dates, labels."""

from __future__ import annotations

import datetime as dt
import re
import sys
from functools import lru_cache

_FLOAT = re.compile(r"(\d+)\.0*")  # as pandas writes whole numbers after an outer merge
_EXPONENT = re.compile(r"\d(?:\.\d+)?e\+?\d{1,2}", re.IGNORECASE)
_DATE = re.compile(r"(\d{4})[-/.]?(\d\d)[-/.]?(\d\d)(?:\.0*|[T ].*)?")
_TIME = re.compile(r"(?:(\d\d?):(\d\d)(?::(\d\d))?|(\d{1,6}))(?:\.\d*)?", re.ASCII)
_AGE = re.compile(r"(\d{1,4})(?:\.0*)?(?: ?(y|m|w|d)| (?:or more|years))?", re.IGNORECASE)
_PER_YEAR = {"y": 1, "m": 12, "w": 52, "d": 365}
_OLDEST = 120
_LIST = re.compile(r"\[(\s*|(?:\s*(?:'[^']*'|\"[^\"]*\")\s*,?)+)\]")
_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_EMPTY = frozenset({"", "nan", "na", "n/a", "none", "null", "<na>"})
_LABEL_VALUES = {"1": 1, "1.0": 1, "0": 0, "0.0": 0, "-1": -1, "-1.0": -1}


def is_empty(cell: str) -> bool:
    """Return whether a cell holds nothing, in the words of common programs."""
    return cell.strip().lower() in _EMPTY


def text_of(cell: str) -> str | None:
    """Return a cell's text without blanks around it; None if it is empty."""
    return None if is_empty(cell) else cell.strip()


def number_id(cell: str, letter: str = "") -> str:
    """Return an id of digits: `50414267`, `50414267.0` and, with its letter, `s50414267` are one id.

    Args:
        letter: A small letter that may stand before the digits, small or not.
    """
    if cell.isdigit():
        return cell
    text = cell.strip()
    if letter and text[:1].lower() == letter:
        text = text[1:]
    if found := _FLOAT.fullmatch(text):
        return found[1]
    if _EXPONENT.fullmatch(text):
        return str(int(float(text)))
    return text


@lru_cache(maxsize=65536)
def iso_date(cell: str) -> str | None:
    """Turn `21800506`, `2180-05-06` or `2180-05-06 08:05` into `2180-05-06`; None for anything else.

    A date whose day and month could be exchanged is not read.
    """
    found = _DATE.fullmatch(cell.strip())
    try:
        return dt.date(*map(int, found.groups())).isoformat() if found else None
    except ValueError:
        return None


@lru_cache(maxsize=65536)
def iso_time(cell: str) -> str | None:
    """Turn `08:05`, `08:05:56.875`, DICOM's `080556` or MIMIC's number `80556.875` into `08:05:56`; None otherwise.

    Equal times share one object.
    """
    found = _TIME.fullmatch(cell.strip())
    if found is None:
        return None
    parts = (found[1], found[2], found[3] or 0) if found[1] else re.findall("..", found[4].zfill(6))
    hours, minutes, seconds = map(int, parts)
    try:
        return sys.intern(dt.time(hours, minutes, seconds).isoformat())
    except ValueError:
        return None


def label_value(cell: str) -> int | None:
    """Return 1, 0 or -1; None if the cell is empty.

    Raises:
        ValueError: It holds something else.
    """
    value = _LABEL_VALUES.get(cell)
    if value is None and not is_empty(cell):
        value = {1.0: 1, 0.0: 0, -1.0: -1}.get(float(cell))
        if value is None:
            raise ValueError("not the value of a label")
    return value


def interned(cell: str) -> str:
    """Return a text of which a table has many equal ones, as one shared object."""
    return sys.intern(cell)


@lru_cache(maxsize=4096)
def sex_of(cell: str) -> str | None:
    """Return `F` or `M`; None for anything else."""
    return {"f": "F", "female": "F", "m": "M", "male": "M"}.get(cell.strip().lower())


@lru_cache(maxsize=4096)
def age_of(cell: str) -> int | None:
    """Return an age in years: of `57`, `057Y`, `57.0`, `6M` (0) or `85 or more` (85); None for anything else.

    Nobody is older than 120: tables have such ages by mistake.
    """
    found = _AGE.fullmatch(cell.strip())
    if found is None:
        return None
    years = int(found[1]) // _PER_YEAR[(found[2] or "y").lower()]
    return years if years <= _OLDEST else None


@lru_cache(maxsize=65536)
def names_in_list(cell: str) -> tuple[str, ...] | None:
    """Return the texts of a list as Python writes it, `['a', "b"]`; None if it is none. Nothing is evaluated."""
    found = _LIST.fullmatch(cell.strip())
    return tuple(one or other for one, other in _QUOTED.findall(found[1])) if found else None
