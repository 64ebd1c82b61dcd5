"""Renders stored values to an 8-bit image near the requested size.

Downscales before the grayscale steps if the result is exact enough.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from mcp_cxr.images.pixels import FileRaster, ValueRange
from mcp_cxr.images.render._downscale import block_for, downscale, split_into_blocks
from mcp_cxr.images.render._grayscale_table import grayscale_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from mcp_cxr.images.dicom import GrayscaleParameters, Window
    from mcp_cxr.images.pixels import Mask, Raster, StoredArray
    from mcp_cxr.images.render._downscale import Block
    from mcp_cxr.images.render._grayscale_table import GrayscaleTable


Decode: TypeAlias = "Callable[[bool], Raster]"
"""Returns the raster; True allows half of the rows and columns."""
_Region: TypeAlias = tuple[float, float, float, float]

_LINEAR_STEEPNESS: Final = 1.05
"""`GrayscaleTable.steepness` up to which the gray of a mean is taken as the mean of grays."""
_EDGE_GRAYS: Final = 32
"""If the table is steeper: a block that differs from a neighbor by more gray levels than this has its pixels looked up.
Measured on images with and without letters and four such tables: values up to 48 give the same result as 0."""
_MAX_EDGE_SHARE: Final = 1 / 4
"""Share of such blocks above which looking up every pixel is faster."""
_HALF_SIZE_STEEPNESS: Final = 3.0
"""Steepness up to which, for an image decoded at half size, the gray of a mean of 2 x 2 pixels is taken as the mean of
grays. Measured on images with a VOI LUT of steepness 2.8: up to 4 gray levels off."""
_MIN_BLOCK_TO_HALVE: Final = 4
"""Pixels a side of a block from which decoding at half size pays: blocks of two are left."""
_MIN_AREA_SHARE: Final = 1 / 256
"""Least share of an image that counts as an area; letters and their rims are smaller."""
_END_GRAYS: Final = 4


@dataclass(frozen=True, slots=True)
class GrayImage:
    """An image, or a region of it, in gray levels."""

    pixels: NDArray[np.uint8]
    """uint8, shape (rows, columns); dense tissue is bright, as MONOCHROME2."""
    width: float
    """Width of the image, in these pixels; the last column may be covered in part."""
    height: float
    grayscale_steps: dict[str, Any]
    """How the gray levels were made, see `GrayscaleTable.grayscale_steps`."""


def render_gray(decode: Decode, shape: tuple[int, int], parameters: GrayscaleParameters, *, wanted: int) -> GrayImage:
    """Return the whole image with more than twice `wanted` rows and columns, or all it has.

    One pass finds the lowest and the highest value and the means of blocks of stored integers, whose grays are looked
    up. If a mean would have another gray than its pixels, the pixels are read again and looked up first.

    Raises:
        UnsupportedImage: `blank image`.
        Exception: Whatever decoding raises.
    """
    # A window or VOI LUT may take the image to both ends of the gray scale without its lowest and highest pixel.
    may_clip = (parameters.window is not None or parameters.voi_lut is not None) and parameters.padding is None
    raster = decode(may_clip and min(block_for(shape, (wanted, wanted))) >= _MIN_BLOCK_TO_HALVE)
    block = block_for(raster.shape, (wanted, wanted))
    raster, value_range, means = scan_values(raster, block)
    table = grayscale_table(value_range, parameters, raster.dtype, notes=raster.notes)
    grays = table.grays(means)
    factor = 1 if raster.shape == shape else 2
    if factor > 1 and not _is_half_size_enough(table, grays):
        return render_gray(lambda _: decode(False), shape, parameters, wanted=wanted)
    if table.steepness > _LINEAR_STEEPNESS:
        grays = _correct_edges(grays, means, raster, block, table)
    height, width = (full_size / factor / side for full_size, side in zip(shape, block, strict=True))
    return GrayImage(grays, width, height, table.grayscale_steps)


def _correct_edges(
    grays: NDArray[np.uint8], means: StoredArray, raster: Raster, block: Block, table: GrayscaleTable
) -> NDArray[np.uint8]:
    """Return the grays, with blocks at edges (far from a neighbor) computed from their pixels."""
    rough = _far_apart(means, int(_EDGE_GRAYS / table.largest_step))
    if np.count_nonzero(rough) > _MAX_EDGE_SHARE * rough.size or math.isinf(table.largest_step):
        return downscale(((table.grays(strip), 8) for strip in raster.strips(step=block.down)), raster.shape, block)
    for top, bottom in _runs(np.any(rough, axis=1)):
        rows = range(top * block.down, min(bottom * block.down, raster.shape[0]))
        at = top
        for strip in raster.strips(rows, step=block.down):
            blocks = split_into_blocks(strip, block)
            down, across = np.nonzero(rough[at : at + len(blocks)])
            pixels = table.grays(blocks[down, :, across])
            grays[at + down, across] = np.rint(pixels.mean(axis=(1, 2)))
            at += len(blocks)
    return grays


def _far_apart(means: StoredArray, limit: int) -> Mask:
    """Return which pixels differ by more than `limit` from one beside, above or below them."""
    width = means.shape[1]
    values, rough = means.reshape(-1).view(f"u{means.itemsize}"), np.zeros(means.size, np.bool_)
    spread = values.dtype.type(min(limit, np.iinfo(values.dtype).max // 2))
    for apart in (1, width):
        steps = values[apart:] - values[:-apart]
        steps += spread
        far = steps > 2 * spread  # a negative value has wrapped around to a large one
        if apart == 1:
            far[width - 1 :: width] = False  # the end of a row and the start of the next are not neighbors
        rough[apart:] |= far
        rough[:-apart] |= far
    return rough.reshape(means.shape)


def _runs(marked: Mask) -> Iterator[tuple[int, int]]:
    """Return the start and the end (exclusive) of each run of True."""
    changes = np.flatnonzero(np.diff(marked, prepend=False, append=False)).tolist()
    return zip(changes[::2], changes[1::2], strict=True)


def _is_half_size_enough(table: GrayscaleTable, grays: NDArray[np.uint8]) -> bool:
    """Return whether the half-size image is enough: the pixels left out could change neither the stretch nor a gray.

    The lowest and highest value of an image halved by its wavelets are unreliable, because wavelets ring at sharp
    edges; an area that is almost black and another that is almost white are sufficient evidence.
    """
    area = grays.size * _MIN_AREA_SHARE
    dark, bright = int((grays <= _END_GRAYS).sum()), int((grays >= 255 - _END_GRAYS).sum())
    return table.reaches_ends and table.steepness <= _HALF_SIZE_STEEPNESS and dark > area and bright > area


def render_region(
    decode: Decode, parameters: GrayscaleParameters, *, max_px: int, region: _Region | None, window: Window | None
) -> GrayImage:
    """Return every pixel that a region touches, reduced for `max_px`; the stretch is that of the whole image.

    Raises:
        UnsupportedImage: `blank image`.
        Exception: Whatever decoding raises.
    """
    raster, value_range, _ = scan_values(decode(False), None)
    table = grayscale_table(value_range, parameters, raster.dtype, window=window, notes=raster.notes)
    x0, y0, x1, y1 = region or (0, 0, 1, 1)
    rows, columns = raster.shape
    rows_in_region = range(int(y0 * rows), math.ceil(y1 * rows))
    columns_in_region = slice(int(x0 * columns), math.ceil(x1 * columns))
    shape = len(rows_in_region), columns_in_region.stop - columns_in_region.start
    scaled = max_px / max(shape)
    block = block_for(shape, (shape[0] * scaled, shape[1] * scaled))
    strips = ((table.grays(strip[:, columns_in_region]), 8) for strip in raster.strips(rows_in_region, step=block.down))
    return GrayImage(
        downscale(strips, shape, block), shape[1] / block.across, shape[0] / block.down, table.grayscale_steps
    )


def scan_values(raster: Raster, block: Block | None) -> tuple[Raster, ValueRange, Any]:
    """Return the raster, its value range and the means of its blocks; None instead of means without a block.

    If the pixels use bits outside (0028,0101) Bits Stored, or there are bits below the stored ones, the samples are
    masked and read again.

    Raises:
        CorruptImage: As `FileRaster.with_masked_bits`.
    """
    if isinstance(raster, FileRaster) and raster.shift and not raster.masked:
        return scan_values(raster.with_masked_bits(), block)
    value_range = ValueRange(raster)
    means = None
    if block is None:
        for _ in value_range.strips_with_bits():
            pass
    else:
        means = downscale(value_range.strips_with_bits(step=block.down), raster.shape, block)
    if isinstance(raster, FileRaster) and not raster.masked and not _lies_within(value_range, raster):
        return scan_values(raster.with_masked_bits(), block)
    if means is not None:
        means.clip(value_range.low, value_range.high, out=means)  # one of 16 bits may have been rounded past an end
    return raster, value_range, means


def _lies_within(value_range: ValueRange, raster: FileRaster) -> bool:
    lowest = -(1 << raster.bits - 1) if raster.dtype.kind == "i" else 0
    return lowest <= value_range.low and value_range.high < lowest + (1 << raster.bits)
