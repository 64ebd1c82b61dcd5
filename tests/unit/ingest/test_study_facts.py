"""Study facts from reports, companion files and headers, and how they are updated."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.errors import ConfigError
from mcp_cxr.files import open_without_links
from tests.support import companions
from tests.support.archives import contents, ingested, is_made, opened, rows
from tests.support.films import dicom, mimic, report
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
    data: Path, films: Path, tmp_path: Path, where: str
) -> None:
    mimic(films / "mimic", 1)
    folder = {"path": films / "mimic", "parent": films, "companions": tmp_path / "elsewhere"}[where]
    write_all_companions(folder)
    await ingested(data, films / "mimic", companions=(folder,) if where == "companions" else ())
    one = await shown(data)
    assert (one.study_date, one.split, one.labels) == ("2180-05-06", "validate", {"Edema": 1, "Pneumonia": -1})


async def test_the_first_folder_s_companion_wins(data: Path, films: Path) -> None:
    mimic(films / "mimic", 1)
    companions.split(films, (IMAGE, 50000001, 10000001, "train"))
    companions.split(films / "mimic", (IMAGE, 50000001, 10000001, "test"))
    await ingested(data, films / "mimic")
    assert (await shown(data)).split == "test"


async def test_negbio_is_read_if_there_is_no_chexpert(data: Path, films: Path) -> None:
    mimic(films, 1)
    companions.labels(films, (10000001, 50000001, "0.0", "1.0"), labeller="negbio")
    await ingested(data, films)
    assert (await shown(data)).labels == {"Edema": 0, "Pneumonia": 1}
    companions.labels(films, (10000001, 50000001, "1.0", ""))
    await ingested(data, films)
    assert (await shown(data)).labels == {"Edema": 1}


async def test_the_header_s_view_takes_precedence_over_the_companion_s(data: Path, films: Path) -> None:
    mimic(films, 1, ViewPosition="PA")
    write_all_companions(films)
    await ingested(data, films)
    one = await shown(data)
    assert (one.view_position, one.view_source) == ("PA", "ViewPosition")


@pytest.mark.parametrize(("row", "view"), [(("AP", 21800506, ""), "AP"), (("", 21800506, "postero-anterior"), "PA")])
async def test_the_companion_s_view_is_used_if_the_header_has_none(
    data: Path, films: Path, row: tuple[object, ...], view: str
) -> None:
    mimic(films, 1, PerformedProcedureStepDescription="CHEST LATERAL")
    companions.metadata(films, (IMAGE, 10000001, 50000001, *row))
    await ingested(data, films)
    one = await shown(data)
    assert (one.view_position, one.view_source) == (view, "companion CSV")


async def test_the_header_s_date_is_used_if_no_companion_has_one(data: Path, films: Path) -> None:
    mimic(films, 1, StudyDate="21800507")
    await ingested(data, films)
    assert (await shown(data)).study_date == "2180-05-07"
    companions.metadata(films, (IMAGE, 10000001, 50000001, "AP", 21800506, ""))
    await ingested(data, films)
    assert (await shown(data)).study_date == "2180-05-06"


async def test_a_date_of_one_image_becomes_the_date_of_its_study(data: Path, films: Path) -> None:
    dicom(films / "a.dcm", 1, StudyInstanceUID="2.25.7", PatientID="A", StudyDate="21800507")
    dicom(films / "b.dcm", 2, StudyInstanceUID="2.25.7", PatientID="A", StudyDate=None)
    await ingested(data, films)
    assert rows(data, "SELECT study_date FROM studies") == [("2180-05-07",)]


async def test_a_report_next_to_the_study_folder_is_read(data: Path, films: Path) -> None:
    report(mimic(films, 1), " FINAL REPORT\n IMPRESSION: \n\n Mild edema.\n")
    await ingested(data, films)
    assert (await shown(data)).report == {"IMPRESSION": "Mild edema."}


async def test_reports_are_read_from_a_folder_of_their_own(data: Path, films: Path, tmp_path: Path) -> None:
    beside = report(mimic(films, 1), "IMPRESSION: Mild edema.")
    own = tmp_path / "reports" / "mimic-cxr-reports" / beside.relative_to(films)
    own.parent.mkdir(parents=True)
    beside.rename(own)
    await ingested(data, films)
    assert (await shown(data)).report is None
    await ingested(data, films, companions=(tmp_path / "reports",))
    assert (await shown(data)).report == {"IMPRESSION": "Mild edema."}


async def test_a_report_outside_mimic_s_layout_is_ignored(data: Path, films: Path) -> None:
    dicom(films / "s50000001" / "a.dcm", 1)
    (films / "s50000001.txt").write_text("IMPRESSION: Mild edema.")
    await ingested(data, films)
    assert rows(data, "SELECT report FROM studies") == [(None,)]


async def test_a_second_run_adds_new_study_facts_without_embedding(data: Path, films: Path) -> None:
    report(mimic(films, 1), "IMPRESSION: Clear lungs.")
    mimic(films, 2)
    await ingested(data, films)
    write_all_companions(films)
    report(mimic_film(films, 1), "IMPRESSION: Clear lungs. ADDENDUM: Mild edema.")
    embedder = ToyEmbedder()
    summary = await ingested(data, films, embedder)
    assert (summary.skipped, summary.added, summary.studies_updated, embedder.batches) == (2, 0, 1, [])
    one = await shown(data)
    assert one.report is not None
    assert "edema" in one.report["IMPRESSION"]
    assert (one.split, one.labels) == ("validate", {"Edema": 1, "Pneumonia": -1})
    async with opened(data, embedder) as archive:
        assert (await archive.search("edema", mode="words")).total_results == 1
    assert (await ingested(data, films)).studies_updated == 0


async def test_companions_missing_in_a_later_run_erase_nothing(data: Path, films: Path) -> None:
    film = mimic(films, 1)
    beside = report(film, "IMPRESSION: Clear lungs.")
    companion_files = write_all_companions(films)
    await ingested(data, films)
    before = contents(data)
    remove([beside, *companion_files])
    assert (await ingested(data, films)).studies_updated == 0
    assert contents(data) == before
    mimic(films, 3, study=1, subject=1)
    await ingested(data, films)
    assert contents(data)["studies"] == before["studies"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("mimic-cxr-2.0.0-metadata.csv", b"dicom_id,ViewPosition\n1234\n"),
        ("mimic-cxr-2.0.0-metadata.csv", b"other,columns\n1,2\n"),
        ("mimic-cxr-2.0.0-metadata.csv", b"\xff\xfe\x00d"),
        ("mimic-cxr-2.0.0-split.csv.gz", b"not gzip"),
        ("mimic-cxr-2.0.0-split.csv.gz", gzip.compress(b"study_id,split\n1,train\n" * 999, mtime=0)[:60]),
        ("mimic-cxr-2.0.0-split.csv.gz", gzip.compress(b"study_id,split\n1,train\n", mtime=0)[:12] + b"\xff" * 30),
        ("mimic-cxr-2.0.0-chexpert.csv", b"study_id,Edema\n1,perhaps\n"),
        ("mimic-cxr-2.0.0-chexpert.csv", b"study_id,Edema\n1,7\n"),
        ("mimic-cxr-2.0.0-chexpert.csv", b"study_id,Edema\n1,inf\n"),
    ],
)
async def test_a_damaged_companion_file_is_an_error_and_creates_no_archive(
    data: Path, films: Path, name: str, content: bytes
) -> None:
    mimic(films, 1)
    (films / name).write_bytes(content)
    with pytest.raises(ConfigError, match=f"{name}: damaged, or not MIMIC-CXR's columns"):
        await ingested(data, films)
    assert not is_made(data)


async def test_an_unreadable_report_does_not_stop_the_run_and_is_added_later(
    data: Path, films: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    closed = report(mimic(films, 1), "IMPRESSION: Clear lungs.")
    report(mimic(films, 2), "IMPRESSION: Edema.")

    def refuse(path: Path) -> object:
        if path == closed:
            raise PermissionError(13, "Permission denied")
        return open_without_links(path)

    with monkeypatch.context() as patched:
        patched.setattr("mcp_cxr.ingest._study_facts.open_without_links", refuse)
        assert (await ingested(data, films)).added == 2
    assert "Cannot read a report (Permission denied)" in caplog.text
    assert rows(data, "SELECT count(*) FROM studies WHERE report IS NULL") == [(1,)]
    assert (await ingested(data, films)).studies_updated == 1


async def test_a_report_that_is_a_link_is_not_read(data: Path, films: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "secret.txt"
    elsewhere.write_text("IMPRESSION: not for this archive.")
    mimic(films, 1).parent.with_suffix(".txt").symlink_to(elsewhere)
    await ingested(data, films)
    assert (await shown(data)).report is None


def mimic_film(films: Path, image: int) -> Path:
    return next(films.rglob(f"{image:08x}-*.dcm"))
