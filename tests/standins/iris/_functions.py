"""The functions and the collation that SQLite lacks."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.standins.iris._errors import SqlError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable


class Functions:
    """Adds them to a connection, and keeps the refusal that one of them ended with: SQLite has no room for it."""

    def __init__(self, sqlite: sqlite3.Connection) -> None:
        self.refusal: SqlError | None = None
        sqlite.create_collation("SQLUPPER", _compare)
        for name, (arguments, function) in _FUNCTIONS.items():
            sqlite.create_function(name, arguments, self._kept(function), deterministic=True)

    def _kept(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*values: Any) -> Any:
            try:
                return function(*values)
            except SqlError as exc:
                self.refusal = exc
                raise

        return run


def vector_text(blob: bytes) -> str:
    """A stored vector as IRIS shows it: 17 digits, and no nought before the point."""
    return ",".join(_canonical(float(value)) for value in np.frombuffer(blob))


def _canonical(value: float) -> str:
    text = str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def _compare(one: str, other: str) -> int:
    one, other = one.upper(), other.upper()
    return (one > other) - (one < other)


def _to_vector(text: str | float | bytes | None) -> bytes | None:
    if text is None or isinstance(text, bytes):
        return text
    try:
        values = np.array(str(text).strip("[]").split(","), dtype=np.float64)
    except ValueError:
        raise SqlError(-104, "a vector element is no number") from None
    if not np.isfinite(values).all():
        raise SqlError(-104, "a vector element is no finite number")
    return values.tobytes()


def _list_from_string(text: str | None, delimiter: str = ",") -> str:
    """The parts of a string as JSON, for SQLite to search them."""
    return json.dumps(str(text).split(delimiter) if text else [])


def _pair(one: bytes | str, other: bytes | str) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(one, bytes) or not isinstance(other, bytes):
        raise SqlError(-259, "a vector is wanted, and TO_VECTOR makes one")
    if len(one) != len(other):
        raise SqlError(-257, f"{len(one) // 8} and {len(other) // 8} elements")
    return np.frombuffer(one), np.frombuffer(other)


def _dot(one: bytes | None, other: bytes | None) -> float | None:
    if one is None or other is None:
        return None
    return float(np.dot(*_pair(one, other)))


def _cosine(one: bytes | None, other: bytes | None) -> float | None:
    if one is None or other is None:
        return None
    left, right = _pair(one, other)
    lengths = math.sqrt(float(np.dot(left, left)) * float(np.dot(right, right)))
    return float(np.dot(left, right)) / lengths if lengths else None


def _starts_exactly(start: str | None, text: str | None) -> bool | None:
    return None if start is None or text is None else str(text).startswith(str(start))


def _starts(start: str | None, text: str | None) -> bool | None:
    return None if start is None or text is None else str(text).upper().startswith(str(start).upper())


def _unless_null(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*values: Any) -> Any:
        return None if None in values else function(*values)

    return run


def _number(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*values: Any) -> Any:
        try:
            return function(*(float(value) for value in values))
        except (ValueError, ZeroDivisionError, OverflowError):
            raise SqlError(-400, f"<ILLEGAL VALUE>{values}") from None

    return _unless_null(run)


def _divisor(value: float | None) -> float | None:
    if value is not None and float(value) == 0:
        raise SqlError(-400, "<DIVIDE>")
    return value


_FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "iris_divisor": (1, _divisor),
    "iris_list": (2, _list_from_string),
    "iris_to_vector": (1, _to_vector),
    "iris_cosine": (2, _cosine),
    "iris_dot": (2, _dot),
    "iris_log": (1, _number(math.log)),
    "iris_log10": (1, _number(math.log10)),
    "iris_exp": (1, _number(math.exp)),
    "iris_sqrt": (1, _number(math.sqrt)),
    "iris_power": (2, _number(math.pow)),
    "iris_floor": (1, _number(math.floor)),
    "iris_ceiling": (1, _number(math.ceil)),
    "iris_mod": (2, _number(math.fmod)),
    "iris_upper": (1, _unless_null(lambda text: str(text).upper())),
    "iris_lower": (1, _unless_null(lambda text: str(text).lower())),
    "iris_concat": (2, _unless_null(lambda one, other: f"{one}{other}")),
    "match": (2, _starts_exactly),
    "regexp": (2, _starts),
}
