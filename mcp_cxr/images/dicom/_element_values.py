"""Reads single values of a DICOM header; returns None for absent, empty or unreadable ones, never raises."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag, Tag

from mcp_cxr.images.files import LIBRARY_ERRORS

if TYPE_CHECKING:
    from collections.abc import Iterable

_MANY = (MultiValue, Sequence, list, tuple)


def values(elements: Dataset, keyword: str, *, keep_empty: bool = False) -> list[Any]:
    """Return all values of an element, without the empty ones unless `keep_empty`."""
    tag = _tag(keyword)
    if tag not in elements.keys():  # noqa: SIM118  # the dataset itself would look the tag up once more, each time
        return []
    try:
        value: Any = elements[tag].value
        many = list(cast("Iterable[Any]", value)) if isinstance(value, _MANY) else [value]
    except LIBRARY_ERRORS:
        return []
    return many if keep_empty else [single for single in many if single is not None and single != ""]


def text(elements: Dataset, keyword: str) -> str | None:
    """Return the first value as text without surrounding blanks and NUL; None if nothing is left."""
    return next((bare for value in values(elements, keyword) if (bare := str(value).strip(" \0\t\r\n"))), None)


def number(elements: Dataset, keyword: str) -> float | None:
    """Return the first value, finite."""
    return next(iter(numbers(elements, keyword)), None)


def numbers(elements: Dataset, keyword: str) -> list[float]:
    """Return all values; an empty list if one is not a finite number."""
    try:
        found = [float(value) for value in values(elements, keyword)]
    except LIBRARY_ERRORS:
        return []
    return found if all(map(math.isfinite, found)) else []


def integer(elements: Dataset, keyword: str) -> int | None:
    """Return the first value if it is a whole number."""
    value = number(elements, keyword)
    return int(value) if value is not None and value.is_integer() else None


def item(elements: Dataset, keyword: str) -> Dataset | None:
    """Return the first item of a sequence."""
    return next(iter(items(elements, keyword)), None)


def items(elements: Dataset, keyword: str) -> list[Dataset]:
    """Return the items of a sequence, as many as are read."""
    return [value for value in values(elements, keyword) if isinstance(value, Dataset)]


@cache
def _tag(keyword: str) -> BaseTag:
    return Tag(keyword)
