"""A film's own values, for a viewer that sets windows of its own: the whole of it small, or a part at full size."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mcp_cxr.images._read import open_film
from mcp_cxr.images.render import Block, grayscale, in_blocks, looked_up, surveyed

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mcp_cxr.images.dicom import HeaderFacts, Preset, Treatment
    from mcp_cxr.images.pixels import Survey

TILE_PX: Final = 512
"""Rows and columns of a tile: 2**19 bytes, which as base64 stay below the megabyte of a tool's result even as noise."""
MAX_PACKED_BYTES: Final = 700_000
_LEVEL: Final = 1  # of zlib; measured on real films: a fifth of the time of level 6, for 3 % more bytes


@dataclass(frozen=True, slots=True)
class StoredValues:
    """A film before its window is chosen."""

    header: HeaderFacts
    pixels: NDArray[np.uint16]
    """Stored values less `low`, shape (rows, columns)."""
    low: int
    """The lowest stored value."""
    modality_transform: tuple[float, float] | NDArray[np.float64]
    """What stored values mean: slope and intercept, or the modality LUT's entry for each value of `pixels`."""
    default_grays: NDArray[np.uint8]
    """For each value of `pixels` its grey as `render_view` shows it."""
    grayscale: dict[str, Any]
    """What was done for that; see `DecodedImage.grayscale`."""
    presets: tuple[Preset, ...]
    inverse: bool
    """MONOCHROME1: whatever the window, low values are bright."""
    padding: tuple[int, int] | None
    """Values of `pixels`, both inclusive, that are no part of the film and stay black."""


@dataclass(frozen=True, slots=True)
class ValuesTile:
    """Some of a film's values, packed for a viewer."""

    factor: int
    """Pixels of the film, a side, that one value is the mean of: a power of two."""
    left: int
    top: int
    width: int
    height: int
    data: bytes
    """uint16, little-endian, row by row, each value less the one before it in its row; as a zlib stream (RFC 1950)."""


def read_values(path: Path, *, plain_only: bool = False) -> StoredValues:
    """Read all of a film's values; any body part, for what is in the archive has been let in.

    Args:
        path: A regular file, or a link to one.
        plain_only: As for `read_image`.

    Raises:
        UnsupportedImage: Nothing here can decode it.
        CorruptImage: The file is damaged.
        ImageError: The file is gone or may not be read.
        NeedsDecoding: See `plain_only`.
    """
    with open_film(path, any_body_part=True, plain_only=plain_only) as film:
        raster, survey, _ = surveyed(film.decode(False), None)
        scale = grayscale(survey, film.treatment, raster.dtype)
        return StoredValues(
            header=film.header,
            pixels=np.concatenate([_above(survey.low, strip) for strip in raster.strips()]),
            low=survey.low,
            default_grays=scale.table[np.arange(survey.low, survey.high + 1) % scale.table.size],
            grayscale=scale.record,
            **_meaning(film.treatment, survey),
        )


def _above(low: int, strip: NDArray[Any]) -> NDArray[np.uint16]:
    """Return how far values lie above the lowest; whatever their sign, that fits 16 bits."""
    return strip.astype(np.uint16) - np.uint16(low % 2**16)


def _meaning(treatment: Treatment, survey: Survey) -> dict[str, Any]:
    lut, padding = treatment.modality_lut, treatment.padding
    stored = np.arange(survey.low, survey.high + 1, dtype=np.float64)
    return {
        "modality_transform": (treatment.slope, treatment.intercept) if lut is None else looked_up(stored, lut),
        "presets": treatment.presets,
        "inverse": treatment.inverse,
        "padding": None if padding is None else (padding[0] - survey.low, padding[1] - survey.low),
    }


def overview_tile(film: StoredValues, *, max_px: int) -> ValuesTile:
    """Return the whole film with at most `max_px` pixels along its longer side, and few enough to be sent."""
    factor = 1
    while -(-max(film.pixels.shape) // factor) > max_px:
        factor *= 2
    part = _packed(film.pixels, factor)
    while len(part.data) > MAX_PACKED_BYTES:  # a wall of noise
        factor *= 2
        part = _packed(film.pixels, factor)
    return part


def values_tile(film: StoredValues, *, column: int, row: int, factor: int) -> ValuesTile:
    """Return one tile of `TILE_PX` a side; those at the right and lower edge are smaller.

    Args:
        film: Where it is cut out of.
        column: Which, from the left.
        row: Which, from the top.
        factor: A power of two; a tile covers `TILE_PX * factor` pixels of the film.

    Raises:
        ValueError: There is no such tile.
    """
    left, top = column * TILE_PX * factor, row * TILE_PX * factor
    cut = film.pixels[top : top + TILE_PX * factor, left : left + TILE_PX * factor]
    if not cut.size or column < 0 or row < 0:
        raise ValueError("The film has no such tile.")
    return _packed(np.ascontiguousarray(cut), factor, left=left, top=top)


def _packed(pixels: NDArray[np.uint16], factor: int, *, left: int = 0, top: int = 0) -> ValuesTile:
    small = _reduced(pixels, factor)
    steps = small.copy()
    steps[:, 1:] -= small[:, :-1]
    height, width = small.shape
    return ValuesTile(
        factor, left, top, width, height, zlib.compress(steps.astype("<u2", copy=False).tobytes(), _LEVEL)
    )


def _reduced(pixels: NDArray[np.uint16], factor: int) -> NDArray[np.uint16]:
    """Means of blocks, rounded, to the bit: what a picture may drop, a reading of values may not."""
    rows = np.add.reduce(in_blocks(pixels, Block(factor, factor)), axis=1, dtype=np.uint32)
    sums = np.add.reduce(rows, axis=2)
    return ((sums + factor * factor // 2) // (factor * factor)).astype(np.uint16)
