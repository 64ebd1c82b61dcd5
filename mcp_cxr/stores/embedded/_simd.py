"""Products of int8 rows, with SIMD where numkong is installed: the only module that imports it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

try:
    import numkong
except ImportError:  # it has wheels for most machines, not for all
    numkong: Any = None

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK = 1024  # rows that numpy takes at once: as float32 they stay in a core's cache


def products(codes: NDArray[np.int8], query: NDArray[np.int8]) -> NDArray[np.float32]:
    """Return the product of each row with the query, shape (len(codes),).

    Exact where it is below 2**24, which rows of 1,024 numbers cannot exceed; beyond, rounded to float32.

    Args:
        codes: Shape (n, width), rows contiguous.
        query: Shape (width,).
    """
    return products_of_numpy(codes, query) if numkong is None else _products_of_numkong(codes, query)


def _products_of_numkong(codes: NDArray[np.int8], query: NDArray[np.int8]) -> NDArray[np.float32]:
    if not len(codes):
        return np.empty(0, np.float32)
    found = np.empty((1, len(codes)))
    numkong.cdist(query[None, :], codes, "dot", out=found)
    return found[0].astype(np.float32)


def products_of_numpy(codes: NDArray[np.int8], query: NDArray[np.int8]) -> NDArray[np.float32]:
    """Do the same without SIMD of our choosing: numpy multiplies floats fast, and integers slowly."""
    found = np.empty(len(codes), np.float32)
    wide = query.astype(np.float32)
    for start in range(0, len(codes), _BLOCK):
        block = slice(start, start + _BLOCK)
        np.matmul(codes[block].astype(np.float32), wide, out=found[block])
    return found
