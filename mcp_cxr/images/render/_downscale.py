"""Downscales images by integer factors, each block of pixels to its mean, before costly steps.

The rows of a block are added first, which numpy does at the speed of memory; then the columns of the sums, several at
once in the lanes of wider integers. Measured on 2544 x 3056: 1.0 to 1.4 ms, against 17 for a filter over all pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_OVERSAMPLING: Final = 2.7
"""Pixels left, a side, for each output pixel of the final bicubic filter. Measured on nine sizes and six gray scales
without hard edges, the error against a filter over all pixels is up to 8 levels with 2.25, 7 with 2.5, 5 with 2.7."""
_MAX_DOWN: Final = 16
_ACROSS: Final = (8, 4, 2, 1)
_LANES: Final = (4, 2)
_LANE_BITS: Final = 16


class Block(NamedTuple):
    """Size of the block of pixels that is averaged to one."""

    down: int
    """Rows."""
    across: int
    """Columns: 1, 2, 4 or 8."""


def block_for(shape: tuple[int, int], wanted: tuple[float, float]) -> Block:
    """Return the largest block that leaves `_OVERSAMPLING` pixels for each of `wanted` rows and columns."""
    down, across = (full / left / _OVERSAMPLING for full, left in zip(shape, wanted, strict=True))
    return Block(max(1, min(int(down), _MAX_DOWN)), next((each for each in _ACROSS if each <= across), 1))


def downscale(strips: Iterable[tuple[NDArray[Any], int]], shape: tuple[int, int], block: Block) -> NDArray[Any]:
    """Return the means of blocks, rounded; blocks that cross the edge repeat the last pixel.

    Args:
        strips: Integers, and the bits that the largest of them needs, a sign included; whole rows from the top, a
            multiple of `block.down` in each but the last.
        shape: Rows and columns of all strips together.
        block: Size of a block.
    """
    result: NDArray[Any] | None = None
    at = 0
    for strip, bits in strips:
        if result is None:
            result = np.empty((-(-shape[0] // block.down), -(-shape[1] // block.across)), strip.dtype)
        small = strip if block == (1, 1) else _means(strip, bits, block)
        result[at : at + len(small)] = small
        at += len(small)
    if result is None:
        raise ValueError("There are no strips.")
    return result


def split_into_blocks(strip: NDArray[Any], block: Block) -> NDArray[Any]:
    """Return a strip in shape (blocks down, rows, blocks across, columns); the last pixels are repeated."""
    strip = _pad_to_multiple(_pad_to_multiple(strip, block.down, axis=0), block.across, axis=1)
    return strip.reshape(len(strip) // block.down, block.down, -1, block.across)


def _means(strip: NDArray[Any], bits: int, block: Block) -> NDArray[Any]:
    """Return the means of blocks. Sums stay in 16 bits; to fit, up to four low bits are dropped."""
    strip = _pad_to_multiple(strip, block.down, axis=0)
    lost = max(0, bits + (block.down - 1).bit_length() - _LANE_BITS)
    values: NDArray[Any] = strip >> lost if lost else strip.astype(f"{strip.dtype.kind}2", copy=False)
    values = values.view(np.uint16).reshape(-1, block.down, strip.shape[1])
    rows = _pad_to_multiple(np.add.reduce(values, axis=1, dtype=np.uint16), block.across, axis=1)
    raised = 1 << bits - lost - 1 if strip.dtype.kind == "i" else 0
    rows += np.uint16(raised * block.down)  # a negative sum wrapped around; this makes it positive
    more = max(0, bits - lost + (block.down - 1).bit_length() + (block.across - 1).bit_length() - _LANE_BITS)
    rows >>= np.uint16(more)
    sums = _add_columns(rows, block.across)
    parts = block.down * block.across >> more
    means = (sums + np.uint16(parts // 2)) // np.uint16(parts)
    means -= np.uint16(raised)
    if lost:
        means = (means << lost) + np.uint16(1 << lost - 1)  # the middle of what was dropped
    return means.view(np.int16 if raised else np.uint16)


def _add_columns(rows: NDArray[np.uint16], across: int) -> NDArray[np.uint16]:
    """Add neighboring columns: four 16-bit lanes in one 64-bit integer; a product has their sum in its top lane."""
    for lanes in _LANES:
        while across % lanes == 0:
            word = np.dtype(f"u{2 * lanes}").type
            wide = rows.view(word) * word(sum(1 << _LANE_BITS * lane for lane in range(lanes)))
            wide >>= word(_LANE_BITS * (lanes - 1))
            rows, across = wide.astype(np.uint16), across // lanes
    return rows


def _pad_to_multiple(strip: NDArray[Any], multiple: int, *, axis: int) -> NDArray[Any]:
    over = -strip.shape[axis] % multiple
    return np.pad(strip, [(0, over if each == axis else 0) for each in (0, 1)], "edge") if over else strip
