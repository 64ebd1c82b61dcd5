"""Resizes to the embedder's size: bicubic as in Pillow, computed as matrix products.

Each output depends on a few neighboring inputs, so a band of outputs needs a band of inputs, and small dense blocks are
multiplied. If Pillow filters rows before columns (it does not for very tall images), the result differs from Pillow's
by one or two gray levels in a few of a thousand pixels, in a quarter of the time.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_A: Final = -0.5
"""Of Keys' cubic convolution kernel (IEEE Trans. ASSP 29, 1981), as Pillow has it."""
_BAND: Final = 12
"""Outputs of a block. Small enough that OpenBLAS computes a product on one core."""


class _Band(NamedTuple):
    """Outputs that are computed from the same inputs."""

    outputs: slice
    inputs: slice
    weights: NDArray[np.float32]
    """Shape (outputs, inputs); each row sums to 1."""


def bicubic(pixels: NDArray[np.uint8], size: int, *, width: float, height: float) -> NDArray[np.uint8]:
    """Resize an image to `size` squared, regardless of its proportions.

    Args:
        pixels: Shape (rows, columns).
        size: Rows and columns wanted.
        width: Of the image in pixels; the last column may be covered in part.
        height: Likewise of the last row.
    """
    rows, columns = pixels.shape
    source = pixels.astype(np.float32)
    across = np.empty((rows, size), np.float32)
    for outputs, inputs, weights in _bands(columns, width, size):
        np.matmul(source[:, inputs], weights.T, out=across[:, outputs])
    _round_to_grays(across)
    down = np.empty((size, size), np.float32)
    for outputs, inputs, weights in _bands(rows, height, size):
        np.matmul(weights, across[inputs], out=down[outputs])
    return _round_to_grays(down).astype(np.uint8)


def _round_to_grays(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round and clip in place; Pillow too has eight bits between its two passes."""
    np.rint(values, out=values)
    return np.clip(values, 0, 255, out=values)


@lru_cache(maxsize=64)
def _bands(count: int, extent: float, size: int) -> tuple[_Band, ...]:
    """Return the weights from `count` pixels, of which `extent` are covered, to `size`."""
    weights = _weights(count, extent, size)
    bands: list[_Band] = []
    for first, last in pairwise([*range(0, size, _BAND), size]):
        used = np.flatnonzero(weights[first:last].any(axis=0))
        inputs = slice(int(used[0]), int(used[-1]) + 1)
        bands.append(_Band(slice(first, last), inputs, np.ascontiguousarray(weights[first:last, inputs], np.float32)))
    return tuple(bands)


def _weights(count: int, extent: float, size: int) -> NDArray[np.float64]:
    """Return shape (size, count). If the image shrinks, the kernel widens so that every pixel counts."""
    ratio = extent / size
    stretch = max(ratio, 1.0)
    centers = (np.arange(size)[:, None] + 0.5) * ratio
    position = np.arange(count)[None, :]
    first, last = np.trunc(np.maximum(centers - 2 * stretch + 0.5, 0)), np.trunc(centers + 2 * stretch + 0.5)
    far = np.abs(position + 0.5 - centers) / stretch
    near = ((_A + 2) * far - (_A + 3)) * far**2 + 1
    rim = (((far - 5) * far + 8) * far - 4) * _A
    kernel = np.where(far < 1, near, np.where(far < 2, rim, 0.0))  # noqa: PLR2004  # the kernel's two pieces
    kernel[(position < first) | (position >= last)] = 0
    return kernel / kernel.sum(axis=1, keepdims=True)
