"""The outcome of each file of a folder; every file is counted."""

from __future__ import annotations

import gzip
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from mcp_cxr.errors import ConfigError, NotFound, PathRefused
from mcp_cxr.ingest import IngestCallbacks, IngestProgress
from mcp_cxr.records import Filter, SubjectId
from tests.support.archives import BAD_FILES, contents, counts, ingested, is_made, opened, rows
from tests.support.image_files import dicom, mimic, plain, truncated
from tests.support.toy import ToyEmbedder

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_cxr.demo import DemoDataSet


def renamed(folder: Path, to: Path) -> Path:
    return folder.rename(to)


async def test_each_image_is_added_once_and_a_second_run_adds_none(data: Path, demo: DemoDataSet) -> None:
    there = len(demo.images)
    first = await ingested(data, demo.folder)
    before = contents(data)
    embedder = ToyEmbedder()
    second = await ingested(data, demo.folder, embedder)
    assert counts(first) == {"found": there, "added": there, "total_in_store": there}
    assert counts(second) == {"found": there, "skipped": there, "total_in_store": there}
    assert (second.studies_updated, embedder.batches) == (0, [])
    assert contents(data) == before


async def test_refused_files_get_no_row_and_are_recorded_with_a_reason(data: Path, image_dir: Path) -> None:
    good = dicom(image_dir / "good.dcm", 1)
    (image_dir / "letter.dcm").write_text("Dear colleague, please find enclosed ...")
    truncated(image_dir / "short.dcm", 2)
    dicom(image_dir / "ct.dcm", 3, SOPClassUID="1.2.840.10008.5.1.4.1.1.2", Modality="CT")
    dicom(image_dir / "hand.dcm", 4, BodyPartExamined="HAND", AnatomicRegionSequence=None)
    (image_dir / "empty.dcm").touch()
    summary = await ingested(data, image_dir)
    assert counts(summary) == {"found": 6, "added": 1, "errors": 5, "total_in_store": 1}
    recorded = dict(rows(data, BAD_FILES))
    assert {path.rsplit("/", 1)[1]: reason for path, reason in recorded.items()} == {
        "letter.dcm": "not DICOM",
        "short.dcm": "truncated pixel data",
        "ct.dcm": "not a radiograph (CT)",
        "hand.dcm": "not a chest radiograph (body part)",
        "empty.dcm": "not DICOM",
    }
    assert summary.errors_by_reason["not DICOM"] == 2
    assert rows(data, "SELECT image_path FROM images") == [(good.name,)]
    assert rows(data, "SELECT count(*) FROM vectors") == [(1,)]


async def test_an_image_rejected_by_the_embedder_is_recorded_as_refused(data: Path, image_dir: Path) -> None:
    dicom(image_dir / "a.dcm", 1)
    dicom(image_dir / "b.dcm", 2)
    summary = await ingested(data, image_dir, ToyEmbedder(rejected={2}))
    assert counts(summary) == {"found": 2, "added": 1, "errors": 1, "total_in_store": 1}
    assert summary.errors_by_reason == {"too dark": 1}
    assert counts(await ingested(data, image_dir)) == {"found": 2, "skipped": 1, "total_in_store": 1, "recorded_bad": 1}


async def test_a_refused_file_is_skipped_next_time_unless_retry_is_requested(data: Path, image_dir: Path) -> None:
    truncated(image_dir / "short.dcm", 1)
    dicom(image_dir / "good.dcm", 2)
    await ingested(data, image_dir)
    assert counts(await ingested(data, image_dir)) == {"found": 2, "skipped": 1, "total_in_store": 1, "recorded_bad": 1}
    again = await ingested(data, image_dir, retry_failed=True)
    assert counts(again) == {"found": 2, "skipped": 1, "errors": 1, "total_in_store": 1}


async def test_a_refused_file_that_changed_is_ingested_again(data: Path, image_dir: Path) -> None:
    bad = truncated(image_dir / "short.dcm", 1)
    await ingested(data, image_dir)
    dicom(bad, 1)
    assert counts(await ingested(data, image_dir)) == {"found": 1, "added": 1, "total_in_store": 1}
    assert rows(data, "SELECT reason FROM files") == [(None,)]


async def test_a_refused_file_is_added_by_a_retry_with_any_body_part(data: Path, image_dir: Path) -> None:
    dicom(image_dir / "hand.dcm", 1, BodyPartExamined="HAND", AnatomicRegionSequence=None)
    assert (await ingested(data, image_dir)).errors == 1
    assert (await ingested(data, image_dir, any_body_part=True, retry_failed=True)).added == 1


@pytest.mark.parametrize("in_mimic_layout", [True, False])
async def test_a_changed_file_is_embedded_again_under_the_same_id(
    data: Path, image_dir: Path, in_mimic_layout: bool
) -> None:
    path = mimic(image_dir, 1) if in_mimic_layout else dicom(image_dir / "a.dcm", 1)
    await ingested(data, image_dir)
    (before,) = contents(data)["images"]
    dicom(path, 2, SOPInstanceUID="2.25.1")
    assert counts(await ingested(data, image_dir)) == {"found": 1, "added": 1, "total_in_store": 1}
    (after,) = contents(data)["images"]
    assert (after[0], after[-1] != before[-1]) == (before[0], True)
    assert (await ingested(data, image_dir)).added == 0


async def test_an_image_whose_file_became_unreadable_is_kept_but_not_viewable(data: Path, image_dir: Path) -> None:
    path = dicom(image_dir / "a.dcm", 1)
    await ingested(data, image_dir)
    truncated(path, 1)
    assert counts(await ingested(data, image_dir)) == {"found": 1, "errors": 1, "total_in_store": 1}
    async with opened(data) as archive:
        with pytest.raises(NotFound, match="changed since it was ingested"):
            await archive.view(rows(data, "SELECT image_id FROM images")[0][0])


async def test_a_file_that_now_holds_another_image_replaces_the_first(data: Path, image_dir: Path) -> None:
    path = dicom(image_dir / "a.dcm", 1)
    await ingested(data, image_dir)
    ((first,),) = rows(data, "SELECT image_id FROM images")
    dicom(path, 2)
    assert (await ingested(data, image_dir)).added == 1
    async with opened(data) as archive:
        with pytest.raises(NotFound, match="has no image"):
            await archive.view(first)
        assert not any((await archive.verify()).problems.values())


async def test_limit_counts_stored_candidates_in_sorted_order(data: Path, image_dir: Path) -> None:
    for number, name in enumerate(["c.dcm", "a.dcm", "b.dcm", "d.dcm"]):
        dicom(image_dir / name, number)
    assert counts(await ingested(data, image_dir, limit=2)) == {"found": 2, "added": 2, "total_in_store": 2}
    assert {path for (path,) in rows(data, "SELECT image_path FROM images")} == {"a.dcm", "b.dcm"}
    assert counts(await ingested(data, image_dir, limit=3)) == {
        "found": 3,
        "skipped": 2,
        "added": 1,
        "total_in_store": 3,
    }


@pytest.mark.parametrize("how", [{"limit": 0}, {"limit": -1}, {"batch_size": 0}])
async def test_a_limit_below_one_is_refused(data: Path, image_dir: Path, how: dict[str, Any]) -> None:
    dicom(image_dir / "a.dcm", 1)
    with pytest.raises(ConfigError, match="at least 1"):
        await ingested(data, image_dir, **how)
    assert not is_made(data)


async def test_a_dry_run_writes_nothing(data: Path, image_dir: Path) -> None:
    mimic(image_dir, 1, ViewPosition="PA")
    dicom(image_dir / "outside.dcm", 2)
    (image_dir / "letter.dcm").write_text("Dear colleague")
    listed: list[tuple[str, str]] = []

    async def listen(image_id: str, view: str) -> None:
        listed.append((image_id, view))

    summary = await ingested(data, image_dir, dry_run=True, callbacks=IngestCallbacks(on_would_add=listen))
    assert counts(summary) == {"found": 3, "would_add": 2, "errors": 1}
    assert ("00000001-00000001-00000001-00000001-00000001", "PA") in listed
    assert ("(id is made at ingest)", "UNKNOWN") in listed
    assert not is_made(data)


async def test_a_dry_run_over_an_archive_counts_new_images_and_changes_nothing(data: Path, image_dir: Path) -> None:
    dicom(image_dir / "a.dcm", 1)
    await ingested(data, image_dir)
    before = contents(data)
    dicom(image_dir / "b.dcm", 2)
    shutil.copy(image_dir / "b.dcm", image_dir / "copy of b.dcm")
    truncated(image_dir / "c.dcm", 3, Rows=0)
    summary = await ingested(data, image_dir, dry_run=True)
    expected = {"found": 4, "skipped": 1, "other_file_same_id": 1, "would_add": 1, "errors": 1, "total_in_store": 1}
    assert counts(summary) == expected
    assert contents(data) == before


async def test_an_empty_folder_is_an_error_and_creates_no_archive(data: Path, image_dir: Path) -> None:
    (image_dir / "notes.txt").write_text("nothing here")
    with pytest.raises(NotFound, match="No DICOM, PNG or JPEG files"):
        await ingested(data, image_dir)
    assert not is_made(data)


async def test_a_missing_folder_is_an_error_and_creates_no_archive(data: Path, image_dir: Path) -> None:
    with pytest.raises(PathRefused, match="does not exist"):
        await ingested(data, image_dir / "nowhere")
    assert not is_made(data)


async def test_a_single_file_can_be_ingested(data: Path, image_dir: Path) -> None:
    path = dicom(image_dir / "a.dcm", 1)
    dicom(image_dir / "b.dcm", 2)
    assert counts(await ingested(data, path)) == {"found": 1, "added": 1, "total_in_store": 1}
    assert rows(data, "SELECT root, image_path FROM images") == [(str(image_dir), "a.dcm")]


async def test_png_jpeg_gzip_and_files_without_extension_are_ingested(data: Path, image_dir: Path) -> None:
    plain(image_dir / "a.png", 1)
    plain(image_dir / "b.jpeg", 2)
    dicom(image_dir / "IM000001", 3)
    packed = dicom(image_dir / "d.dcm", 4)
    (image_dir / "d.dcm.gz").write_bytes(gzip.compress(packed.read_bytes()))
    packed.unlink()
    (image_dir / "README").write_text("not an image, and not named like one")
    assert counts(await ingested(data, image_dir)) == {"found": 4, "added": 4, "total_in_store": 4}
    assert (await ingested(data, image_dir)).skipped == 4


@pytest.mark.parametrize("in_mimic_layout", [True, False])
async def test_images_of_a_moved_folder_are_kept_and_read_from_the_new_path(
    data: Path, image_dir: Path, tmp_path: Path, in_mimic_layout: bool
) -> None:
    for number in (1, 2):
        mimic(image_dir, number) if in_mimic_layout else dicom(image_dir / f"{number}.dcm", number)
    await ingested(data, image_dir)
    vectors = {row[0]: row[-1] for row in contents(data)["images"]}
    moved = renamed(image_dir, tmp_path / "moved")
    embedder = ToyEmbedder()
    assert counts(await ingested(data, moved, embedder)) == {"found": 2, "skipped": 2, "total_in_store": 2}
    assert embedder.batches == []
    assert {row[0]: row[-1] for row in contents(data)["images"]} == vectors
    async with opened(data) as archive:
        for image_id in vectors:
            assert (await archive.view(image_id)).header.rows == 48
        assert (await archive.verify()).problems["file gone"] == 0


async def test_images_of_a_folder_moved_back_are_read_from_the_old_path(
    data: Path, image_dir: Path, tmp_path: Path
) -> None:
    dicom(image_dir / "a.dcm", 1)
    moved = tmp_path / "moved"
    await ingested(data, image_dir)
    await ingested(data, renamed(image_dir, moved))
    await ingested(data, renamed(moved, image_dir))
    assert rows(data, "SELECT root FROM images") == [(str(image_dir),)]


async def test_an_external_row_is_embedded_by_the_next_ingest_of_its_file(data: Path, image_dir: Path) -> None:
    mimic(image_dir, 1)
    dicom(image_dir / "b.dcm", 2)
    await ingested(data, image_dir)
    before = contents(data)
    rows(data, "DELETE FROM vectors")
    rows(data, "UPDATE images SET made_by = NULL, metadata = NULL, view_position = 'UNKNOWN'")
    assert counts(await ingested(data, image_dir)) == {"found": 2, "added": 2, "total_in_store": 2}
    assert contents(data) == before


async def test_a_forgotten_image_is_added_by_the_next_ingest(data: Path, image_dir: Path) -> None:
    dicom(image_dir / "a.dcm", 1)
    await ingested(data, image_dir)
    before = contents(data)
    async with opened(data) as archive:
        await archive.store.forget(Filter(subject_id=SubjectId(before["images"][0][2])))
    assert (await ingested(data, image_dir)).added == 1
    assert contents(data) == before


async def test_progress_is_reported_to_the_end(data: Path, image_dir: Path) -> None:
    for number in range(5):
        dicom(image_dir / f"{number}.dcm", number)
    heard: list[IngestProgress] = []

    async def listen(progress: IngestProgress) -> None:
        heard.append(progress)

    await ingested(data, image_dir, batch_size=2, callbacks=IngestCallbacks(on_progress=listen))
    assert (heard[-1].found, heard[-1].processed, heard[-1].added) == (5, 5, 5)
    assert [one.processed for one in heard] == sorted(one.processed for one in heard)
