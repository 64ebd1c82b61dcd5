"""Study facts from reports, companion files and headers, and how they are updated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_cxr.safe_files import open_without_links
from tests.support import companions
from tests.support.archives import contents, ingested, opened, rows
from tests.support.image_files import dicom, mimic, report
from tests.support.toy import ToyEmbedder

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_cxr.records import ImageDetails

IMAGE = "00000001-00000001-00000001-00000001-00000001"


async def shown(data: Path, image_id: str = IMAGE) -> ImageDetails:
    async with opened(data) as archive:
        return await archive.show(image_id)


def write_all_companions(folder: Path) -> list[Path]:
    return [
        companions.metadata(folder, (IMAGE, 10000001, 50000001, "AP", 21800506, "antero-posterior")),
        companions.split(folder, (IMAGE, 50000001, 10000001, "validate")),
        companions.labels(folder, (10000001, 50000001, "1.0", "-1.0")),
    ]


def remove(files: list[Path]) -> None:
    for file in files:
        file.unlink()


@pytest.mark.parametrize("where", ["path", "parent", "companions"])
async def test_companion_files_are_found_in_path_parent_and_companions_folders(
    data: Path, image_dir: Path, tmp_path: Path, where: str
) -> None:
    mimic(image_dir / "mimic", 1)
    folder = {"path": image_dir / "mimic", "parent": image_dir, "companions": tmp_path / "elsewhere"}[where]
    write_all_companions(folder)
    await ingested(data, image_dir / "mimic", companions=(folder,) if where == "companions" else ())
    one = await shown(data)
    assert (one.study_date, one.split, one.labels) == ("2180-05-06", "validate", {"Edema": 1, "Pneumonia": -1})


async def test_the_first_folder_s_companion_wins(data: Path, image_dir: Path) -> None:
    mimic(image_dir / "mimic", 1)
    companions.split(image_dir, (IMAGE, 50000001, 10000001, "train"))
    companions.split(image_dir / "mimic", (IMAGE, 50000001, 10000001, "test"))
    await ingested(data, image_dir / "mimic")
    assert (await shown(data)).split == "test"


async def test_negbio_is_read_if_there_is_no_chexpert(data: Path, image_dir: Path) -> None:
    mimic(image_dir, 1)
    companions.labels(image_dir, (10000001, 50000001, "0.0", "1.0"), labeller="negbio")
    await ingested(data, image_dir)
    assert (await shown(data)).labels == {"Edema": 0, "Pneumonia": 1}
    companions.labels(image_dir, (10000001, 50000001, "1.0", ""))
    await ingested(data, image_dir)
    assert (await shown(data)).labels == {"Edema": 1}


async def test_labels_by_people_win_for_their_studies_and_are_kept(data: Path, image_dir: Path) -> None:
    mimic(image_dir, 1)
    mimic(image_dir, 2)
    other = "-".join(["00000002"] * 5)
    companions.labels(image_dir, (10000001, 50000001, "1.0", "0.0"), (10000001, 50000002, "0.0", ""))
    people = companions.labels_by_people(image_dir, (50000001, "1.0", "-1.0", ""), (50000002, "", "", ""))
    await ingested(data, image_dir)
    one, two = await shown(data), await shown(data, other)
    assert (one.labels, one.labels_by) == ({"Edema": -1, "Lung Opacity": 1}, "people")
    assert (two.labels, two.labels_by) == ({"Edema": 0}, "chexpert")
    people.unlink()
    await ingested(data, image_dir)
    assert (await shown(data)).labels_by == "people"


async def test_a_table_of_positives_only_says_nothing_of_what_it_leaves_blank(data: Path, image_dir: Path) -> None:
    mimic(image_dir, 1)
    companions.labels(image_dir, (10000001, 50000001, "1.0", ""), labeller="negbio")
    await ingested(data, image_dir)
    async with opened(data) as archive:
        assert (await archive.search(labels_absent=["Pneumonia"])).total_results == 0
        companions.labels(image_dir, (10000001, 50000001, "1.0", ""), (10000001, 50000009, "0.0", ""))
        await archive.ingest(image_dir)
        found = await archive.search(labels_absent=["Pneumonia"])
    assert found.total_results == 1
    assert (
        "No value for the label that must be absent in 1 of 1 results: the finding may be present there."
        in found.warnings
    )


async def test_the_header_s_view_takes_precedence_over_the_companion_s(data: Path, image_dir: Path) -> None:
    mimic(image_dir, 1, ViewPosition="PA")
    write_all_companions(image_dir)
    await ingested(data, image_dir)
    one = await shown(data)
    assert (one.view_position, one.view_source) == ("PA", "ViewPosition")


@pytest.mark.parametrize(("row", "view"), [(("AP", 21800506, ""), "AP"), (("", 21800506, "postero-anterior"), "PA")])
async def test_the_companion_s_view_is_used_if_the_header_has_none(
    data: Path, image_dir: Path, row: tuple[object, ...], view: str
) -> None:
    mimic(image_dir, 1, PerformedProcedureStepDescription="CHEST LATERAL")
    companions.metadata(image_dir, (IMAGE, 10000001, 50000001, *row))
    await ingested(data, image_dir)
    one = await shown(data)
    assert (one.view_position, one.view_source) == (view, "companion CSV")


async def test_the_header_s_date_is_used_if_no_companion_has_one(data: Path, image_dir: Path) -> None:
    mimic(image_dir, 1, StudyDate="21800507")
    await ingested(data, image_dir)
    assert (await shown(data)).study_date == "2180-05-07"
    companions.metadata(image_dir, (IMAGE, 10000001, 50000001, "AP", 21800506, ""))
    await ingested(data, image_dir)
    assert (await shown(data)).study_date == "2180-05-06"


async def test_a_date_of_one_image_becomes_the_date_of_its_study(data: Path, image_dir: Path) -> None:
    dicom(image_dir / "a.dcm", 1, StudyInstanceUID="2.25.7", PatientID="A", StudyDate="21800507")
    dicom(image_dir / "b.dcm", 2, StudyInstanceUID="2.25.7", PatientID="A", StudyDate=None)
    await ingested(data, image_dir)
    assert rows(data, "SELECT study_date FROM studies") == [("2180-05-07",)]


async def test_a_report_next_to_the_study_folder_is_read(data: Path, image_dir: Path) -> None:
    report(mimic(image_dir, 1), " FINAL REPORT\n IMPRESSION: \n\n Mild edema.\n")
    await ingested(data, image_dir)
    assert (await shown(data)).report == {"IMPRESSION": "Mild edema."}


async def test_reports_are_read_from_a_folder_of_their_own(data: Path, image_dir: Path, tmp_path: Path) -> None:
    beside = report(mimic(image_dir, 1), "IMPRESSION: Mild edema.")
    own = tmp_path / "reports" / "mimic-cxr-reports" / beside.relative_to(image_dir)
    own.parent.mkdir(parents=True)
    beside.rename(own)
    await ingested(data, image_dir)
    assert (await shown(data)).report is None
    await ingested(data, image_dir, companions=(tmp_path / "reports",))
    assert (await shown(data)).report == {"IMPRESSION": "Mild edema."}


@pytest.mark.parametrize("name", ["s1/a.txt", "s1/a.dcm.txt", "s1.txt"])
async def test_a_text_of_the_image_s_name_or_one_up_is_its_report(data: Path, image_dir: Path, name: str) -> None:
    dicom(image_dir / "s1" / "a.dcm", 1)
    (image_dir / name).write_text("IMPRESSION: Mild edema now.")
    summary = await ingested(data, image_dir)
    assert rows(data, "SELECT report FROM studies") == [("IMPRESSION: Mild edema now.",)]
    assert summary.notes == ["Text files beside images, taken as their reports: 1."]


@pytest.mark.parametrize(("name", "text"), [("s1/b.txt", "IMPRESSION: Mild edema now."), ("s1/a.txt", "0 0.5 0.25 1")])
async def test_other_texts_are_no_reports(data: Path, image_dir: Path, name: str, text: str) -> None:
    dicom(image_dir / "s1" / "a.dcm", 1)
    (image_dir / name).write_text(text)
    await ingested(data, image_dir)
    assert rows(data, "SELECT report FROM studies") == [(None,)]


async def test_a_second_run_adds_new_study_facts_without_embedding(data: Path, image_dir: Path) -> None:
    report(mimic(image_dir, 1), "IMPRESSION: Clear lungs.")
    mimic(image_dir, 2)
    await ingested(data, image_dir)
    write_all_companions(image_dir)
    report(mimic_image(image_dir, 1), "IMPRESSION: Clear lungs. ADDENDUM: Mild edema.")
    embedder = ToyEmbedder()
    summary = await ingested(data, image_dir, embedder)
    assert (summary.skipped, summary.added, summary.studies_updated, embedder.batches) == (2, 0, 1, [])
    one = await shown(data)
    assert one.report is not None
    assert "edema" in one.report["IMPRESSION"]
    assert (one.split, one.labels) == ("validate", {"Edema": 1, "Pneumonia": -1})
    async with opened(data, embedder) as archive:
        assert (await archive.search("edema", mode="words")).total_results == 1
    assert (await ingested(data, image_dir)).studies_updated == 0


async def test_companions_missing_in_a_later_run_erase_nothing(data: Path, image_dir: Path) -> None:
    path = mimic(image_dir, 1)
    beside = report(path, "IMPRESSION: Clear lungs.")
    companion_files = write_all_companions(image_dir)
    await ingested(data, image_dir)
    before = contents(data)
    remove([beside, *companion_files])
    assert (await ingested(data, image_dir)).studies_updated == 0
    assert contents(data) == before
    mimic(image_dir, 3, study=1, subject=1)
    await ingested(data, image_dir)
    assert contents(data)["studies"] == before["studies"]


async def test_an_unreadable_report_does_not_stop_the_run_and_is_added_later(
    data: Path, image_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    closed = report(mimic(image_dir, 1), "IMPRESSION: Clear lungs.")
    report(mimic(image_dir, 2), "IMPRESSION: Edema.")

    def refuse(path: Path) -> object:
        if path == closed:
            raise PermissionError(13, "Permission denied")
        return open_without_links(path)

    with monkeypatch.context() as patched:
        patched.setattr("mcp_cxr.layouts._texts.open_without_links", refuse)
        assert (await ingested(data, image_dir)).added == 2
    assert "Cannot read a report (Permission denied)" in caplog.text
    assert rows(data, "SELECT count(*) FROM studies WHERE report IS NULL") == [(1,)]
    assert (await ingested(data, image_dir)).studies_updated == 1


async def test_a_report_that_is_a_link_is_not_read(data: Path, image_dir: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "secret.txt"
    elsewhere.write_text("IMPRESSION: not for this archive.")
    mimic(image_dir, 1).parent.with_suffix(".txt").symlink_to(elsewhere)
    await ingested(data, image_dir)
    assert (await shown(data)).report is None


def mimic_image(image_dir: Path, image: int) -> Path:
    return next(image_dir.rglob(f"{image:08x}-*.dcm"))
