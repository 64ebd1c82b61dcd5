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


@pytest.mark.parametrize("ids", ["hash", "keep"])
async def test_one_uid_in_several_studies_gives_several_images(data: Path, image_dir: Path, ids: str) -> None:
    for seed in range(4):
        dicom(image_dir / f"{seed}.dcm", seed, SOPInstanceUID="2.25.60")
    dicom(image_dir / "5.dcm", 0, SOPInstanceUID="2.25.60")  # the first one again
    async with opened_in_memory(data, MCP_CXR_IDS=ids) as archive:
        assert (await archive.ingest(image_dir, dry_run=True)).would_add in (4, 5), "without ids, copies count too"
        first = await archive.ingest(image_dir)
        assert (first.added, first.other_file_same_id, len(first.notes)) == (4, 1, 1)
        assert "3 images have the SOPInstanceUID of an image of another study" in first.notes[0]
        found = await image_ids(archive)
        again = await archive.ingest(image_dir)
        assert (again.added, again.skipped, again.other_file_same_id, again.notes) == (0, 4, 1, [])
        (image_dir / "2.dcm").rename(image_dir / "9.dcm")
        moved = await archive.ingest(image_dir)
        assert (moved.added, moved.skipped, moved.other_file_same_id) == (0, 4, 1)
        assert await image_ids(archive) == found
        assert (await archive.overview()).subjects == 4


async def test_one_uid_is_told_apart_from_an_image_stored_before(data: Path, image_dir: Path) -> None:
    dicom(image_dir / "0.dcm", 0, SOPInstanceUID="2.25.60", StudyInstanceUID="2.25.7")
    await ingested_in_memory(data, image_dir)
    dicom(image_dir / "1.dcm", 1, SOPInstanceUID="2.25.60", StudyInstanceUID="2.25.7")  # another patient
    assert (await ingested_in_memory(data, image_dir)).added == 1


PLACEHOLDERS = ("ANONYMOUS", "0", "Anonymized", "NA", "UNKNOWN", "n/a", "0000", "XXX")


@pytest.mark.parametrize("placeholder", PLACEHOLDERS)
async def test_studies_of_a_placeholder_patient_are_subjects_of_their_own(
    data: Path, image_dir: Path, placeholder: str
) -> None:
    for seed in range(4):
        dicom(image_dir / f"{seed}.dcm", seed, StudyInstanceUID=f"2.25.9{seed // 2}", PatientID=placeholder)
    dicom(image_dir / "5.dcm", 5, PatientID="ANON-0005")
    summary = await ingested_in_memory(data, image_dir)
    async with opened_in_memory(data) as archive:
        overview = await archive.overview()
    assert (overview.studies, overview.subjects) == (3, 3)
    (note,) = summary.notes
    assert note.startswith("4 files have a placeholder as PatientID (")


async def test_one_patient_id_in_most_studies_is_told(data: Path, image_dir: Path) -> None:
    for seed in range(25):
        dicom(image_dir / f"{seed}.dcm", seed, PatientID="RESEARCH" if seed < 22 else f"MRN-{seed}")
    (note,) = (await ingested_in_memory(data, image_dir)).notes
    assert note.startswith("22 of 25 studies have one PatientID.")
    assert "RESEARCH" not in note


async def test_a_placeholder_of_signs_alone_is_described(data: Path, image_dir: Path) -> None:
    dicom(image_dir / "1.dcm", 1, PatientID="--")
    (note,) = (await ingested_in_memory(data, image_dir)).notes
    assert note.startswith("1 files have a placeholder as PatientID (only signs: 1)")
