"""Films made smaller by a whole factor, each block of pixels by its mean, before anything costly is done to them.

Sums of contiguous rows come first, then the columns of what is left: numpy does that at the speed of memory. Measured
on 2544 x 3056 it takes 2 to 3 ms, where a filter over all pixels takes 17.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mcp_cxr.images._raster import MAX_FACTOR

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_SPARE: Final = 2.5
"""Pixels left for each one wanted, for the last step is a proper filter. Measured at 224 columns: with 2.0 it is up to
5 greys off the one over all pixels, with 2.5 up to 3."""


def whole_factor(ratio: float) -> int:
    """Return the largest of 8, 4, 2 and 1 that leaves two and a half pixels a side for each one wanted.

    Args:
        ratio: Pixels there are for each pixel wanted, along a side.
    """
    factor = MAX_FACTOR
    while factor > max(1, ratio / _SPARE):
        factor //= 2
    return factor


def reduced(strips: Iterable[NDArray[Any]], shape: tuple[int, int], factor: int, *, bits: int) -> NDArray[Any]:
    """Return the means of blocks of `factor` x `factor` pixels, rounded; blocks over the edge repeat the last pixel.

    Args:
        strips: Integers; whole rows from the top, a multiple of `factor` rows in each but the last.
        shape: Rows and columns of all strips together.
        factor: A power of two.
        bits: Values lie within so many; tells how wide sums must be.
    """
    result: NDArray[Any] | None = None
    at = 0
    for strip in strips:
        if result is None:
            result = np.empty((-(-shape[0] // factor), -(-shape[1] // factor)), strip.dtype)
        small = strip if factor == 1 else _means(strip, factor, bits)
        result[at : at + len(small)] = small
        at += len(small)
    if result is None:
        raise ValueError("There are no strips.")
    return result


def _means(strip: NDArray[Any], factor: int, bits: int) -> NDArray[Any]:
    shift = factor.bit_length() - 1
    if over := -len(strip) % factor:
        strip = np.pad(strip, ((0, over), (0, 0)), "edge")
    rows = _sums([strip[start::factor] for start in range(factor)], bits + shift)
    if over := -strip.shape[1] % factor:
        rows = np.pad(rows, ((0, 0), (0, over)), "edge")
    sums = _sums([rows[:, start::factor] for start in range(factor)], bits + 2 * shift)
    sums += factor * factor // 2
    return np.right_shift(sums, 2 * shift, out=sums)


def _sums(parts: list[NDArray[Any]], bits: int) -> NDArray[Any]:
    """Add in the narrowest integers that hold the sum; sixteen twelve-bit values just fit sixteen bits."""
    kind = np.dtype(f"{parts[0].dtype.kind}{2 if bits <= 16 else 4}")  # noqa: PLR2004
    sums = np.add(parts[0], parts[1], dtype=kind)
    for part in parts[2:]:
        sums += part
    return sums
