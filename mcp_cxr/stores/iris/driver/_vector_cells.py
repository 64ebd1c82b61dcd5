"""Vectors as text, as they are sent to the server and returned by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.stores._shared import damaged_vector_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mcp_cxr.records import Vector, Vectors

_VECTORS_AT_ONCE = 16  # their cells fit the processor's cache
_LEAST = 1e-4  # the smallest number that is written here; of a unit vector, few are smaller
_SIGNIFICANT_DIGITS = (7, 8, 9)  # nine restore every float32
_DECIMALS = 12  # at most: three zeros, then nine digits
_POWERS = 10.0 ** np.arange(_DECIMALS + 1)  # exact
_SIGN, _POINT, _WIDTH = 0, 2, _DECIMALS + 4  # columns of a number: "-0.", its decimals, a comma


def to_vector_cells(vectors: Vectors) -> list[str]:
    """Return each vector as text; every number has as few digits, 7 to 9, as restore its float32 exactly.

    Args:
        vectors: float32, shape (count, dimension).
    """
    starts = range(0, len(vectors), _VECTORS_AT_ONCE)
    return [cell for start in starts for cell in _cells(vectors[start : start + _VECTORS_AT_ONCE])]


def to_vector_cell(vector: Vector) -> str:
    """Return one vector as text, as `to_vector_cells` does."""
    return to_vector_cells(vector[None, :])[0]


def from_vector_cell(cell: object) -> Vector | None:
    """Return the vector of a cell, `1,2` or `[1,2]`; None if it is NULL or damaged: its text is in no message."""
    if cell is None:
        return None
    try:
        return np.array(str(cell).strip("[] ").split(","), dtype=np.float64).astype(np.float32)
    except (ValueError, OverflowError):
        return None


def vectors_from_cells(cells: Sequence[object], dimension: int) -> Vectors:
    """Return the vectors of several cells, shape (len(cells), dimension).

    Raises:
        StoreError: A cell is empty or has another length.
    """
    vectors = [vector for cell in cells if (vector := from_vector_cell(cell)) is not None and vector.size == dimension]
    if len(vectors) < len(cells):
        raise damaged_vector_error()
    return np.stack(vectors) if vectors else np.empty((0, dimension), np.float32)


def _cells(vectors: Vectors) -> list[str]:
    numbers = vectors.ravel()
    decimals, digits = _shortest(np.abs(numbers))
    text = _written(decimals, digits)
    text[:, _SIGN] = np.where(numbers < 0, ord("-"), 0)
    others = np.flatnonzero(decimals == 0)
    if others.size:
        written = np.array([f"{number:.9g}" for number in numbers[others].tolist()], dtype=f"S{_WIDTH - 1}")
        text[others, :-1] = written.view(np.uint8).reshape(-1, _WIDTH - 1)
    rows = text.reshape(len(vectors), -1)
    return [row[:-1].tobytes().translate(None, b"\0").decode("ascii") for row in rows]


def _shortest(sizes: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.uint32]]:
    """Return the number of decimals of each number, and these as an integer; 0 decimals: it is to be written otherwise.

    Args:
        sizes: Absolute values.
    """
    exact = sizes.astype(np.float64)
    decimals = np.zeros(sizes.size, np.uint8)
    digits = np.zeros(sizes.size, np.uint32)
    is_open = (exact >= _LEAST) & (exact < 1)
    zeros = np.where(is_open, -1 - np.floor(np.log10(np.where(is_open, exact, 0.5))), 0).astype(np.uint8)
    for significant in _SIGNIFICANT_DIGITS:
        power = _POWERS[zeros + significant]
        rounded = np.rint(exact * power)
        # One division of exact numbers is what reading the text gives.
        found = is_open & ((rounded / power).astype(np.float32) == sizes)
        decimals[found] = zeros[found] + significant
        digits[found] = rounded[found]
        is_open &= ~found
    return decimals, digits


def _written(decimals: NDArray[np.uint8], digits: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Return `0.` with decimals and a comma for each number, shape (count, _WIDTH), in ASCII with NUL between."""
    text = np.zeros((decimals.size, _WIDTH), np.uint8)
    text[:, _POINT - 1 : _POINT + 1] = np.frombuffer(b"0.", np.uint8)
    text[:, -1] = ord(",")
    is_needed = np.zeros(decimals.size, bool)  # false for the zeros at the end
    for place in range(_DECIMALS):
        left = digits // 10
        digit = (digits - left * 10).astype(np.uint8)
        is_needed |= digit > 0
        text[:, _WIDTH - 2 - place] = np.where(is_needed & (place < decimals), digit + ord("0"), 0)
        digits = left
    return text
