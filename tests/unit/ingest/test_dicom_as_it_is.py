"""DICOM files as equipment and archives write them: none is lost, or misread, without a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.support.archives import image_ids, ingested_in_memory, opened_in_memory
from tests.support.image_files import dicom

if TYPE_CHECKING:
    from pathlib import Path

CR, DX = "1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.5.1.4.1.1.1.1"
OTHER_BODY_PART = "not a chest radiograph (body part)"


@pytest.mark.parametrize(
    ("modality", "sop_class"), [("DR", DX), ("DR", CR), ("XR", DX), ("XR", CR), ("RF", DX)], ids=str
)
async def test_the_sop_class_of_a_radiograph_comes_before_the_modality(
    data: Path, image_dir: Path, modality: str, sop_class: str
) -> None:
    dicom(image_dir / "image.dcm", 1, Modality=modality, SOPClassUID=sop_class)
    assert (await ingested_in_memory(data, image_dir)).added == 1


async def test_descriptions_tell_the_body_part_that_no_other_element_names(data: Path, image_dir: Path) -> None:
    unnamed = {"AnatomicRegionSequence": None, "ViewPosition": "", "SeriesDescription": None, "ProtocolName": None}
    for seed, words in enumerate(("XR KNEE LEFT 2 VIEWS", "Foot, 3 views", "XR CHEST 2 VIEWS", "PORTABLE")):
        part = "TSPINE" if "CHEST" in words else ""
        tags = unnamed | {"BodyPartExamined": part, "StudyDescription": words}
        dicom(image_dir / f"{seed}.dcm", seed, PerformedProcedureStepDescription=None, **tags)
    summary = await ingested_in_memory(data, image_dir)
    assert (summary.added, summary.errors_by_reason) == (2, {OTHER_BODY_PART: 2})
    async with opened_in_memory(data) as archive:
        shown = [await archive.show(image_id) for image_id in await image_ids(archive)]
    assert sorted(image.tags["StudyDescription"] for image in shown) == ["PORTABLE", "XR CHEST 2 VIEWS"]


async def test_noise_is_kept_out_until_any_pixels_lets_it_in(data: Path, image_dir: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 4096, (48, 40), np.uint16)
    dicom(image_dir / "noise.dcm", 1, PixelData=noise.tobytes())
    dicom(image_dir / "image.dcm", 2)
    refused = await ingested_in_memory(data, image_dir)
    assert (refused.added, refused.errors_by_reason) == (1, {"implausible pixels": 1})
    let_in = await ingested_in_memory(data, image_dir, any_pixels=True)
    assert (let_in.added, let_in.skipped, let_in.errors) == (1, 1, 0)
    async with opened_in_memory(data) as archive:
        notes = [(await archive.show(image_id)).grayscale["notes"] for image_id in await image_ids(archive)]
    assert sorted(notes) == [[], ["implausible pixels"]]
