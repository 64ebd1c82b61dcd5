"""Means of blocks, against plain numpy; values of every depth, with and without a sign.

Imports a private module: a rendering would hide an error of rounding behind the grayscale and the filter.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcp_cxr.images.pixels import ArrayRaster, ValueRange
from mcp_cxr.images.render import Block
from mcp_cxr.images.render._downscale import block_for, downscale


def noise(low: int, high: int, shape: tuple[int, int]) -> Any:
    return np.random.default_rng(5).integers(low, high, shape)


def plain_means(values: Any, block: Block) -> Any:
    over = [(0, -size % side) for size, side in zip(values.shape, block, strict=True)]
    wide = np.pad(values, over, "edge").astype(np.float64)
    return wide.reshape(wide.shape[0] // block.down, block.down, -1, block.across).mean(axis=(1, 3))


def means(values: Any, block: Block) -> Any:
    raster = ArrayRaster(values)
    return downscale(ValueRange(raster).strips_with_bits(step=block.down), raster.shape, block)


@pytest.mark.parametrize("bits", [1, 8, 10, 12, 14, 16])
@pytest.mark.parametrize("block", [Block(1, 2), Block(2, 1), Block(4, 4), Block(5, 4), Block(7, 8), Block(16, 8)])
@pytest.mark.parametrize("signed", [False, True])
def test_means_are_exact_to_a_rounding_and_a_four_thousandth_of_the_range(
    bits: int, block: Block, signed: bool
) -> None:
    low = -(1 << bits - 1) if signed else 0
    values = noise(low, low + (1 << bits), (331, 203)).astype(np.int16 if signed else np.uint16)
    values[:50], values[50:100] = low, low + (1 << bits) - 1
    found, expected = means(values, block), plain_means(values, block)
    assert found.dtype == values.dtype
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 0.5 + 2**bits / 4096  # sums have 16 bits


def test_means_of_grays_are_rounded_and_stay_grays() -> None:
    grays = noise(0, 256, (90, 64)).astype(np.uint8)
    found = downscale([(grays[:40], 8), (grays[40:], 8)], grays.shape, Block(5, 4))
    assert found.dtype == np.uint8
    assert np.abs(found - plain_means(grays, Block(5, 4))).max() <= 0.5


def test_strips_join_without_a_seam() -> None:
    values = noise(0, 4096, (3000, 1001)).astype(np.uint16)
    assert len(list(ArrayRaster(values).strips(step=5))) > 3
    assert np.abs(means(values, Block(5, 4)) - plain_means(values, Block(5, 4))).max() <= 1


@pytest.mark.parametrize(
    ("shape", "block"),
    [
        ((3056, 2544), (5, 4)),
        ((2544, 3056), (4, 4)),
        ((600, 600), (1, 1)),
        ((1340, 4567), (2, 4)),
        ((20000, 64), (16, 1)),
    ],
)
def test_a_block_leaves_enough_pixels_for_a_filter(shape: tuple[int, int], block: tuple[int, int]) -> None:
    assert block_for(shape, (224, 224)) == block
