"""An image's own values, whatever the file says of them, here and across a worker process."""

from __future__ import annotations

import zlib
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from mcp_cxr.images import TILE_PX, FileCache, ImageReader, overview_tile, read_values, values_tile
from tests.unit.images.making import dicom_image, phantom, saved

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mcp_cxr.images import StoredValues, ValuesTile


def decompressed(part: ValuesTile) -> NDArray[np.uint16]:
    steps = np.frombuffer(zlib.decompress(part.data), "<u2").reshape(part.height, part.width)
    return np.cumsum(steps, axis=1, dtype=np.uint16)


def modality_lut() -> Sequence:
    item = Dataset()
    item.LUTDescriptor = [4096, 0, 16]
    item.LUTData = (np.arange(4096) ** 2 // 300).astype("<u2").tobytes()
    return Sequence([item])


CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "rescaled": {"RescaleSlope": 2, "RescaleIntercept": -1000},
    "by a table": {"ModalityLUTSequence": modality_lut()},
    "low is bright": {"PhotometricInterpretation": "MONOCHROME1"},
    "padded": {"PixelPaddingValue": 0},
    "two windows": {
        "WindowCenter": [2000, 900],
        "WindowWidth": [3000, 0.5],
        "WindowCenterWidthExplanation": ["WIDE\0<b>", "X"],
    },
}


@pytest.mark.parametrize("elements", CASES.values(), ids=CASES)
def test_values_are_the_stored_ones_and_mean_what_the_header_says(tmp_path: Path, elements: dict[str, Any]):
    stored = phantom()
    read = read_values(saved(dicom_image(stored, **elements), tmp_path / "film.dcm"))
    assert np.array_equal(read.offset_values + read.low, stored)
    assert read.low == stored.min()
    assert read.gray_by_offset.size == int(stored.max()) - int(stored.min()) + 1
    assert read.inverse == (elements.get("PhotometricInterpretation") == "MONOCHROME1")
    if "ModalityLUTSequence" in elements:
        assert isinstance(read.modality_transform, np.ndarray)
        assert read.modality_transform[1000 - read.low] == 1000**2 // 300
    else:
        assert read.modality_transform == ((2, -1000) if "RescaleSlope" in elements else (1, 0))
    if "PixelPaddingValue" in elements:
        assert read.padding == (-read.low, -read.low)
    if "WindowCenter" in elements:  # the second is too narrow to be one
        assert [(one.name, one.center, one.width) for one in read.presets] == [("WIDE <b>", 2000, 3000)]


@pytest.mark.parametrize(
    ("names", "widths", "expected"),
    [
        (["BROKEN", "LUNG", "BONE"], [0.5, 1500, 3000], [("LUNG", 1500), ("BONE", 3000)]),
        (["", "LUNG", "BONE"], [2000, 1500, 3000], [("", 2000), ("LUNG", 1500), ("BONE", 3000)]),
        (["WIDE"], [2000, 0.5, 3000], [("WIDE", 2000), ("", 3000)]),
    ],
    ids=["an invalid window first", "a first name that is empty", "fewer names than windows"],
)
def test_each_preset_keeps_its_own_name(
    tmp_path: Path, names: list[str], widths: list[float], expected: list[tuple[str, float]]
):
    windows = {"WindowCenter": [2000] * 3, "WindowWidth": widths, "WindowCenterWidthExplanation": names}
    read = read_values(saved(dicom_image(phantom(), **windows), tmp_path / "image.dcm"))
    assert [(preset.name, preset.width) for preset in read.presets] == expected


def test_signed_values_lie_above_the_lowest(tmp_path: Path):
    stored = phantom().astype(np.int16) - 1024
    read = read_values(
        saved(dicom_image(stored, PixelRepresentation=1, BitsStored=16, HighBit=15), tmp_path / "film.dcm")
    )
    assert read.low == stored.min() < 0
    assert np.array_equal(read.offset_values.astype(int) + read.low, stored)


async def test_a_worker_process_returns_the_values_that_this_process_reads(tmp_path: Path):
    async with ImageReader(workers=1) as reader:
        for number, elements in enumerate(CASES.values()):
            path = saved(dicom_image(**elements), tmp_path / f"{number}.dcm")
            assert_same(await reader.read_values(path), read_values(path))


def assert_same(one: StoredValues, other: StoredValues) -> None:
    for field in fields(one):
        left, right = getattr(one, field.name), getattr(other, field.name)
        assert np.array_equal(left, right) if isinstance(left, np.ndarray) else left == right, field.name


async def test_a_picture_is_read_in_a_worker(tmp_path: Path):
    gray = (phantom() >> 4).astype(np.uint8)
    Image.fromarray(gray).save(tmp_path / "film.png")
    async with ImageReader(workers=1) as reader:
        read = await reader.read_values(tmp_path / "film.png")
    assert np.array_equal(read.offset_values + read.low, gray)


def test_tiles_and_overview_of_an_image_that_no_size_divides(tmp_path: Path):
    stored = phantom(1111, 1300)
    read = read_values(saved(dicom_image(stored), tmp_path / "film.dcm"))
    whole = overview_tile(read, max_px=768)
    assert (whole.factor, whole.width, whole.height) == (2, 650, 556)
    corner = values_tile(read, column=2, row=2, factor=1)
    assert (corner.left, corner.top, corner.width, corner.height) == (1024, 1024, 276, 87)
    assert np.array_equal(decompressed(corner) + read.low, stored[1024:, 1024:])
    half = decompressed(values_tile(read, column=0, row=1, factor=2))
    assert half.shape == (44, TILE_PX)
    assert np.array_equal(half, decompressed(whole)[512:, :512])
    deep = decompressed(overview_tile(read, max_px=90))  # by 16
    assert deep.shape == (70, 82)
    assert abs(deep[0, 0] + read.low - stored[:16, :16].mean()) <= 0.5


def test_even_noise_can_be_sent(tmp_path: Path):
    noise = np.random.default_rng(1).integers(0, 2**16, (1536, 1536)).astype(np.uint16)
    read = read_values(saved(dicom_image(noise, BitsStored=16, HighBit=15), tmp_path / "film.dcm"))
    assert len(overview_tile(read, max_px=768).data) <= 700_000
    assert len(values_tile(read, column=1, row=1, factor=1).data) <= 700_000


async def test_the_last_two_images_are_not_read_again(tmp_path: Path):
    paths = [saved(dicom_image(), tmp_path / f"{number}.dcm") for number in range(3)]
    reads: list[Path] = []

    async def read(path: Path) -> StoredValues:
        reads.append(path)
        await anyio.lowlevel.checkpoint()
        return read_values(path)

    cache = FileCache(read, capacity=2)
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(lambda: cache.get(paths[0], keep=True))
    assert reads == paths[:1]  # those who came second waited
    await cache.get(paths[1], keep=True)
    await cache.get(paths[2], keep=False)
    await cache.get(paths[0], keep=True)
    assert reads == [paths[0], paths[1], paths[2]]
    await cache.get(paths[2], keep=True)
    await cache.get(paths[0], keep=False)
    await cache.get(paths[1], keep=False)
    assert reads == [paths[0], paths[1], paths[2], paths[2], paths[1]]


async def test_an_image_that_was_changed_is_read_again(tmp_path: Path):
    path = saved(dicom_image(), tmp_path / "film.dcm")
    async with ImageReader() as reader:
        cache = FileCache(reader.read_values, capacity=2)
        before = await cache.get(path, keep=True)
        saved(dicom_image(phantom(40, 40)), path)
        after = await cache.get(path, keep=True)
    assert before.offset_values.shape != after.offset_values.shape


@pytest.mark.real
async def test_values_of_real_images_are_pydicom_s(real_images: Path):
    paths = sorted((real_images / "dicom_cxr").glob("*.dcm"))
    assert paths
    async with ImageReader() as reader:
        for path in paths:
            read, file = await reader.read_values(path), pydicom.dcmread(path)
            if file.SamplesPerPixel == 1:
                assert np.array_equal(read.offset_values.astype(int) + read.low, file.pixel_array)
            assert read.gray_by_offset.max() == 255
            assert read.gray_by_offset.min() == 0
