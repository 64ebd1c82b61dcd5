"""Several files of one image, or of one UID: one is shown, the others are told apart and take its place."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.archives import contents, counts, ingested, opened, rows
from tests.support.image_files import dicom, mimic, plain, truncated
from tests.support.toy import ToyEmbedder

ONE_UID = {"SOPInstanceUID": "2.25.1", "StudyInstanceUID": "2.25.91", "PatientID": "MRN-1"}
SAME, OTHER = "another file has the same image id and pixels", "another file has the same image id, but other pixels"


@pytest.mark.parametrize("suffix", ["dcm", "png"])
async def test_the_same_image_under_two_names_is_one_image(data: Path, image_dir: Path, suffix: str) -> None:
    path = dicom(image_dir / "a.dcm", 1) if suffix == "dcm" else plain(image_dir / "a.png", 1)
    shutil.copy(path, image_dir / f"b.{suffix}")
    other = {"other_file_same_id": 1}
    assert counts(await ingested(data, image_dir)) == {"found": 2, "added": 1, "total_in_store": 1} | other
    assert counts(await ingested(data, image_dir)) == {"found": 2, "skipped": 1, "total_in_store": 1} | other


async def test_the_uid_identifies_an_image_whatever_its_pixels(data: Path, image_dir: Path) -> None:
    dicom(image_dir / "a.dcm", 1)
    dicom(image_dir / "other_pixels.dcm", 2, **ONE_UID)
    dicom(image_dir / "same_pixels.dcm", 1, SOPInstanceUID="2.25.3")
    assert counts(await ingested(data, image_dir)) == {"found": 3, "added": 2, "total_in_store": 2} | {
        "other_file_same_id": 1,
        "other_pixels_same_id": 1,
    }


async def left_out(data: Path) -> dict[str, str | None]:
    async with opened(data) as archive:
        return {Path(one.path).name: one.reason for one in await archive.files_left_out()}


@pytest.mark.parametrize("later", [False, True])
async def test_copies_and_other_pixels_under_one_uid_are_told_apart(data: Path, image_dir: Path, later: bool) -> None:
    first = dicom(image_dir / "a.dcm", 1, **ONE_UID)
    if later:
        await ingested(data, image_dir)
    shutil.copy(first, image_dir / "b.dcm")
    dicom(image_dir / "c.dcm", 1, **ONE_UID, StudyDescription="another header")
    dicom(image_dir / "d.dcm", 2, **ONE_UID)
    truncated(image_dir / "e.dcm", 1, **ONE_UID)
    summary = await ingested(data, image_dir)
    assert (summary.other_file_same_id, summary.other_pixels_same_id, summary.errors) == (3, 1, 1)
    expected = {"b.dcm": SAME, "c.dcm": SAME, "d.dcm": OTHER, "e.dcm": "truncated pixel data"}
    assert await left_out(data) == expected
    again = await ingested(data, image_dir)
    assert (again.other_file_same_id, again.other_pixels_same_id, again.recorded_bad) == (3, 1, 1)
    assert await left_out(data) == expected


async def test_a_jpeg_of_a_dicom_image_is_left_out_as_another_format(data: Path, image_dir: Path) -> None:
    path = mimic(image_dir, 1)
    plain(path.with_suffix(".jpg"), 1)
    summary = await ingested(data, image_dir)
    assert (summary.added, summary.other_file_same_id, summary.other_pixels_same_id) == (1, 1, 0)
    ((name, reason),) = (await left_out(data)).items()
    assert (name, reason) == (f"{path.stem}.jpg", "another file, in another format, has the same image id")


@pytest.mark.parametrize("shown", ["a.dcm", "z.dcm"])
@pytest.mark.parametrize("pixels", [1, 2])
async def test_an_image_of_two_files_is_kept_when_one_holds_another_image(
    data: Path, image_dir: Path, shown: str, pixels: int
) -> None:
    """Whichever comes first by path, and whatever the other file's pixels are."""
    first = dicom(image_dir / shown, 1, **ONE_UID)
    await ingested(data, image_dir)
    other = dicom(image_dir / "m.dcm", pixels, **ONE_UID, StudyDescription="another header")
    await ingested(data, image_dir)
    ((image_id,),) = rows(data, "SELECT image_id FROM images")
    dicom(first, 5)
    embedder = ToyEmbedder()
    summary = await ingested(data, image_dir, embedder)
    assert summary.total_in_store == 2
    assert (image_id, "m.dcm") in rows(data, "SELECT image_id, image_path FROM images")
    assert sum(embedder.batches) == pixels
    assert await left_out(data) == {}
    async with opened(data) as archive:
        assert not any((await archive.verify()).problems.values())
        assert (await archive.view(image_id)).header.rows
    assert counts(await ingested(data, image_dir)) == {"found": 2, "skipped": 2, "total_in_store": 2}
    assert other.exists()


async def test_an_image_of_two_files_in_two_folders_is_kept_when_one_holds_another_image(
    data: Path, tmp_path: Path
) -> None:
    first = dicom(tmp_path / "one" / "a.dcm", 1, **ONE_UID)
    dicom(tmp_path / "two" / "b.dcm", 1, **ONE_UID)
    await ingested(data, tmp_path / "one")
    await ingested(data, tmp_path / "two")
    dicom(first, 5)
    assert (await ingested(data, tmp_path / "one")).total_in_store == 2
    assert (str(tmp_path / "two"), "b.dcm") in rows(data, "SELECT root, image_path FROM images")


@pytest.mark.parametrize("pixels", [1, 2])
async def test_another_file_takes_the_place_of_one_that_is_gone_with_its_own_pixels(
    data: Path, image_dir: Path, pixels: int
) -> None:
    first = dicom(image_dir / "a.dcm", 1, **ONE_UID)
    dicom(image_dir / "b.dcm", pixels, **ONE_UID)
    await ingested(data, image_dir)
    first.unlink()
    summary = await ingested(data, image_dir)
    assert (summary.skipped, summary.added, summary.total_in_store) == ((1, 0, 1) if pixels == 1 else (0, 1, 1))
    assert rows(data, "SELECT image_path FROM images") == [("b.dcm",)]
    assert await left_out(data) == {}


async def test_another_file_that_changes_does_not_take_the_place_of_the_first(data: Path, image_dir: Path) -> None:
    dicom(image_dir / "a.dcm", 1, **ONE_UID)
    other = dicom(image_dir / "b.dcm", 1, **ONE_UID)
    await ingested(data, image_dir)
    before = contents(data)["images"]
    dicom(other, 2, **ONE_UID)
    assert (await ingested(data, image_dir)).other_pixels_same_id == 1
    assert contents(data)["images"] == before


async def test_copies_are_compared_again_when_the_first_file_is_embedded_again(data: Path, image_dir: Path) -> None:
    first = dicom(image_dir / "a.dcm", 1, **ONE_UID)
    dicom(image_dir / "b.dcm", 1, **ONE_UID)
    await ingested(data, image_dir)
    dicom(first, 2, **ONE_UID)
    await ingested(data, image_dir)
    assert (await ingested(data, image_dir)).other_pixels_same_id == 1
    assert await left_out(data) == {"b.dcm": OTHER}


async def test_a_file_whose_image_became_unreadable_gives_way_to_its_copy(data: Path, image_dir: Path) -> None:
    first = dicom(image_dir / "a.dcm", 1, **ONE_UID)
    dicom(image_dir / "b.dcm", 1, **ONE_UID, StudyDescription="another header")
    await ingested(data, image_dir)
    truncated(first, 1, **ONE_UID)
    await ingested(data, image_dir)
    await ingested(data, image_dir)
    assert rows(data, "SELECT image_path FROM images") == [("b.dcm",)]
    assert await left_out(data) == {"a.dcm": "truncated pixel data"}


async def test_a_damaged_copy_does_not_block_the_intact_one(data: Path, image_dir: Path) -> None:
    truncated(image_dir / "a.dcm", 1)
    dicom(image_dir / "b.dcm", 1)
    assert counts(await ingested(data, image_dir)) == {"found": 2, "added": 1, "errors": 1, "total_in_store": 1}
    again = await ingested(data, image_dir)
    assert (again.skipped, again.recorded_bad) == (1, 1)
