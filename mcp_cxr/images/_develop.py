"""A film's stored values to greys of about the size that is wanted, in as few steps at full size as stay right."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from mcp_cxr.images._grey_scale import grey_scale
from mcp_cxr.images._raster import FileRaster, Survey
from mcp_cxr.images._reduce import reduced, whole_factor

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    import numpy as np
    from numpy.typing import NDArray

    from mcp_cxr.images._grey_scale import GreyScale
    from mcp_cxr.images._raster import Raster
    from mcp_cxr.images._treatment import Treatment, Window

    Decode: TypeAlias = Callable[[bool], tuple[Raster, int]]
    """Returns the values and by what factor they are reduced already: 1, or 2 where True allows it."""
    Region: TypeAlias = tuple[float, float, float, float]

_STRAIGHT: Final = 1.2
"""`GreyScale.steepness` up to which the grey of a mean stands for the mean of greys."""
_BENT: Final = 3.0
"""The same, for means over blocks of half the size. Beyond, greys are looked up for every pixel.

Measured on real films enlarged to 940 to 4,000 columns, against looking up first: up to 1.2 there is no difference; at
2.8, as VOI LUTs of films have it, whole blocks lie up to 7 greys apart and halves 4, at letters burnt into the film 20
and 12; at 9, whole blocks lie 29 apart and halves 13."""

_ENDS: Final = 1 / 256
"""Share of a film that counts as a part of its area; letters and their rims are less."""
_END_GREYS: Final = 4


@dataclass(frozen=True, slots=True)
class GreyFilm:
    """A film, or a region of it, as it is looked at."""

    pixels: NDArray[np.uint8]
    """Bright is dense."""
    width: float
    """Of the film in these pixels: the last column may hold less than a whole one."""
    height: float
    record: dict[str, Any]
    """What was done, see `GreyScale.record`."""


def developed(decode: Decode, shape: tuple[int, int], treatment: Treatment, *, wanted: int) -> GreyFilm:
    """Return the whole film with more than twice `wanted` rows and columns, or else all it has.

    One pass finds the lowest and the highest value and reduces the stored integers; the grey scale is worked out for
    the pixels left. A second pass looks up greys first, where a mean would have another one.

    Raises:
        UnsupportedImage: `blank image`.
        Exception: Whatever decoding raises.
    """
    factor = whole_factor(min(shape) / wanted)
    raster, had = decode(factor > 2 and _has_ends(treatment))  # noqa: PLR2004 # greys of halves, then at least once more
    first = had if had > 1 else _first_step(factor, treatment, raster.bits)
    raster, survey, small = _surveyed(raster, first // had)
    scale = grey_scale(survey, treatment, raster.dtype)
    if had > 1 and not _is_settled(scale, scale.greys(small)):
        raster, had = decode(False)
        first = factor
        raster, survey, small = _surveyed(raster, first)
        scale = grey_scale(survey, treatment, raster.dtype)
    if scale.steepness <= _STRAIGHT:
        greys = scale.greys(reduced([small], small.shape, factor // first, bits=raster.bits))
    elif first == 1 or (first < factor and scale.steepness <= _BENT):
        greys = reduced([scale.greys(small)], small.shape, factor // first, bits=8)
    else:
        greys = reduced(map(scale.greys, raster.strips()), raster.shape, factor, bits=8)
    return GreyFilm(greys, shape[1] / factor, shape[0] / factor, scale.record)


def _first_step(factor: int, treatment: Treatment, bits: int) -> int:
    """Return the factor by which stored integers are reduced: half of the whole where greys are likely to be bent.

    A table is by nature; a window may be if it is narrower than all the values that so many bits can have.
    """
    is_bent = treatment.voi_lut is not None or treatment.modality_lut is not None
    if treatment.window is not None:
        is_bent |= treatment.window.width * _STRAIGHT < abs(treatment.slope) * 2**bits
    return max(1, factor // 2) if is_bent else factor


def _is_settled(scale: GreyScale, greys: NDArray[np.uint8]) -> bool:
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
) -> GreyFilm:
    """Return every pixel that a region touches, reduced as far as `max_px` allows; the stretch is the whole film's.

    Raises:
        UnsupportedImage: `blank image`.
        Exception: Whatever decoding raises.
    """
    raster, _ = decode(False)
    raster, survey, _ = _surveyed(raster, None)
    scale = grey_scale(survey, treatment, raster.dtype, window=window)
    x0, y0, x1, y1 = region or (0, 0, 1, 1)
    rows, columns = raster.shape
    down, across = range(int(y0 * rows), math.ceil(y1 * rows)), slice(int(x0 * columns), math.ceil(x1 * columns))
    shape = len(down), across.stop - across.start
    factor = whole_factor(max(shape) / max_px)
    strips = (scale.greys(strip[:, across]) for strip in raster.strips(down))
    return GreyFilm(reduced(strips, shape, factor, bits=8), shape[1] / factor, shape[0] / factor, scale.record)


def _surveyed(raster: Raster, factor: int | None) -> tuple[Raster, Survey, Any]:
    """Go through the film once; and once more where values lie beyond the bits that the header says are stored."""
    survey = Survey(raster)
    small = None
    if factor is None:
        for _ in survey.watched():
            pass
    else:
        small = reduced(survey.watched(), raster.shape, factor, bits=raster.bits)
    if isinstance(raster, FileRaster) and not raster.masked and not _lies_within(survey, raster):
        return _surveyed(replace(raster, masked=True), factor)
    return raster, survey, small


def _lies_within(survey: Survey, raster: Raster) -> bool:
    if raster.dtype.kind == "i":
        half = 1 << (raster.bits - 1)
        return -half <= survey.low and survey.high < half
    return survey.high < 1 << raster.bits
