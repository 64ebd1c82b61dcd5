"""Arithmetic on many rows, with SIMD if numkong is installed; the only module that imports it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

try:
    import numkong
except ImportError:  # no wheel for this machine
    numkong: Any = None

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_LINE, _BEGIN = 64, 48  # bytes of a cache line, and the offset in one at which a query begins
_BLOCK = 1024  # rows that numpy takes at once: as float32 they stay in a core's cache


def prepared(query: NDArray[np.int8], width: int) -> NDArray[np.int8]:
    """Return the query for `products`, padded with zeros.

    It begins within a cache line: with a query that begins a line, as all rows do, reading the rows is a tenth slower
    (measured on AMD EPYC with numkong 7.8; the reason is unknown).
    """
    room = np.zeros(width + 2 * _LINE, np.int8)
    start = (_BEGIN - room.ctypes.data) % _LINE
    room[start : start + len(query)] = query
    return room[start : start + width]


def products(codes: NDArray[np.int8], query: NDArray[np.int8], out: Floats) -> None:
    """Write the product of each row with the query to `out`.

    Exact below 2**24, which rows of 1,024 numbers cannot exceed; beyond, rounded to float32.

    Args:
        codes: Shape (n, width), rows contiguous.
        query: Shape (width,), `prepared`.
        out: Shape (n,).
    """
    if numkong is None:
        products_of_numpy(codes, query, out)
    elif len(codes):
        numkong.cdist(codes, query[None, :], "dot", out=out[:, None])  # in this order: the other takes a tenth longer


def combine(values: Floats, scales: Floats, others: Floats, *, scale: float, other: float) -> None:
    """Set each value to `scale * scales * values + other * others`.

    Args:
        values: Shape (n,); overwritten.
        scales: Shape (n,).
        others: Shape (n,).
    """
    if numkong is None:
        values *= scales
        values *= np.float32(scale)
        values += np.float32(other) * others
    elif len(values):
        numkong.fma(values, scales, others, alpha=scale, beta=other, out=values)


def products_of_numpy(codes: NDArray[np.int8], query: NDArray[np.int8], out: Floats) -> None:
    """Do the same with numpy, which multiplies floats fast and integers slowly."""
    wide = query.astype(np.float32)
    for start in range(0, len(codes), _BLOCK):
        block = slice(start, start + _BLOCK)
        np.matmul(codes[block].astype(np.float32), wide, out=out[block])
