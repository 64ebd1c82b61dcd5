"""`verify` finds the images that older rules let in or read otherwise; `repair` removes or embeds these alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.support.archives import BAD_FILES, contents, ingested, opened, rows
from tests.support.image_files import dicom, mimic, pixels
from tests.support.toy import ToyEmbedder

if TYPE_CHECKING:
    from pathlib import Path

REFUSED, OTHERWISE = "refused by newer rules", "read differently by newer rules"
NOISE = np.random.default_rng(1).integers(0, 4096, (48, 40), np.uint16).tobytes()


def make_older(data: Path, **grayscale: Any) -> None:
    """Change the rows to what the older rules wrote: no version, no notes, and `grayscale`."""
    for image_id, metadata in rows(data, "SELECT image_id, metadata FROM images"):
        older = json.loads(metadata)
        del older["reading"]
        older["grayscale"] |= grayscale | {"notes": []}
        rows(data, "UPDATE images SET metadata = ? WHERE image_id = ?", json.dumps(older), image_id)


async def problems(data: Path) -> dict[str, int]:
    async with opened(data) as archive:
        return {name: count for name, count in (await archive.verify()).problems.items() if count}


async def repaired(data: Path) -> tuple[dict[str, int], int]:
    """Return what was repaired, and how many images were embedded again."""
    embedder = ToyEmbedder()
    async with opened(data, embedder) as archive:
        found = await archive.repair()
        assert not any(found.problems.values())
    return {name: count for name, count in found.repaired.items() if count}, sum(embedder.batches)


async def test_images_that_newer_rules_read_alike_are_not_embedded_again(tmp_path: Path) -> None:
    data, folder = tmp_path / "data", tmp_path / "images"
    for seed in range(3):
        dicom(folder / f"{seed}.dcm", seed)
    mimic(folder, 7)
    await ingested(data, folder)
    before = contents(data)
    make_older(data)
    assert await problems(data) == {}
    assert await repaired(data) == ({}, 0)
    assert contents(data) == before, "each image has the version of the rules again"


async def test_images_that_newer_rules_refuse_are_removed_and_recorded(tmp_path: Path) -> None:
    data, folder = tmp_path / "data", tmp_path / "images"
    dicom(folder / "image.dcm", 1)
    dicom(folder / "noise.dcm", 2, PixelData=NOISE)
    nameless = {"AnatomicRegionSequence": None, "SeriesDescription": None, "PerformedProcedureStepDescription": None}
    dicom(folder / "knee.dcm", 3, BodyPartExamined="", StudyDescription="XR KNEE LEFT", ProtocolName=None, **nameless)
    dicom(folder / "let_in.dcm", 4, BodyPartExamined="KNEE", StudyDescription="XR KNEE", **nameless)
    await ingested(data, folder, any_pixels=True, any_body_part=True)
    make_older(data)
    assert await problems(data) == {REFUSED: 2}
    assert await repaired(data) == ({REFUSED: 2}, 0)
    recorded = rows(data, BAD_FILES)
    assert recorded == [
        (str(folder / "knee.dcm"), "not a chest radiograph (body part)"),
        (str(folder / "noise.dcm"), "implausible pixels"),
    ]
    assert (await ingested(data, folder)).total_in_store == 2, "the image let in by a flag stays"


async def test_images_that_newer_rules_read_otherwise_are_embedded_again_alone(tmp_path: Path) -> None:
    data, folder = tmp_path / "data", tmp_path / "images"
    dicom(folder / "high_bit.dcm", 1, PixelData=(pixels(1) << 4).tobytes(), HighBit=15)
    dicom(folder / "image.dcm", 2)
    await ingested(data, folder)
    before = contents(data)
    make_older(data)
    assert await problems(data) == {OTHERWISE: 1}
    assert await repaired(data) == ({OTHERWISE: 1}, 1)
    assert contents(data) == before


async def test_an_image_with_a_window_that_saturates_is_embedded_again(tmp_path: Path) -> None:
    data, folder = tmp_path / "data", tmp_path / "images"
    dicom(folder / "image.dcm", 1, WindowCenter="9000", WindowWidth="6")
    await ingested(data, folder)
    make_older(data, voi="window", center=9000.0, width=6.0, function="LINEAR")
    assert await problems(data) == {OTHERWISE: 1}
    assert await repaired(data) == ({OTHERWISE: 1}, 1)


async def test_a_placeholder_patient_is_divided(tmp_path: Path) -> None:
    data, folder = tmp_path / "data", tmp_path / "images"
    for seed in range(3):
        dicom(folder / f"{seed}.dcm", seed, PatientID="ANONYMOUS")
    await ingested(data, folder)
    make_older(data)
    rows(data, "UPDATE images SET subject_id = 'p1'")
    assert await problems(data) == {OTHERWISE: 3}
    await repaired(data)
    async with opened(data) as archive:
        assert (await archive.overview()).subjects == 3


async def test_a_file_that_is_gone_is_no_problem_of_the_rules(tmp_path: Path) -> None:
    data, folder = tmp_path / "data", tmp_path / "images"
    dicom(folder / "noise.dcm", 2, PixelData=NOISE).parent.joinpath("x").touch()
    await ingested(data, folder, any_pixels=True)
    make_older(data)
    (folder / "noise.dcm").unlink()
    assert await problems(data) == {"file gone": 1}
