"""Mutated images: each is a picture or has a typed reason; no hang, no crash of this process, no other error."""

from __future__ import annotations

import collections
import random
import zlib
from typing import TYPE_CHECKING, Any

import anyio
import imagecodecs
import numpy as np
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from mcp_cxr.errors import ImageError
from mcp_cxr.images import DisplayOptions, ImageReader
from mcp_cxr.records import ImageSpec
from tests.unit.images.making import coded, dicom_image, lut, phantom, saved

if TYPE_CHECKING:
    from pathlib import Path

SPEC = ImageSpec(32, "L")
SEED = 20260
MADE, REAL = 60, 12
"""Mutations of each file."""
LIMIT_S = 60
"""Far above what a run takes; below what a hang would."""


def frames() -> dict[UID, bytes]:
    pixels = phantom(64, 60)
    return {
        JPEGLosslessSV1: bytes(imagecodecs.jpeg8_encode(pixels, lossless=True, bitspersample=12)),
        JPEGLSLossless: bytes(imagecodecs.jpegls_encode(pixels)),
        JPEG2000Lossless: bytes(imagecodecs.jpeg2k_encode(pixels, reversible=True, level=0, codecformat="j2k")),
        JPEGBaseline8Bit: bytes(imagecodecs.jpeg8_encode((pixels >> 4).astype(np.uint8), level=90)),
    }


def made(folder: Path) -> dict[str, bytes]:
    """One small file of each kind."""
    rich: dict[str, Any] = {
        "VOILUTSequence": lut(np.arange(4096, dtype="<u2"), depth=12),
        "RescaleSlope": 1,
        "RescaleIntercept": -5,
        "PixelPaddingValue": 0,
        "ViewCodeSequence": coded("R-10214", "postero-anterior"),
    }
    kinds = {
        "window": dicom_image(phantom(64, 60), WindowCenter=2000, WindowWidth=3000),
        "rich": dicom_image(phantom(64, 60), **rich),
    }
    for syntax, frame in frames().items():
        facts = kinds[syntax.name] = dicom_image(phantom(64, 60), WindowCenter=2000, WindowWidth=3000)
        facts.file_meta.TransferSyntaxUID = syntax
        if syntax == JPEGBaseline8Bit:
            facts.BitsAllocated, facts.BitsStored, facts.HighBit = 8, 8, 7
        facts.add_new("PixelData", "OB", encapsulate([frame]))
        facts["PixelData"].is_undefined_length = True
    kinds["rle"] = dicom_image(phantom(64, 60))
    kinds["rle"].compress(RLELossless, generate_instance_uid=False)
    kinds["deflated"] = dicom_image(phantom(64, 60))
    kinds["deflated"].file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    files = {name: saved(facts, folder / "seed").read_bytes() for name, facts in kinds.items()}
    gray = Image.fromarray((phantom(64, 60) >> 4).astype(np.uint8))
    for form in ("png", "jpeg"):
        gray.save(folder / "seed", form)
        files[form] = (folder / "seed").read_bytes()
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    return files | {"gzip": packer.compress(files["window"]) + packer.flush()}


def mutated(whole: bytes, chance: random.Random) -> bytes:
    """Damage a file: a few bytes, a length, a piece lost, doubled or cut off; its first kilobyte more often."""
    data = bytearray(whole)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        at = chance.randrange(min(len(data), chance.choice((1024, len(data)))) or 1)
        match chance.randrange(6):
            case 0:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                data[at : at + 1] = bytes([data[at] ^ 1 << chance.randrange(8)]) if data else b""
            case 2:
                data[at : at + 4] = chance.choice((b"\xff" * 4, b"\0" * 4, b"\xff\xff\xff\x7f", b"\xfe\xff\x00\xe0"))
            case 3:
                del data[at : at + chance.choice((1, 2, 8, 64))]
            case 4:
                data[at:at] = data[at : at + chance.choice((1, 4, 64))]
            case _:
                del data[max(at, 64) :]
    return bytes(data)


async def survive(files: dict[str, bytes], folder: Path, times: int) -> collections.Counter[str]:
    """Read all mutations of all files, two at a time; return how often each reason was given."""
    chance = random.Random(SEED)  # noqa: S311 # a run can be repeated
    cases = [mutated(whole, chance) for whole in files.values() for _ in range(times)]
    told: collections.Counter[str] = collections.Counter()

    async def work(name: str, reader: ImageReader) -> None:
        path = folder / name
        while cases:
            path.write_bytes(cases.pop())
            try:
                await reader.read_image(path, SPEC, any_body_part=True)
                await reader.render_view(path, DisplayOptions(max_px=40))
            except ImageError as error:
                told[error.reason] += 1
            else:
                told["read"] += 1

    with anyio.fail_after(LIMIT_S):
        async with ImageReader(deadline_s=10) as reader, anyio.create_task_group() as tasks:
            for name in ("one.dcm", "two.dcm"):
                tasks.start_soon(work, name, reader)
    return told


async def test_mutations_of_every_kind_of_file_end_in_a_picture_or_a_reason(tmp_path: Path) -> None:
    files = made(tmp_path)
    told = await survive(files, tmp_path, MADE)
    assert sum(told.values()) == len(files) * MADE
    assert told["read"] > 0
    assert "" not in told
    assert len(told) > 5, told  # many different ways to fail were met


@pytest.fixture
def real_files(real_images: Path) -> dict[str, bytes]:
    files = {path.name: path.read_bytes() for path in sorted(real_images.glob("dicom_*/*"))}
    small = {name: whole for name, whole in files.items() if len(whole) < 300_000}
    assert len(small) > 20
    return small


@pytest.mark.real
async def test_mutations_of_real_files_end_in_a_picture_or_a_reason(
    real_files: dict[str, bytes], tmp_path: Path
) -> None:
    told = await survive(real_files, tmp_path, REAL)
    assert sum(told.values()) == len(real_files) * REAL
    assert told["read"] > 0
    assert "" not in told
