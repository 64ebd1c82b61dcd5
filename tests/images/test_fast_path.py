"""However little is done at full size, an image looks as the usual pipeline shows it; and is what it is to the bit.

Imports a private module to see which pixels are decoded, which the rendering does not show.
"""

from __future__ import annotations

import io
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian, JPEG2000Lossless, RLELossless

from mcp_cxr.errors import CorruptImage, UnsupportedImage
from mcp_cxr.images import DisplayOptions, read_image, render_view
from mcp_cxr.images.pixels import _decode as decode
from mcp_cxr.records import ImageSpec
from tests.unit.images.making import dicom_image, lut, radiograph, saved
from tests.unit.images.oracle import difference, usual_pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import FileDataset

SPEC = ImageSpec(224, "L")
PLACES = np.arange(4096) / 4095
SIGMOID = (4095 / (1 + np.exp(-10 * (PLACES - 0.5)))).astype("<u2")
UP_AND_DOWN = (4095 * np.sin(PLACES * np.pi)).astype("<u2")
WINDOW = {"WindowCenter": 2010, "WindowWidth": 3620}
CUTTING = {"WindowCenter": 1700, "WindowWidth": 1500}
NARROW = {"WindowCenter": 1800, "WindowWidth": 700}


def read(path: Path, spec: ImageSpec = SPEC) -> NDArray[np.uint8]:
    return read_image(path, spec).rendering.pixels


def check(path: Path, *, mean: float = 0.3, size: int = 224) -> None:
    apart = difference(read(path, ImageSpec(size, "L")), usual_pipeline(path, size))
    assert apart[0] <= 6
    assert apart[1] <= mean


def as_jpeg_2000(facts: FileDataset, pixels: NDArray[Any], bits: int = 12) -> FileDataset:
    facts.file_meta.TransferSyntaxUID = JPEG2000Lossless
    frame = imagecodecs.jpeg2k_encode(pixels, reversible=True, level=0, codecformat="j2k", bitspersample=bits)
    facts.add_new("PixelData", "OB", encapsulate([bytes(frame)]))
    facts["PixelData"].is_undefined_length = True
    return facts


@pytest.fixture(scope="module")
def whole() -> NDArray[np.uint16]:
    return radiograph()


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    "elements",
    [{}, WINDOW, NARROW, {"VOILUTSequence": lut(SIGMOID, depth=12)}],
    ids=["none", "window", "narrow", "lut"],
)
def test_images_of_mimic_s_size_look_as_usual(
    tmp_path: Path, whole: NDArray[np.uint16], photometric: str, elements: dict[str, Any]
) -> None:
    check(saved(dicom_image(whole, PhotometricInterpretation=photometric, **elements), tmp_path / "film.dcm"))


@pytest.mark.parametrize("shape", [(449, 451), (897, 1403), (1121, 1123), (2243, 2501), (1340, 4567), (225, 4097)])
@pytest.mark.parametrize(
    "elements", [WINDOW, NARROW, {"VOILUTSequence": lut(SIGMOID, depth=12), "PhotometricInterpretation": "MONOCHROME1"}]
)
def test_odd_sizes_look_as_usual(tmp_path: Path, shape: tuple[int, int], elements: dict[str, Any]) -> None:
    check(saved(dicom_image(radiograph(*shape), **elements), tmp_path / "film.dcm"))


@pytest.mark.parametrize(
    "elements",
    [
        {"RescaleSlope": 0.5, "RescaleIntercept": -300, "WindowCenter": 700, "WindowWidth": 1900},
        {"ModalityLUTSequence": lut(SIGMOID)},
        {"VOILUTSequence": lut(UP_AND_DOWN, depth=12)},
        {"WindowCenter": 1900, "WindowWidth": 1500, "VOILUTFunction": "SIGMOID"},
    ],
)
def test_every_step_of_the_grayscale_is_taken(tmp_path: Path, elements: dict[str, Any]) -> None:
    check(saved(dicom_image(radiograph(1201, 1333), **elements), tmp_path / "film.dcm"))


@pytest.mark.parametrize("bits", [10, 14, 16])
def test_sums_of_any_depth_fit(tmp_path: Path, bits: int) -> None:
    pixels = radiograph(2300, 2400, top=2**bits - 1)
    pixels[:40] = 2**bits - 1
    check(saved(dicom_image(pixels, BitsStored=bits, HighBit=bits - 1), tmp_path / "film.dcm"))


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_means_of_sixteen_bits_stay_between_the_ends_of_the_image(tmp_path: Path, photometric: str) -> None:
    pixels = np.clip(radiograph(2300, 2400, top=65535), 4007, 57304)
    pixels[:300], pixels[300:600] = 4007, 57304
    elements = {"BitsStored": 16, "HighBit": 15, "PhotometricInterpretation": photometric}
    check(saved(dicom_image(pixels, **elements), tmp_path / "film.dcm"))


@pytest.mark.parametrize("elements", [{}, WINDOW, CUTTING, NARROW, {"VOILUTSequence": lut(SIGMOID, depth=12)}])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_letters_burnt_in_keep_their_grays(tmp_path: Path, photometric: str, elements: dict[str, Any]) -> None:
    """No filter over fewer pixels follows their rims exactly; grays of means would be 40 and more off."""
    pixels = radiograph(2500, 2048)
    pixels[letters(pixels.shape)] = 4095
    path = saved(dicom_image(pixels, PhotometricInterpretation=photometric, **elements), tmp_path / "film.dcm")
    largest, mean = difference(read(path), usual_pipeline(path, 224))
    assert largest <= 12
    assert mean <= 0.3


def letters(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    page = Image.new("1", (shape[1], shape[0]))
    for left, top, size in [(160, 245, 120), (1200, 2045, 60), (725, 122, 30), (1771, 980, 200)]:
        ImageDraw.Draw(page).text((left, top), "LPA 12", fill=1, font=ImageFont.load_default(size))
    return np.asarray(page)


def test_signed_values_are_reduced_with_their_sign(tmp_path: Path) -> None:
    check(
        saved(
            dicom_image(radiograph(2300, 2400).astype(np.int16) - 1500, BitsStored=16, HighBit=15),
            tmp_path / "film.dcm",
        )
    )


def test_other_encodings_give_the_same_picture(tmp_path: Path) -> None:
    pixels = radiograph(1301, 1203)
    facts = dicom_image(pixels, **WINDOW)
    plain = read(saved(facts, tmp_path / "film.dcm"))
    facts.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    assert np.array_equal(read(saved(facts, tmp_path / "film.dcm")), plain)
    facts.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    facts.PixelData = pixels.byteswap().tobytes()
    dcmwrite(tmp_path / "film.dcm", facts, implicit_vr=False, little_endian=False, force_encoding=True)
    assert np.array_equal(read(tmp_path / "film.dcm"), plain)
    facts = dicom_image(pixels, **WINDOW)
    facts.compress(RLELossless, generate_instance_uid=False)
    assert np.array_equal(read(saved(facts, tmp_path / "film.dcm")), plain)


def test_an_overlay_in_unused_bits_changes_nothing(tmp_path: Path) -> None:
    pixels = radiograph(1301, 1203)
    plain = read(saved(dicom_image(pixels, **WINDOW), tmp_path / "film.dcm"))
    pixels[200:300] |= 0x8000
    assert np.array_equal(read(saved(dicom_image(pixels, **WINDOW), tmp_path / "film.dcm")), plain)
    signed = radiograph(1301, 1203).astype(np.int16) - 2048
    plain = read(saved(dicom_image(signed), tmp_path / "film.dcm"))
    signed[200:300] &= 0x0FFF
    assert np.array_equal(read(saved(dicom_image(signed), tmp_path / "film.dcm")), plain)


def test_padding_is_black_and_never_mixed_into_its_neighbours(tmp_path: Path) -> None:
    pixels = np.clip(radiograph(1301, 1203), 1100, 2400)
    plain = read_image(saved(dicom_image(pixels), tmp_path / "film.dcm"), SPEC)
    pixels[:, :300] = 40
    padded = read_image(saved(dicom_image(pixels, PixelPaddingValue=40), tmp_path / "film.dcm"), SPEC)
    assert padded.grayscale["low"] == plain.grayscale["low"] == 1100
    assert not padded.rendering.pixels[:, :50].any()
    assert difference(padded.rendering.pixels[:, 60:], plain.rendering.pixels[:, 60:])[0] <= 2


def test_the_stretch_comes_from_single_pixels_at_full_size(tmp_path: Path) -> None:
    """A mean would level them; the usual pipelines do not."""
    pixels = np.clip(radiograph(1301, 1203), 1000, 3000)
    pixels[700, 600], pixels[701, 601] = 4095, 3
    path = saved(dicom_image(pixels), tmp_path / "film.dcm")
    scale = read_image(path, SPEC).grayscale
    assert (scale["low"], scale["high"]) == (3, 4095)
    check(path)


@pytest.mark.parametrize("elements", [WINDOW, NARROW], ids=["window", "narrow"])
def test_jpeg_2000_looks_as_usual(tmp_path: Path, elements: dict[str, Any]) -> None:
    half = radiograph(1301, 1279)  # as MIMIC's, a quarter of the work
    check(saved(as_jpeg_2000(dicom_image(half, **elements), half), tmp_path / "film.dcm"), mean=0.4, size=112)


def test_jpeg_2000_is_decoded_in_full_where_half_would_lose_the_extremes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels, spec = np.clip(radiograph(1301, 1303), 1000, 3000), ImageSpec(112, "L")
    pixels[700, 600], pixels[701, 601] = 4095, 0
    asked: list[bool] = []
    full = decode.open_raster

    def watched(*what: Any, halve: bool) -> Any:
        asked.append(halve)
        return full(*what, halve=halve)

    monkeypatch.setattr("mcp_cxr.images._read.open_raster", watched)
    wide = {"WindowCenter": 2048, "WindowWidth": 4200}
    plain = read(saved(dicom_image(pixels, **wide), tmp_path / "plain.dcm"), spec)
    asked.clear()
    path = saved(as_jpeg_2000(dicom_image(pixels, **wide), pixels), tmp_path / "film.dcm")
    assert np.array_equal(read(path, spec), plain)
    assert asked == [True, False]


@pytest.mark.parametrize(("bits", "rows", "columns", "size"), [(12, 2544, 3056, 224), (16, 1301, 1279, 112)])
def test_half_a_jpeg_2000_is_enough_where_its_window_cuts_both_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bits: int, rows: int, columns: int, size: int
) -> None:
    def never(frame: bytes) -> None:
        raise AssertionError(len(frame))

    pixels = radiograph(rows, columns)
    path = saved(as_jpeg_2000(dicom_image(pixels, **CUTTING), pixels, bits), tmp_path / "film.dcm")
    check(path, mean=0.4, size=size)
    monkeypatch.setitem(decode._CODECS, JPEG2000Lossless, never)
    monkeypatch.setattr(decode, "_PLUGINS", ())
    read(path, ImageSpec(size, "L"))


def test_other_sizes_look_as_usual(tmp_path: Path) -> None:
    path = saved(dicom_image(radiograph(1701, 1501), **WINDOW), tmp_path / "film.dcm")
    for size in (32, 336, 448, 2000):
        largest, mean = difference(read(path, ImageSpec(size, "L")), usual_pipeline(path, size))
        assert largest <= 6
        assert mean <= 0.3


@pytest.mark.parametrize("max_px", [4096, 1024, 300, 64])
@pytest.mark.parametrize("region", [None, (0.211, 0.307, 0.873, 0.641)])
def test_views_of_any_size_are_the_image_s(tmp_path: Path, max_px: int, region: Any) -> None:
    path = saved(dicom_image(radiograph(1301, 1203), **WINDOW), tmp_path / "film.dcm")
    view = render_view(path, DisplayOptions(max_px=max_px, region=region))
    x0, y0, x1, y1 = region or (0, 0, 1, 1)
    cut = usual_pipeline(path)[int(y0 * 1301) : -int(-y1 * 1301 // 1), int(x0 * 1203) : -int(-x1 * 1203 // 1)]
    assert max(view.width, view.height) == min(max_px, max(cut.shape))
    seen = np.asarray(Image.open(io.BytesIO(view.data)))
    usual = Image.fromarray(np.ascontiguousarray(cut)).resize((view.width, view.height), Image.Resampling.LANCZOS)
    largest, mean = difference(seen, np.asarray(usual))
    assert largest <= 12  # at the marker's edges; Lanczos from all pixels rings more than from a reduced image
    assert mean <= 0.4


def test_a_blank_image_and_a_short_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedImage, match="blank image"):
        read(saved(dicom_image(np.full((1301, 1203), 7, np.uint16)), tmp_path / "film.dcm"))
    whole = saved(dicom_image(radiograph(1301, 1203)), tmp_path / "film.dcm").read_bytes()
    (tmp_path / "film.dcm").write_bytes(whole[:-1])
    with pytest.raises(CorruptImage, match="truncated pixel data"):
        read(tmp_path / "film.dcm")


MEASURE = """
import resource, sys
from pathlib import Path
from mcp_cxr.images import read_image
from mcp_cxr.records import ImageSpec
spec = ImageSpec(224, "L", jpeg_quality=95)
read_image(Path(sys.argv[1]), spec)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
read_image(Path(sys.argv[2]), spec)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux")
@pytest.mark.parametrize("elements", [WINDOW, NARROW], ids=["window", "narrow"])
def test_a_large_image_takes_little_memory(tmp_path: Path, whole: NDArray[np.uint16], elements: dict[str, Any]) -> None:
    small = saved(dicom_image(radiograph(300, 300), **elements), tmp_path / "small.dcm")
    large = saved(dicom_image(whole, **elements), tmp_path / "large.dcm")
    assert large.stat().st_size > 15e6
    command = [sys.executable, "-c", MEASURE, str(small), str(large)]
    grown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert int(grown) < 40 * 1024
