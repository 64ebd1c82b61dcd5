"""MIMIC-CXR as published and as people have it."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.layouts import mimic_ids, read_layouts
from mcp_cxr.layouts.adapters._mimic import report_paths
from mcp_cxr.records import LABELS
from tests.support.archives import ingested, opened, rows
from tests.support.companions import table
from tests.support.image_files import dicom

if TYPE_CHECKING:
    from collections.abc import Sequence

IMAGE = "02aa804e-bde0afdd-112c0b34-7bc16630-4e384014"
SUBJECTS = ("10000032", "10000764", "10000898")
METADATA = ("dicom_id", "subject_id", "study_id", "ViewPosition", "StudyDate")


@pytest.mark.parametrize("ending", [".dcm", ".DCM", ".dcm.gz", ".jpg", ".jpeg", ".png"])
@pytest.mark.parametrize("folder", ["/data/files/p10/", "/data/", "p10/", ""])
def test_a_mimic_path_contains_all_ids(folder: str, ending: str) -> None:
    assert mimic_ids(f"{folder}p10000032/s50414267/{IMAGE}{ending}") == ("p10000032", "s50414267", IMAGE)


@pytest.mark.parametrize(
    "path",
    [
        f"/data/files/p10/p1000003/s50414267/{IMAGE}.dcm",
        f"/data/files/p10/p10000032/50414267/{IMAGE}.dcm",
        f"/data/files/p10/p10000032/s50414267/{IMAGE}.txt",
        "/data/files/p10/p10000032/s50414267/image.dcm",
        f"/data/xp10000032/s50414267/{IMAGE}.dcm",
    ],
)
def test_any_other_path_contains_no_ids(path: str) -> None:
    assert mimic_ids(path) is None


def test_a_report_is_searched_beside_the_study_then_in_companion_folders() -> None:
    image = Path(f"/data/files/p10/p10000032/s50414267/{IMAGE}.dcm")
    found = list(report_paths(image, "p10000032", "s50414267", (Path("/reports"),)))
    assert found[0] == Path("/data/files/p10/p10000032/s50414267.txt")
    assert found[3:5] == [
        Path("/reports/files/p10/p10000032/s50414267.txt"),
        Path("/reports/mimic-cxr-reports/files/p10/p10000032/s50414267.txt"),
    ]


def image_id(number: int) -> str:
    return "-".join([f"{number:08x}"] * 5)


def images_of(folder: Path, place: str) -> list[tuple[str, str, str]]:
    """Write three studies; return their dicom_id, subject and study."""
    written = [(image_id(number), subject, str(50414267 + number)) for number, subject in enumerate(SUBJECTS)]
    for number, (image, subject, study) in enumerate(written):
        path = folder / place.format(g=subject[:2], s=subject, t=study, d=image)
        dicom(path, number + 1, ViewPosition="", StudyDate="", PatientID=subject)
    return written


def metadata(path: Path, written: Sequence[tuple[str, str, str]], *, number: str = "{}") -> Path:
    return table(path, METADATA, *((d, s, number.format(t), "PA", number.format(21800506)) for d, s, t in written))


def labels(path: Path, written: Sequence[tuple[str, str, str]], *, number: str = "{}") -> Path:
    cells = ["1.0" if label == "Edema" else "" for label in LABELS]
    return table(path, ("subject_id", "study_id", *LABELS), *((s, number.format(t), *cells) for _, s, t in written))


async def test_a_patient_s_folder_without_its_group_is_mimic_s(data: Path, image_dir: Path) -> None:
    written = images_of(image_dir, "p{s}/s{t}/{d}.dcm")
    (image_dir / "p10000032" / "s50414267.txt").write_text("IMPRESSION: Mild edema.")
    metadata(image_dir / "mimic-cxr-2.0.0-metadata.csv", written)
    labels(image_dir / "mimic-cxr-2.0.0-chexpert.csv", written)
    summary = await ingested(data, image_dir)
    async with opened(data) as archive:
        one = await archive.show(image_id(0))
    assert (one.subject_id, one.study_id, one.view_position) == ("p10000032", "s50414267", "PA")
    assert (one.study_date, one.labels, one.labels_by) == ("2180-05-06", {"Edema": 1}, "chexpert")
    assert one.report == {"IMPRESSION": "Mild edema."}
    assert [(use["rows"], use["joined"]) for use in summary.companions] == [(3, 3), (3, 3)]
    assert summary.notes == []


@pytest.mark.parametrize("place", ["{d}.dcm", "images/{d}.dcm", "s{t}/{d}.dcm"])
async def test_images_in_one_folder_get_their_ids_from_the_metadata_table(
    data: Path, image_dir: Path, place: str
) -> None:
    written = images_of(image_dir, place)
    metadata(image_dir / "mimic-cxr-2.0.0-metadata.csv", written)
    await ingested(data, image_dir)
    assert rows(data, "SELECT study_id, subject_id FROM images ORDER BY image_id") == [
        (f"s{study}", f"p{subject}") for _, subject, study in written
    ]


async def test_images_named_as_mimic_s_without_a_table_are_counted(data: Path, image_dir: Path) -> None:
    images_of(image_dir, "{d}.dcm")
    summary = await ingested(data, image_dir)
    assert summary.notes[0].startswith("The file names are MIMIC-CXR's, but no folder or metadata table")


async def test_images_with_other_names_in_folders_of_mimic_are_counted(data: Path, image_dir: Path) -> None:
    written = images_of(image_dir, "files/p{g}/p{s}/s{t}/image {d}.dcm")
    summary = await ingested(data, image_dir)
    assert summary.added == len(written)
    (note,) = summary.notes
    assert note.startswith("The folders have MIMIC-CXR's layout, but the file names are not its image ids")
    assert note.endswith(f"Files: {len(written)}.")


@pytest.mark.parametrize("number", ["{}.0", "s{}", "{}"])
@pytest.mark.parametrize("name", ["mimic-cxr-2.0.0-chexpert.csv", "my_labels.csv", "labels/labels.csv.gz"])
async def test_tables_join_however_their_numbers_and_files_are_written(
    data: Path, image_dir: Path, number: str, name: str
) -> None:
    written = images_of(image_dir, "files/p{g}/p{s}/s{t}/{d}.dcm")
    labels(image_dir / name, written, number=number)
    if number != "s{}":
        metadata(image_dir / "metadata.csv", written, number=number)
    summary = await ingested(data, image_dir)
    assert {use["joined"] for use in summary.companions} == {3}
    async with opened(data) as archive:
        one = await archive.show(image_id(1))
    assert one.labels == {"Edema": 1}
    assert number == "s{}" or one.study_date == "2180-05-06"


async def test_a_table_of_other_images_is_named(data: Path, image_dir: Path) -> None:
    images_of(image_dir, "files/p{g}/p{s}/s{t}/{d}.dcm")
    labels(image_dir / "mimic-cxr-2.0.0-chexpert.csv", [("", "10000001", "59999999")])
    summary = await ingested(data, image_dir)
    assert summary.notes == [
        (
            "No row of mimic-cxr-2.0.0-chexpert.csv was used (rows: 1). They name no image of this folder, or another"
            " table gives the same facts."
        )
    ]


async def test_a_renamed_table_of_labels_is_named_if_a_published_one_replaces_it(data: Path, image_dir: Path) -> None:
    written = images_of(image_dir, "files/p{g}/p{s}/s{t}/{d}.dcm")
    labels(image_dir / "mimic-cxr-2.0.0-negbio.csv", written)
    labels(image_dir / "my_chexpert.csv", written)
    summary = await ingested(data, image_dir)
    assert summary.notes == ["my_chexpert.csv was not used: a table with a published name replaces it."]


async def test_sections_from_a_table_become_a_report(data: Path, image_dir: Path) -> None:
    written = images_of(image_dir, "files/p{g}/p{s}/s{t}/{d}.dcm")
    cells = [(f"s{study}", "Mild edema.", "Small effusion.") for _, _, study in written]
    table(image_dir / "mimic_cxr_sectioned.csv", ("study", "impression", "findings"), *cells)
    await ingested(data, image_dir)
    async with opened(data) as archive:
        assert (await archive.show(image_id(0))).report == {
            "FINDINGS": "Small effusion.",
            "IMPRESSION": "Mild edema.",
        }
        assert (await archive.search("edema", mode="words")).total_results == 3


async def test_companions_that_arrive_later_join_what_was_hashed(data: Path, image_dir: Path) -> None:
    written = images_of(image_dir, "{d}.dcm")
    await ingested(data, image_dir)
    metadata(image_dir / "metadata.csv", written)
    summary = await ingested(data, image_dir)
    assert (summary.skipped, summary.added, summary.companions[0]["joined"]) == (3, 0, 3)
    found = rows(data, "SELECT study_id, subject_id, view_position FROM images ORDER BY study_id")
    assert found == [(f"s{study}", f"p{subject}", "PA") for _, subject, study in written]
    assert rows(data, "SELECT count(*), max(study_date) FROM studies") == [(3, "2180-05-06")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("mimic-cxr-2.0.0-metadata.csv", b"dicom_id,study_id\n1,2\n", "lacks the column ViewPosition of MIMIC-CXR"),
        ("mimic-cxr-2.0.0-metadata.csv", b"other,columns\n1,2\n", "lacks the column dicom_id of MIMIC-CXR"),
        ("mimic-cxr-2.0.0-metadata.csv", b"\x80\xff\x00d", "is not text in UTF-8 or UTF-16"),
        ("mimic-cxr-2.0.0-split.csv.gz", b"not gzip", "is damaged or not a table"),
        ("mimic-cxr-2.0.0-split.csv.gz", gzip.compress(b"study_id,split\n1,train\n" * 999, mtime=0)[:60], "is damaged"),
        (
            "mimic-cxr-2.0.0-chexpert.csv",
            b"study_id,Edema\n1,perhaps\n2,7\n3,inf\n",
            "values of labels left out, because they are not 1, 0, -1 or empty: 3",
        ),
        (
            "mimic-cxr-2.0.0-split.csv",
            b"dicom_id,study_id,split\n1\n",
            "rows left out, because they have fewer cells than the header: 1",
        ),
    ],
)
def test_one_bad_table_gives_one_line_and_the_others_are_read(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    labels(tmp_path / "mimic-cxr-2.0.0-negbio.csv", [("", "10000032", "50414267")])
    layouts = read_layouts((tmp_path,))
    assert message in " ".join(layouts.warnings(is_complete=False))
    facts = layouts.facts_of(f"{tmp_path}/p10000032/s50414267/{IMAGE}.dcm")
    assert facts.labels == ({} if "chexpert" in name else {"Edema": 1})


@pytest.mark.parametrize("start", ["files/", "mimic-cxr-reports/files/", ""])
async def test_reports_are_read_from_the_zip_file(data: Path, image_dir: Path, start: str) -> None:
    written = images_of(image_dir, "files/p{g}/p{s}/s{t}/{d}.dcm")
    with zipfile.ZipFile(image_dir / "mimic-cxr-reports.zip", "w", zipfile.ZIP_DEFLATED) as reports:
        for _, subject, study in written:
            reports.writestr(f"{start}p{subject[:2]}/p{subject}/s{study}.txt", "IMPRESSION: Mild edema.")
    await ingested(data, image_dir)
    assert rows(data, "SELECT count(*) FROM studies WHERE report = 'IMPRESSION: Mild edema.'") == [(3,)]


async def test_ids_and_columns_in_capitals_join(data: Path, image_dir: Path) -> None:
    written = images_of(image_dir, "{d}.dcm")
    table = image_dir / "mimic-cxr-2.0.0-metadata.csv"
    metadata(table, [(image.upper(), subject, study) for image, subject, study in written])
    first, rest = table.read_text().split("\n", 1)
    table.write_text(
        f";{first.upper()}\n0;".replace(",", ";") + rest.replace(",", ";").replace("\n", "\n1;").rstrip("1;")
    )
    summary = await ingested(data, image_dir)
    assert [(use["rows"], use["joined"]) for use in summary.companions] == [(3, 3)]
    assert rows(data, "SELECT DISTINCT view_position, study_date FROM images JOIN studies USING (study_id)") == [
        ("PA", "2180-05-06")
    ]


async def test_the_time_of_a_study_is_the_first_of_its_rows_and_the_header_s_comes_first(
    data: Path, image_dir: Path
) -> None:
    written = images_of(image_dir, "p{g}/p{s}/s{t}/{d}.dcm")
    header_time = image_dir / f"p{written[1][1][:2]}/p{written[1][1]}/s{written[1][2]}/{written[1][0]}.dcm"
    dicom(header_time, 2, ViewPosition="", StudyDate="", StudyTime="235959", PatientID=written[1][1])
    times = ("80556.875", "70000.0", "")
    rows_of = ((d, s, t, "PA", "21800506", time) for (d, s, t), time in zip(written, times, strict=True))
    again = ("f" * 8 + "-" + "-".join(["0" * 8] * 4), written[0][1], written[0][2], "PA", "21800506", "73000")
    table(image_dir / "mimic-cxr-2.0.0-metadata.csv", (*METADATA, "StudyTime"), *rows_of, again)
    await ingested(data, image_dir)
    async with opened(data) as archive:
        found = [(await archive.show(image_id(number))).tags.get("StudyTime") for number in range(3)]
    assert found == ["07:30:00", "23:59:59", None]


async def test_dates_of_the_metadata_table_that_are_not_read_are_counted(data: Path, image_dir: Path) -> None:
    path = metadata(image_dir / "mimic-cxr-2.0.0-metadata.csv", images_of(image_dir, "p{g}/p{s}/s{t}/{d}.dcm"))
    path.write_text(path.read_text().replace("21800506", "06/05/2180"))
    summary = await ingested(data, image_dir)
    assert summary.notes == ["3 values of StudyDate were not read; write dates as 20240131 or 2024-01-31."]


@pytest.mark.parametrize(
    ("place", "packed"),
    [("s50414267.txt.gz", True), ("s50414267/s50414267.txt.gz", True), ("s50414267/report.txt", False)],
)
async def test_a_report_is_found_packed_and_in_the_folder_of_its_study(
    data: Path, image_dir: Path, place: str, packed: bool
) -> None:
    images_of(image_dir, "p{g}/p{s}/s{t}/{d}.dcm")
    text = b"IMPRESSION: Mild edema."
    (image_dir / "p10" / "p10000032" / place).write_bytes(gzip.compress(text) if packed else text)
    summary = await ingested(data, image_dir)
    assert rows(data, "SELECT report FROM studies WHERE study_id = 's50414267'") == [(text.decode(),)]
    assert not summary.unused


async def test_a_damaged_packed_report_leaves_its_image_in(
    data: Path, image_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    images_of(image_dir, "p{g}/p{s}/s{t}/{d}.dcm")
    (image_dir / "p10" / "p10000032" / "s50414267.txt.gz").write_bytes(gzip.compress(b"IMPRESSION: Edema.")[:-9])
    summary = await ingested(data, image_dir)
    assert summary.added == 3
    assert "Cannot read a report (it is damaged)" in caplog.text


async def test_a_packed_text_that_no_image_has_is_counted(data: Path, image_dir: Path) -> None:
    images_of(image_dir, "p{g}/p{s}/s{t}/{d}.dcm")
    (image_dir / "s59999999.txt.gz").write_bytes(gzip.compress(b"IMPRESSION: Edema."))
    summary = await ingested(data, image_dir)
    assert list(summary.unused) == ["*.txt: 1"]
