"""Bits that the header describes wrongly, or in an old way: read rightly and noted, or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless, RLELossless

from mcp_cxr.errors import CorruptImage
from mcp_cxr.images import read_image, read_values
from mcp_cxr.records import ImageSpec
from tests.unit.images.making import dicom_image, phantom, saved

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import FileDataset
    from pydicom.uid import UID

SPEC = ImageSpec(64, "L")
IMAGE = phantom()
STRAY = "pixels use more bits than stored"


def compressed(frame: bytes | bytearray, syntax: UID, image: FileDataset) -> FileDataset:
    image.file_meta.TransferSyntaxUID = syntax
    image.add_new("PixelData", "OB", encapsulate([bytes(frame)]))
    image["PixelData"].is_undefined_length = True
    return image


def read(image: FileDataset, folder: Path) -> tuple[NDArray[np.int64], list[str]]:
    """Return the stored values, and the notes on them; the rendering has the same notes."""
    path = saved(image, folder / "image.dcm")
    found, rendered = read_values(path), read_image(path, SPEC)
    assert found.grayscale == rendered.grayscale
    return found.offset_values.astype(np.int64) + found.low, found.grayscale["notes"]


def test_values_in_the_upper_bits_are_moved_down(tmp_path: Path) -> None:
    values, notes = read(dicom_image(IMAGE << 4, HighBit=15, WindowCenter=2000, WindowWidth=3000), tmp_path)
    assert np.array_equal(values, IMAGE)
    assert notes == ["stored values moved down by 4 bits (high bit)"]


def test_values_in_the_upper_bits_are_moved_down_whatever_lies_below_and_above(tmp_path: Path) -> None:
    overlaid = (IMAGE << 2) | 0x8001
    values, notes = read(dicom_image(overlaid, HighBit=13), tmp_path)
    assert np.array_equal(values, IMAGE)
    assert notes == ["stored values moved down by 2 bits (high bit)", "bits above bits stored cleared"]


def test_signed_values_in_the_upper_bits_keep_their_sign(tmp_path: Path) -> None:
    signed = IMAGE.astype(np.int16) - 2048
    assert np.array_equal(read(dicom_image(signed << 4, HighBit=15), tmp_path)[0], signed)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless])
def test_compressed_values_in_the_upper_bits_are_moved_down(tmp_path: Path, syntax: UID) -> None:
    moved = IMAGE << 4
    image = dicom_image(moved, HighBit=15)
    if syntax == RLELossless:
        image.compress(RLELossless)
    else:
        image = compressed(imagecodecs.jpegls_encode(moved), syntax, image)
    assert np.array_equal(read(image, tmp_path)[0], IMAGE)


def test_eight_bits_in_the_upper_bits_are_moved_down(tmp_path: Path) -> None:
    small = (IMAGE >> 6).astype(np.uint8)
    values, _ = read(dicom_image(small << 2, BitsStored=6, HighBit=7), tmp_path)
    assert np.array_equal(values, small)


@pytest.mark.parametrize(
    ("high_bit", "note"),
    [
        (15, "high bit ignored: the pixels use the lower bits"),
        (7, "impossible high bit ignored"),
        (16, "impossible high bit ignored"),
    ],
)
def test_a_high_bit_that_the_pixels_contradict_is_ignored(tmp_path: Path, high_bit: int, note: str) -> None:
    values, notes = read(dicom_image(IMAGE, HighBit=high_bit), tmp_path)
    assert np.array_equal(values, IMAGE)
    assert notes == [note]


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("syntax", [None, RLELossless, JPEGLSLossless])
def test_an_image_cut_by_bits_stored_is_refused(tmp_path: Path, bits: int, syntax: UID | None) -> None:
    image = dicom_image(IMAGE, BitsStored=bits, HighBit=bits - 1)
    if syntax == RLELossless:
        image.BitsStored, image.HighBit = 12, 11
        image.compress(RLELossless)
        image.BitsStored, image.HighBit = bits, bits - 1
    elif syntax:
        image = compressed(imagecodecs.jpegls_encode(IMAGE), syntax, image)
    for read_file in (lambda path: read_image(path, SPEC), read_values):
        with pytest.raises(CorruptImage) as caught:
            read_file(saved(image, tmp_path / "image.dcm"))
        assert caught.value.reason == STRAY


def test_an_image_of_which_bits_stored_cuts_most_is_refused(tmp_path: Path) -> None:
    bright = np.where(IMAGE < 2048, IMAGE + 1948, IMAGE).astype(np.uint16)
    assert 0.8 < np.mean(bright > 2047) < 1
    with pytest.raises(CorruptImage):
        read_image(saved(dicom_image(bright, BitsStored=11, HighBit=10), tmp_path / "image.dcm"), SPEC)


def test_upper_bits_that_all_pixels_have_are_cleared(tmp_path: Path) -> None:
    values, notes = read(dicom_image(IMAGE | 0x3000), tmp_path)
    assert np.array_equal(values, IMAGE)
    assert notes == ["bits above bits stored cleared"]


def test_a_signed_image_cut_by_bits_stored_is_refused(tmp_path: Path) -> None:
    image = dicom_image(IMAGE.astype(np.int16) - 1500, BitsStored=10, HighBit=9)
    with pytest.raises(CorruptImage):
        read_image(saved(image, tmp_path / "image.dcm"), SPEC)


def test_an_overlay_is_cleared_and_noted(tmp_path: Path) -> None:
    overlaid = IMAGE.copy()
    overlaid[::7] |= 0x1000
    values, notes = read(dicom_image(overlaid), tmp_path)
    assert np.array_equal(values, IMAGE)
    assert notes == ["bits above bits stored cleared"]


def test_signs_that_are_not_extended_are_no_overlay(tmp_path: Path) -> None:
    signed = IMAGE.astype(np.int16) - 2048
    values, notes = read(dicom_image((signed & 0x0FFF).astype(np.int16)), tmp_path)
    assert (np.array_equal(values, signed), notes) == (True, [])


SIGNED = IMAGE.astype(np.int32) - 1500
IN_13_BITS = (SIGNED & 0x1FFF).astype(np.uint16)


@pytest.mark.parametrize(
    ("frame", "syntax", "bits", "note"),
    [
        (imagecodecs.ljpeg_encode(IN_13_BITS), JPEGLosslessSV1, 13, "16 compressed"),
        (imagecodecs.ljpeg_encode(IN_13_BITS, bitspersample=13), JPEGLosslessSV1, 13, ""),
        (imagecodecs.ljpeg_encode(IN_13_BITS, bitspersample=13), JPEGLosslessSV1, 16, "13 compressed"),
        (
            imagecodecs.jpeg2k_encode(IN_13_BITS, level=0, codecformat="j2k", bitspersample=13),
            JPEG2000Lossless,
            16,
            "13 compressed",
        ),
    ],
)
def test_the_sign_stands_at_the_narrower_of_stream_and_header(
    tmp_path: Path, frame: bytes, syntax: UID, bits: int, note: str
) -> None:
    header: dict[str, Any] = {"PixelRepresentation": 1, "BitsStored": bits, "HighBit": bits - 1}
    values, notes = read(compressed(frame, syntax, dicom_image(IMAGE, **header)), tmp_path)
    assert np.array_equal(values, SIGNED)
    assert [note in each for each in notes] == ([True] if note else [])


SMOOTH = phantom(256, 240)
OTHER_SIGN = "sign of the header contradicted by the pixels: read as "


@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("syntax", [None, JPEGLosslessSV1, JPEG2000Lossless, RLELossless])
def test_signed_values_that_are_called_unsigned_are_read_as_signed_and_noted(
    tmp_path: Path, syntax: UID | None, bits: int
) -> None:
    signed = SMOOTH.astype(np.int32) - 1500
    stored = (signed & (1 << bits) - 1).astype(np.uint16)
    image = in_syntax(dicom_image(stored, BitsStored=bits, HighBit=bits - 1), stored, bits, syntax)
    values, notes = read(image, tmp_path)
    in_range = ((signed + (1 << bits - 1)) % (1 << bits)) - (1 << bits - 1)
    assert np.array_equal(values, in_range)
    assert notes == [f"{OTHER_SIGN}signed"]


@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("syntax", [None, JPEGLosslessSV1, JPEG2000Lossless, RLELossless])
def test_unsigned_values_that_are_called_signed_are_read_as_unsigned_and_noted(
    tmp_path: Path, syntax: UID | None, bits: int
) -> None:
    stored = SMOOTH << (bits - 12)
    image = dicom_image(stored, BitsStored=bits, HighBit=bits - 1, PixelRepresentation=1)
    values, notes = read(in_syntax(image, stored, bits, syntax), tmp_path)
    assert np.array_equal(values, stored)
    assert notes == [f"{OTHER_SIGN}unsigned"]


def in_syntax(image: FileDataset, stored: NDArray[Any], bits: int, syntax: UID | None) -> FileDataset:
    if syntax is None:
        return image
    if syntax == RLELossless:
        image.compress(RLELossless, generate_instance_uid=False)
        return image
    if syntax == JPEGLosslessSV1:
        return compressed(imagecodecs.ljpeg_encode(stored, bitspersample=bits), syntax, image)
    j2k = imagecodecs.jpeg2k_encode(stored, level=0, codecformat="j2k", bitspersample=bits)
    return compressed(j2k, syntax, image)
