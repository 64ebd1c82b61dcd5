"""Single values out of a DICOM header: what is absent, empty or unreadable is None, and nothing raises."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag, Tag

from mcp_cxr.images.source import FAULTS

if TYPE_CHECKING:
    from collections.abc import Iterable

_MANY = (MultiValue, Sequence, list, tuple)


def values(facts: Dataset, keyword: str) -> list[Any]:
    """Return all values of an element that are not empty."""
    tag = _tag(keyword)
    if tag not in facts.keys():  # noqa: SIM118  # the dataset itself would look the tag up once more, each time
        return []
    try:
        value: Any = facts[tag].value
        many = list(cast("Iterable[Any]", value)) if isinstance(value, _MANY) else [value]
    except FAULTS:
        return []
    return [one for one in many if one is not None and one != ""]


def text(facts: Dataset, keyword: str) -> str | None:
    """Return the first value as text without surrounding blanks and NUL; None where nothing is left."""
    return next((bare for one in values(facts, keyword) if (bare := str(one).strip(" \0\t\r\n"))), None)


def number(facts: Dataset, keyword: str) -> float | None:
    """Return the first value, finite."""
    return next(iter(numbers(facts, keyword)), None)


def numbers(facts: Dataset, keyword: str) -> list[float]:
    """Return all values; none of them if one is no finite number."""
    try:
        found = [float(one) for one in values(facts, keyword)]
    except FAULTS:
        return []
    return found if all(map(math.isfinite, found)) else []


def integer(facts: Dataset, keyword: str) -> int | None:
    """Return the first value if it is a whole number."""
    value = number(facts, keyword)
    return int(value) if value is not None and value.is_integer() else None


def item(facts: Dataset, keyword: str) -> Dataset | None:
    """Return the first item of a sequence."""
    return next((one for one in values(facts, keyword) if isinstance(one, Dataset)), None)


@cache
def _tag(keyword: str) -> BaseTag:
    return Tag(keyword)
