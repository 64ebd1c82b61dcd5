"""Noise, and images of nearly nothing, are refused whatever their header says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from mcp_cxr.errors import UnsupportedImage
from mcp_cxr.images import IMPLAUSIBLE_PIXELS, read_image, render_view
from mcp_cxr.images.render import DisplayOptions
from mcp_cxr.records import ImageSpec
from tests.unit.images.making import dicom_image, phantom, radiograph, saved

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_rng = np.random.default_rng(3)
MARKER = np.zeros((400, 300), np.uint16)
MARKER[20:50, 20:50] = 4000
GRAINY = (phantom(600, 500, top=4000) + _rng.integers(0, 60, (600, 500))).astype(np.uint16)
SPEC = ImageSpec(64, "L")


@pytest.mark.parametrize("size", [32, 224, 336])
@pytest.mark.parametrize(
    "stored",
    [
        _rng.integers(0, 4096, (600, 500)).astype(np.uint16),
        _rng.normal(2000, 200, (96, 80)).astype(np.uint16),
        GRAINY & 31,
        GRAINY.byteswap(),
        MARKER,
    ],
    ids=["uniform", "normal", "low bits", "swapped bytes", "marker alone"],
)
def test_what_is_no_picture_is_refused_and_any_pixels_lets_it_in(
    tmp_path: Path, stored: NDArray[Any], size: int
) -> None:
    path = saved(dicom_image(stored, BitsStored=16, HighBit=15), tmp_path / "image.dcm")
    with pytest.raises(UnsupportedImage) as caught:
        read_image(path, ImageSpec(size, "L"))
    assert caught.value.reason == IMPLAUSIBLE_PIXELS == "implausible pixels"
    assert IMPLAUSIBLE_PIXELS in read_image(path, ImageSpec(size, "L"), any_pixels=True).grayscale["notes"]
    assert IMPLAUSIBLE_PIXELS not in render_view(path, DisplayOptions()).grayscale["notes"], "people may look at it"


def test_noise_in_a_png_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    Image.fromarray(_rng.integers(0, 256, (200, 200)).astype(np.uint8)).save(path)
    with pytest.raises(UnsupportedImage):
        read_image(path, SPEC)


@pytest.mark.parametrize("stored", [phantom(), GRAINY, radiograph(400, 300)], ids=["phantom", "grainy", "radiograph"])
def test_pictures_are_read_with_their_noise(tmp_path: Path, stored: NDArray[Any]) -> None:
    assert read_image(saved(dicom_image(stored), tmp_path / "image.dcm"), SPEC).grayscale["notes"] == []


def test_an_image_with_one_hot_pixel_is_read(tmp_path: Path) -> None:
    hot = phantom(600, 500)
    hot[100, 100] = 65535
    assert read_image(saved(dicom_image(hot, BitsStored=16, HighBit=15), tmp_path / "image.dcm"), SPEC)
