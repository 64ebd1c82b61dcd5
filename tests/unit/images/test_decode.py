"""Every way pixels are stored comes back as the values that were stored.

Imports a private table to make one codec fail, which no file can.
"""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.uid import (
    HTJ2K,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from mcp_cxr.images import read_header, read_image
from mcp_cxr.images.pixels._decode import _CODECS
from mcp_cxr.records import ImageSpec
from tests.unit.images.making import dicom_image, phantom, saved
from tests.unit.images.oracle import difference

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import FileDataset

SPEC = ImageSpec(64, "L")


def compressed(frame: bytes | bytearray, syntax: UID, facts: FileDataset | None = None) -> FileDataset:
    facts = facts or dicom_image()
    facts.file_meta.TransferSyntaxUID = syntax
    facts.add_new("PixelData", "OB", encapsulate([bytes(frame)]))
    facts["PixelData"].is_undefined_length = True
    return facts


def picture(facts: FileDataset, folder: Path) -> NDArray[np.uint8]:
    return read_image(saved(facts, folder / "film.dcm"), SPEC).rendering.pixels


@pytest.fixture
def expected(tmp_path: Path) -> NDArray[np.uint8]:
    return picture(dicom_image(), tmp_path)


def jpeg_lossless(pixels: NDArray[Any]) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(pixels, lossless=True, bitspersample=12))


@pytest.mark.parametrize(
    ("syntax", "encode"),
    [
        (JPEGLosslessSV1, jpeg_lossless),
        (JPEGLSLossless, imagecodecs.jpegls_encode),
        (JPEG2000Lossless, lambda pixels: imagecodecs.jpeg2k_encode(pixels, reversible=True, level=0)),
        (HTJ2K, imagecodecs.htj2k_encode),
    ],
)
def test_lossless_syntaxes_give_the_stored_values(
    tmp_path: Path, expected: NDArray[np.uint8], syntax: UID, encode: Callable[[NDArray[Any]], bytes]
) -> None:
    assert np.array_equal(picture(compressed(encode(phantom()), syntax), tmp_path), expected)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_uncompressed_syntaxes_give_the_stored_values(tmp_path: Path, expected: NDArray[np.uint8], syntax: UID) -> None:
    facts = dicom_image()
    facts.file_meta.TransferSyntaxUID = syntax
    assert np.array_equal(picture(facts, tmp_path), expected)
    assert read_header(tmp_path / "film.dcm").view_position == "UNKNOWN"


def test_big_endian_gives_the_stored_values(tmp_path: Path, expected: NDArray[np.uint8]) -> None:
    facts = dicom_image()
    facts.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    facts.PixelData = phantom().byteswap().tobytes()
    dcmwrite(tmp_path / "film.dcm", facts, implicit_vr=False, little_endian=False, force_encoding=True)
    assert np.array_equal(read_image(tmp_path / "film.dcm", SPEC).rendering.pixels, expected)


def test_rle_gives_the_stored_values(tmp_path: Path, expected: NDArray[np.uint8]) -> None:
    facts = dicom_image()
    facts.compress(RLELossless, generate_instance_uid=False)
    assert np.array_equal(picture(facts, tmp_path), expected)


def test_twelve_bit_jpeg_is_read(tmp_path: Path, expected: NDArray[np.uint8]) -> None:
    frame = imagecodecs.jpeg8_encode(phantom(), level=98, bitspersample=12)
    largest, mean = difference(picture(compressed(frame, JPEGExtended12Bit), tmp_path), expected)
    assert largest <= 6
    assert mean <= 1


def test_where_a_codec_gives_up_a_plugin_of_pydicom_s_is_tried(
    tmp_path: Path, expected: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    def give_up(frame: bytes) -> None:
        raise RuntimeError(len(frame))

    monkeypatch.setitem(_CODECS, JPEG2000Lossless, give_up)
    frame = imagecodecs.jpeg2k_encode(phantom(), reversible=True, level=0)
    assert np.array_equal(picture(compressed(frame, JPEG2000Lossless), tmp_path), expected)


def test_several_fragments_are_one_frame(tmp_path: Path, expected: NDArray[np.uint8]) -> None:
    frame = jpeg_lossless(phantom())
    facts = compressed(frame, JPEGLosslessSV1)
    facts.PixelData = encapsulate([frame], fragments_per_frame=4)
    assert np.array_equal(picture(facts, tmp_path), expected)


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
def test_colour_becomes_its_luma(tmp_path: Path, photometric: str) -> None:
    gray = (phantom() >> 4).astype(np.uint8)
    colour = np.stack([gray, *([gray] * 2 if photometric == "RGB" else [np.full_like(gray, 128)] * 2)], axis=-1)
    facts = dicom_image(colour, SamplesPerPixel=3, PhotometricInterpretation=photometric, PlanarConfiguration=0)
    plain = picture(dicom_image(gray), tmp_path)
    assert np.array_equal(picture(facts, tmp_path), plain)
    facts.compress(RLELossless, generate_instance_uid=False)
    assert np.array_equal(picture(facts, tmp_path), plain)


def test_palette_colour_becomes_its_luma(tmp_path: Path) -> None:
    indices = (phantom() >> 4).astype(np.uint8)
    red, green, blue = (np.roll(np.arange(256), turn).astype("<u2") * 257 for turn in (0, 20, 40))
    facts = dicom_image(indices, PhotometricInterpretation="PALETTE COLOR", BitsStored=8, HighBit=7)
    for colour, table in (("Red", red), ("Green", green), ("Blue", blue)):
        setattr(facts, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(facts, f"{colour}PaletteColorLookupTableData", table.tobytes())
    luma = np.rint(0.299 * red + 0.587 * green + 0.114 * blue)[indices].astype(np.uint16)
    assert np.array_equal(picture(facts, tmp_path), picture(dicom_image(luma, BitsStored=16, HighBit=15), tmp_path))


def test_a_colour_jpeg_becomes_its_luma(tmp_path: Path) -> None:
    gray = (phantom() >> 4).astype(np.uint8)
    facts = dicom_image(gray, SamplesPerPixel=3, PhotometricInterpretation="YBR_FULL_422", PlanarConfiguration=0)
    facts = compressed(imagecodecs.jpeg8_encode(np.stack([gray] * 3, axis=-1), level=98), JPEGBaseline8Bit, facts)
    largest, _ = difference(picture(facts, tmp_path), picture(dicom_image(gray), tmp_path))
    assert largest <= 6


def test_bits_above_the_stored_ones_are_dropped(tmp_path: Path, expected: NDArray[np.uint8]) -> None:
    overlaid = phantom()
    overlaid[::7] |= 0x8000
    assert np.array_equal(picture(dicom_image(overlaid), tmp_path), expected)
    frame = imagecodecs.jpegls_encode(overlaid)
    assert np.array_equal(picture(compressed(frame, JPEGLSLossless), tmp_path), expected)


def test_signed_values_survive_a_codec_without_signs(tmp_path: Path) -> None:
    signed = phantom().astype(np.int16) - 2048
    stored = (signed & 0x0FFF).astype(np.uint16)
    frame = jpeg_lossless(stored)
    native = picture(dicom_image(signed), tmp_path)
    assert np.array_equal(picture(compressed(frame, JPEGLosslessSV1, dicom_image(signed)), tmp_path), native)


def test_a_file_without_preamble_is_read(tmp_path: Path, expected: NDArray[np.uint8]) -> None:
    facts = dicom_image()
    facts.preamble = None
    del facts.file_meta
    facts.save_as(tmp_path / "bare", implicit_vr=True, little_endian=True)
    assert np.array_equal(read_image(tmp_path / "bare", SPEC).rendering.pixels, expected)


def test_gzip_is_looked_through(tmp_path: Path, expected: NDArray[np.uint8]) -> None:
    whole = saved(dicom_image(), tmp_path / "film.dcm").read_bytes()
    (tmp_path / "film.dcm.gz").write_bytes(gzip.compress(whole))
    assert np.array_equal(read_image(tmp_path / "film.dcm.gz", SPEC).rendering.pixels, expected)


@pytest.mark.parametrize("name", ["film.png", "film.dcm"])
def test_sixteen_bit_pngs_keep_their_depth_whatever_their_name(
    tmp_path: Path, expected: NDArray[np.uint8], name: str
) -> None:
    Image.fromarray(phantom()).save(tmp_path / name, "PNG")
    read = read_image(tmp_path / name, SPEC)
    assert read.header.kind == "png"
    assert np.array_equal(read.rendering.pixels, expected)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P"])
def test_pngs_of_every_mode_become_gray(tmp_path: Path, mode: str) -> None:
    gray = Image.fromarray((phantom() >> 4).astype(np.uint8))
    gray.save(tmp_path / "grey.png")
    gray.convert(mode).save(tmp_path / "film.png")
    plain, read = (read_image(tmp_path / name, SPEC).rendering.pixels for name in ("grey.png", "film.png"))
    assert np.array_equal(read, plain)


def test_a_jpeg_is_read_as_it_is_stored_whatever_exif_says(tmp_path: Path) -> None:
    gray = Image.fromarray((phantom() >> 4).astype(np.uint8))
    turned = Image.Exif()
    turned[0x0112] = 6
    gray.save(tmp_path / "film.jpg", quality=95, exif=turned)
    header = read_header(tmp_path / "film.jpg")
    assert (header.kind, header.rows, header.columns) == ("jpeg", 96, 80)


def test_deflate_needs_no_zlib_wrapper(tmp_path: Path) -> None:
    facts = dicom_image()
    facts.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    raw = saved(facts, tmp_path / "film.dcm").read_bytes()
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    start = 132 + 12 + int.from_bytes(raw[140:144], "little")
    assert b"DOE^JANE" in inflater.decompress(raw[start:])
