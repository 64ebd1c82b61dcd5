"""A film's stored values to greys of about the size that is wanted, in as few steps at full size as stay right."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mcp_cxr.images.pixels import FileRaster, Survey
from mcp_cxr.images.render._downscale import block_for, in_blocks, reduced
from mcp_cxr.images.render._grayscale import grayscale

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from numpy.typing import NDArray

    from mcp_cxr.images.dicom import Treatment, Window
    from mcp_cxr.images.pixels import Raster
    from mcp_cxr.images.pixels._raster import Mask, StoredArray
    from mcp_cxr.images.render._downscale import Block
    from mcp_cxr.images.render._grayscale import Grayscale

    Decode: TypeAlias = Callable[[bool], Raster]
    """Returns the values; half of the rows and columns may do where True is given."""
    Region: TypeAlias = tuple[float, float, float, float]

_STRAIGHT: Final = 1.05
"""`Grayscale.steepness` up to which the grey of a mean stands for the mean of greys."""
_FAR: Final = 32
"""Greys that a block may lie from its neighbours until its own pixels are looked up, where the scale is steeper.
Measured on films with and without letters, four such scales: up to 48 there is no difference to 0."""
_MANY: Final = 1 / 4
"""Share of such blocks from which it is faster to look up every pixel."""
_BENT: Final = 3.0
"""Steepness up to which the grey of a mean over 2 x 2 pixels, all that half a film has, stands for the mean of greys.
Measured on films with a VOI LUT of 2.8: up to 4 greys off."""
_HALVES_FROM: Final = 4
"""Pixels a side of a block from which it pays to halve a film before: then blocks of two are left."""
_ENDS: Final = 1 / 256
"""Share of a film that counts as a part of its area; letters and their rims are less."""
_END_GREYS: Final = 4


@dataclass(frozen=True, slots=True)
class GrayImage:
    """A film, or a region of it, as it is looked at."""

    pixels: NDArray[np.uint8]
    """Bright is dense."""
    width: float
    """Of the film in these pixels: the last column may hold less than a whole one."""
    height: float
    record: dict[str, Any]
    """What was done, see `Grayscale.record`."""


@dataclass(frozen=True, slots=True)
class _Reduced:
    """A film after the pass through all its pixels."""

    raster: Raster
    block: Block
    means: StoredArray
    scale: Grayscale


def developed(decode: Decode, shape: tuple[int, int], treatment: Treatment, *, wanted: int) -> GrayImage:
    """Return the whole film with more than twice `wanted` rows and columns, or else all it has.

    One pass finds the lowest and the highest value and the means of blocks of stored integers; greys are looked up for
    these. Where a mean would have another grey than its pixels, these are read again and looked up first.

    Raises:
        UnsupportedImage: `blank image`.
        Exception: Whatever decoding raises.
    """
    halves_do = min(block_for(shape, (wanted, wanted))) >= _HALVES_FROM and _has_ends(treatment)
    film = _reduced(decode(halves_do), treatment, wanted)
    greys = film.scale.greys(film.means)
    halved = 1 if film.raster.shape == shape else 2
    if halved > 1 and not _is_settled(film.scale, greys):
        return developed(lambda _: decode(False), shape, treatment, wanted=wanted)
    if film.scale.steepness > _STRAIGHT:
        greys = _mended(greys, film)
    height, width = (there / halved / side for there, side in zip(shape, film.block, strict=True))
    return GrayImage(greys, width, height, film.scale.record)


def _reduced(raster: Raster, treatment: Treatment, wanted: int) -> _Reduced:
    block = block_for(raster.shape, (wanted, wanted))
    raster, survey, means = surveyed(raster, block)
    return _Reduced(raster, block, means, grayscale(survey, treatment, raster.dtype))


def _mended(greys: NDArray[np.uint8], film: _Reduced) -> NDArray[np.uint8]:
    """Return the greys with those of blocks that lie far from a neighbour, for there runs an edge, by their pixels."""
    raster, block, look_up = film.raster, film.block, film.scale.greys
    rough = _far_apart(film.means, int(_FAR / film.scale.largest_step))
    if np.count_nonzero(rough) > _MANY * rough.size or math.isinf(film.scale.largest_step):
        return reduced(((look_up(strip), 8) for strip in raster.strips(step=block.down)), raster.shape, block)
    for top, bottom in _runs(np.any(rough, axis=1)):
        rows = range(top * block.down, min(bottom * block.down, raster.shape[0]))
        at = top
        for strip in raster.strips(rows, step=block.down):
            blocks = in_blocks(strip, block)
            down, across = np.nonzero(rough[at : at + len(blocks)])
            pixels = look_up(blocks[down, :, across])
            greys[at + down, across] = np.rint(pixels.mean(axis=(1, 2)))
            at += len(blocks)
    return greys


def _far_apart(means: StoredArray, limit: int) -> Mask:
    """Tell which pixels differ from one beside, above or below them by more than `limit`."""
    width = means.shape[1]
    values, rough = means.reshape(-1).view(f"u{means.itemsize}"), np.zeros(means.size, np.bool_)
    spread = values.dtype.type(min(limit, np.iinfo(values.dtype).max // 2))
    for apart in (1, width):
        steps = values[apart:] - values[:-apart]
        steps += spread
        far = steps > 2 * spread  # what is below zero has wrapped around, to the far end
        if apart == 1:
            far[width - 1 :: width] = False  # the end of a row and the start of the next are no neighbours
        rough[apart:] |= far
        rough[:-apart] |= far
    return rough.reshape(means.shape)


def _runs(marked: Mask) -> Iterator[tuple[int, int]]:
    """Yield first and one past the last of each run of True."""
    changes = np.flatnonzero(np.diff(marked, prepend=False, append=False)).tolist()
    return zip(changes[::2], changes[1::2], strict=True)


def _is_settled(scale: Grayscale, greys: NDArray[np.uint8]) -> bool:
    """Whether half a film is enough: what was left out could not have changed the stretch, nor a mean its grey.

    The lowest and highest value of a film that was halved by its wavelets say little, for these ring at sharp edges; a
    part of its area that is all but black, and another all but white, say enough.
    """
    area = greys.size * _ENDS
    dark, bright = int((greys <= _END_GREYS).sum()), int((greys >= 255 - _END_GREYS).sum())
    return scale.reaches_ends and scale.steepness <= _BENT and dark > area and bright > area


def _has_ends(treatment: Treatment) -> bool:
    """Whether a film may reach the ends of its grey scale without its very lowest and highest pixel."""
    return (treatment.window is not None or treatment.voi_lut is not None) and treatment.padding is None


def cut_out(
    decode: Decode, treatment: Treatment, *, max_px: int, region: Region | None, window: Window | None
) -> GrayImage:
    """Return every pixel that a region touches, reduced as far as `max_px` allows; the stretch is the whole film's.

    Raises:
        UnsupportedImage: `blank image`.
        Exception: Whatever decoding raises.
    """
    raster, survey, _ = surveyed(decode(False), None)
    scale = grayscale(survey, treatment, raster.dtype, window=window)
    x0, y0, x1, y1 = region or (0, 0, 1, 1)
    rows, columns = raster.shape
    down, across = range(int(y0 * rows), math.ceil(y1 * rows)), slice(int(x0 * columns), math.ceil(x1 * columns))
    shape = len(down), across.stop - across.start
    scaled = max_px / max(shape)
    block = block_for(shape, (shape[0] * scaled, shape[1] * scaled))
    strips = ((scale.greys(strip[:, across]), 8) for strip in raster.strips(down, step=block.down))
    return GrayImage(reduced(strips, shape, block), shape[1] / block.across, shape[0] / block.down, scale.record)


def surveyed(raster: Raster, block: Block | None) -> tuple[Raster, Survey, Any]:
    """Go through the film once; and once more where values lie beyond the bits that the header says are stored."""
    survey = Survey(raster)
    means = None
    if block is None:
        for _ in survey.watched():
            pass
    else:
        means = reduced(survey.watched(step=block.down), raster.shape, block)
    if isinstance(raster, FileRaster) and not raster.masked and not _lies_within(survey, raster):
        return surveyed(replace(raster, masked=True), block)
    if means is not None:
        means.clip(survey.low, survey.high, out=means)  # one of 16 bits may have been rounded past an end
    return raster, survey, means


def _lies_within(survey: Survey, raster: FileRaster) -> bool:
    if raster.dtype.kind == "i":
        half = 1 << (raster.bits - 1)
        return -half <= survey.low and survey.high < half
    return survey.high < 1 << raster.bits
