"""The stored values of an image, for a viewer that applies its own windows: an overview, or tiles at full size."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mcp_cxr.images._read import open_image
from mcp_cxr.images.render import Block, apply_lut, grayscale_table, scan_values, split_into_blocks

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mcp_cxr.images.dicom import HeaderFacts, Window

TILE_PX: Final = 512
"""Rows and columns of a tile: 2**19 bytes, which as base64 stay below the megabyte of a tool's result even as noise."""
_MAX_COMPRESSED_BYTES: Final = 700_000
_LEVEL: Final = 1  # of zlib; measured on real images: a fifth of the time of level 6, for 3 % more bytes


@dataclass(frozen=True, slots=True)
class StoredValues:
    """The stored values of an image and what they mean, before a window is applied."""

    header: HeaderFacts
    offset_values: NDArray[np.uint16]
    """Each pixel's stored value minus `low`, shape (rows, columns)."""
    low: int
    """The lowest stored value."""
    modality_transform: tuple[float, float] | NDArray[np.float64]
    """The modality step: slope and intercept, or the modality LUT's entry for each offset from `low`."""
    gray_by_offset: NDArray[np.uint8]
    """Gray level for each offset from `low` with the default window, as in `render_view`."""
    grayscale: dict[str, Any]
    """How `gray_by_offset` was made; see `DecodedImage.grayscale`."""
    presets: tuple[Window, ...]
    inverse: bool
    """MONOCHROME1: low values are bright under every window."""
    padding: tuple[int, int] | None
    """First and last offset from `low`, both inclusive, of padding, which stays black."""


@dataclass(frozen=True, slots=True)
class ValuesTile:
    """Stored values of a region of an image, compressed for a viewer."""

    factor: int
    """Each value is the mean of factor x factor pixels of the image; a power of two."""
    left: int
    top: int
    width: int
    height: int
    data: bytes
    """uint16, little-endian, row by row, each value minus the one before it in its row; as a zlib stream (RFC 1950)."""


def read_values(path: Path, *, uncompressed_only: bool = False) -> StoredValues:
    """Read all stored values of an image. Any body part: eligibility was checked at ingest.

    Args:
        path: A regular file, or a link to one.
        uncompressed_only: See `read_image`.

    Raises:
        UnsupportedImage: Nothing here can decode it.
        CorruptImage: The file is damaged.
        ImageError: The file is gone or may not be read.
        NeedsDecoding: See `uncompressed_only`.
    """
    with open_image(path, any_body_part=True, uncompressed_only=uncompressed_only) as image:
        raster, value_range, _ = scan_values(image.decode(False), None)
        parameters, low = image.parameters, value_range.low
        table = grayscale_table(value_range, parameters, raster.dtype, notes=raster.notes)
        stored = np.arange(low, value_range.high + 1)
        return StoredValues(
            header=image.header,
            # Of either sign, the differences fit 16 bits.
            offset_values=np.concatenate(
                [strip.astype(np.uint16) - np.uint16(low % 2**16) for strip in raster.strips()]
            ),
            low=low,
            modality_transform=(parameters.slope, parameters.intercept)
            if parameters.modality_lut is None
            else apply_lut(stored.astype(np.float64), parameters.modality_lut),
            gray_by_offset=table.gray_levels[stored % table.gray_levels.size],
            grayscale=table.grayscale_steps,
            presets=parameters.presets,
            inverse=parameters.inverse,
            padding=parameters.padding and (parameters.padding[0] - low, parameters.padding[1] - low),
        )


def overview_tile(image: StoredValues, *, max_px: int) -> ValuesTile:
    """Return the whole image, its longer side at most `max_px` pixels, and small enough to send."""
    factor = 1
    while -(-max(image.offset_values.shape) // factor) > max_px:
        factor *= 2
    tile = _compress(image.offset_values, factor)
    while len(tile.data) > _MAX_COMPRESSED_BYTES:  # nothing but noise
        factor *= 2
        tile = _compress(image.offset_values, factor)
    return tile


def values_tile(image: StoredValues, *, column: int, row: int, factor: int) -> ValuesTile:
    """Return one tile of `TILE_PX` a side; tiles at the right and lower edge are smaller.

    Args:
        image: The stored values that are cut.
        column: Index of the tile, from the left.
        row: Index of the tile, from the top.
        factor: A power of two; a tile covers `TILE_PX * factor` pixels of the image a side.

    Raises:
        ValueError: The tile lies outside the image.
    """
    left, top = column * TILE_PX * factor, row * TILE_PX * factor
    cut = image.offset_values[top : top + TILE_PX * factor, left : left + TILE_PX * factor]
    if not cut.size or column < 0 or row < 0:
        raise ValueError(f"Tile [{column}, {row}] does not exist at this factor.")
    return _compress(np.ascontiguousarray(cut), factor, left=left, top=top)


def _compress(offset_values: NDArray[np.uint16], factor: int, *, left: int = 0, top: int = 0) -> ValuesTile:
    small = _block_means(offset_values, factor)
    steps = small.copy()
    steps[:, 1:] -= small[:, :-1]
    height, width = small.shape
    return ValuesTile(
        factor, left, top, width, height, zlib.compress(steps.astype("<u2", copy=False).tobytes(), _LEVEL)
    )


def _block_means(values: NDArray[np.uint16], factor: int) -> NDArray[np.uint16]:
    """Return exact means of blocks, rounded; unlike a rendering, measured values must not lose bits."""
    rows = np.add.reduce(split_into_blocks(values, Block(factor, factor)), axis=1, dtype=np.uint32)
    sums = np.add.reduce(rows, axis=2)
    return ((sums + factor * factor // 2) // (factor * factor)).astype(np.uint16)
