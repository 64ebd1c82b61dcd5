"""Anyone's own folder: images.csv, and texts beside images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_cxr.errors import NotFound
from tests.support.archives import ingested, opened, rows
from tests.support.image_files import dicom, plain

if TYPE_CHECKING:
    from pathlib import Path

FACTS = """
    SELECT image_path, view_position, study_date, split, report,
        (SELECT group_concat(label || value) FROM labels WHERE study = number)
    FROM images JOIN studies USING (study_id) ORDER BY image_path"""
_NO_COLUMNS = (
    "Not used, because no layout has their columns: patients.csv. To use one, name it images.csv and its columns as in"
    " docs/layouts.md."
)
HEADER = "path,patient,study,view,date,split,labels,report"


@pytest.mark.parametrize("where", ["path", "parent", "companions", "file", "beside"])
async def test_images_csv_gives_pngs_patients_views_dates_labels_and_reports(
    data: Path, image_dir: Path, tmp_path: Path, where: str
) -> None:
    folder = image_dir / "set"
    plain(folder / "a" / "1.png", 1)
    plain(folder / "a" / "2.jpg", 2)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    place, start = {
        "path": (folder, "a/"),
        "parent": (image_dir, "set\\a\\"),
        "companions": (elsewhere, "./a/"),
        "file": (elsewhere, "a/"),
        "beside": (folder / "a", ""),
    }[where]
    lines = (
        HEADER,
        f'{start}1.png,P7,1,PA,2024-01-31,train,Edema=1|Mass=-1,"FINDINGS: Edema, mild."',
        f"{start}2.jpg,P7,1,lateral,20240131,,Edema=1|Pneumonia=0,",
    )
    (place / ("my table.csv" if where == "file" else "images.csv")).write_text("\n".join(lines))
    companions = {"companions": (elsewhere,), "file": (elsewhere / "my table.csv",)}.get(where, ())
    summary = await ingested(data, folder, companions=companions)
    assert [(use["rows"], use["joined"]) for use in summary.companions] == [(2, 2)]
    first, second = rows(data, FACTS)
    assert first[:5] == ("a/1.png", "PA", "2024-01-31", "train", "FINDINGS: Edema, mild.")
    assert second[1] == "LATERAL"
    assert rows(data, "SELECT count(DISTINCT study_id), count(DISTINCT subject_id) FROM images") == [(1, 1)]


async def test_excel_s_delimiters_and_capitals_are_read(data: Path, image_dir: Path) -> None:
    plain(image_dir / "1.png", 1)
    text = "File Name;Patient ID;View;Pleural Effusion\n1.png;17.0;AP;1\n"
    (image_dir / "images.csv").write_bytes(text.encode("utf-16"))
    await ingested(data, image_dir)
    assert rows(data, FACTS) == [("1.png", "AP", None, None, None, "Pleural Effusion1")]


async def test_paths_join_without_ending_and_in_other_capitals_unless_they_mean_several(
    data: Path, image_dir: Path
) -> None:
    for number, name in enumerate(("A/1.PNG", "a/2.png", "x.png", "X.png", "b/3.png")):
        plain(image_dir / name, number)
    lines = (
        "path,patient,study,view",
        "a/1.png,P1,1,PA",
        "A/2,P2,2,AP",
        "x.png,P3,3,LL",
        "X.png,P4,4,RL",
        "B/3,P5,5,PA",
    )
    (image_dir / "images.csv").write_text("\n".join((*lines, "b/3,P6,6,AP")))
    await ingested(data, image_dir)
    views = dict(rows(data, "SELECT image_path, view_position FROM images"))
    assert views == {"A/1.PNG": "PA", "a/2.png": "AP", "x.png": "LL", "X.png": "RL", "b/3.png": "UNKNOWN"}


async def test_a_report_file_is_read_and_only_below_the_folder(data: Path, image_dir: Path, tmp_path: Path) -> None:
    plain(image_dir / "1.png", 1)
    plain(image_dir / "2.png", 2)
    (image_dir / "texts").mkdir()
    (image_dir / "texts" / "one.txt").write_text("Mild edema.")
    (tmp_path / "secret.txt").write_text("A secret that stays secret.")
    lines = (
        "path,report_file",
        "1.png,texts/one.txt",
        "2.png,../secret.txt",
        f"{tmp_path}/3.png,",
        "../4.png,",
        "C:\\images\\5.png,",
    )
    (image_dir / "images.csv").write_text("\n".join(lines))
    summary = await ingested(data, image_dir)
    assert [row[4] for row in rows(data, FACTS)] == ["Mild edema.", None]
    assert summary.notes == [
        "images.csv: rows left out, because their paths lead out of the folder that is ingested: 3."
    ]


async def test_a_table_that_arrives_later_moves_images_to_their_patients(data: Path, image_dir: Path) -> None:
    plain(image_dir / "1.png", 1)
    plain(image_dir / "2.png", 2)
    dicom(image_dir / "3.dcm", 3)
    await ingested(data, image_dir)
    (image_dir / "images.csv").write_text("path,patient,study,view,date\n1.png,P,1,PA,2024-01-31\n2.png,P,1,LL,\n")
    summary = await ingested(data, image_dir)
    assert (summary.added, summary.skipped, summary.companions[0]["joined"]) == (0, 3, 2)
    assert [row[1:3] for row in rows(data, FACTS)][:2] == [("PA", "2024-01-31"), ("LL", "2024-01-31")]
    async with opened(data) as archive:
        overview = await archive.overview()
    assert (overview.images, overview.studies, overview.subjects) == (3, 2, 2)
    assert (await ingested(data, image_dir)).studies_updated == 0


async def test_what_cannot_be_read_is_counted(data: Path, image_dir: Path) -> None:
    plain(image_dir / "1.png", 1)
    (image_dir / "images.csv").write_text(
        "path,patient,date,sex,age,Edema\n1.png,P,31/01/2024,w,adult,7\n9.png,Q,,,,\n"
    )
    summary = await ingested(data, image_dir)
    assert summary.notes == [
        "images.csv: values of labels left out, because they are not 1, 0, -1 or empty: 1.",
        "images.csv: dates that were not read: 1; write them as 2024-01-31.",
        "images.csv: values of sex that were not read: 1; write F or M.",
        "images.csv: ages that were not read: 1; write them in years, as 63.",
    ]
    assert [(use["rows"], use["joined"]) for use in summary.companions] == [(2, 1)]


async def test_a_view_has_the_view_position_of_the_table(data: Path, image_dir: Path) -> None:
    plain(image_dir / "1.png", 1)
    (image_dir / "images.csv").write_text("path,view\n1.png,AP\n")
    await ingested(data, image_dir)
    ((image,),) = rows(data, "SELECT image_id FROM images")
    async with opened(data) as archive:
        one, (_, several) = await archive.view(image), await archive.view_many([image])
    assert [view if isinstance(view, str) else view.header.view_position for view in (one, *several)] == ["AP", "AP"]


async def test_notes_name_the_table_that_was_read_and_its_encoding(data: Path, image_dir: Path) -> None:
    plain(image_dir / "1.png", 1)
    (image_dir / "mine.csv").write_text("path,patient,ward\n1.png,P,7\n")
    (image_dir / "befunde.csv").write_bytes("path;patient;Größe\n1.png;P;7\n".encode("cp1252"))
    (image_dir / "images.csv").write_text("Bild,patient\n1.png,P\n")
    summary = await ingested(data, image_dir)
    assert summary.notes == [
        "befunde.csv is not text in UTF-8 or UTF-16; save it again as CSV UTF-8; nothing of it was used.",
        "images.csv lacks the column path; nothing of it was used.",
        "mine.csv: unknown columns were not used: ward.",
    ]


@pytest.mark.parametrize("labels", ["\"['Edema', 'my own label']\"", "Edema=1|my own label=0"])
async def test_labels_without_values_are_positives_only(data: Path, image_dir: Path, labels: str) -> None:
    """Labels of one's own do not count: nobody can ask for one to be absent."""
    plain(image_dir / "1.png", 1)
    (image_dir / "images.csv").write_text(f"path,labels\n1.png,{labels}\n")
    await ingested(data, image_dir)
    async with opened(data) as archive:
        assert (await archive.search(labels=["Edema"])).total_results == 1
        assert (await archive.search(labels_absent=["Pneumonia"])).total_results == 0
        assert (await archive.search("edema", mode="words")).total_results == 1


async def test_tables_spreadsheets_and_packed_files_that_are_not_used_are_reported(data: Path, image_dir: Path) -> None:
    plain(image_dir / "1.png", 1)
    (image_dir / "patients.csv").write_text("picture,who\n1.png,P\n")
    (image_dir.parent / "other.csv").write_text("a,b\n1,2\n")
    for name in ("Doe John.zip", "old.RAR", "export.tar.gz", "list.xlsx", "labels.json", "Doe.pdf"):
        (image_dir / name).write_bytes(b"PK")
    summary = await ingested(data, image_dir, companions=(image_dir / "1.png", image_dir / "labels.json"))
    assert summary.notes == [
        _NO_COLUMNS,
        "Not used: tables in other formats (.json: 1, .xlsx: 1). Save them as CSV.",
        "Not used: documents (.pdf: 1). Save reports as text files (.txt).",
        "Not opened: packed files (.zip: 1, .gz: 1, .rar: 1). If they hold images, tables or reports, unpack them.",
        "Not a companion: 1.png. Name CSV tables, or the text files of reports.",
    ]
    assert summary.unused == ["patients.csv", "*.json: 1", "*.xlsx: 1", "*.pdf: 1", "*.zip: 1", "*.gz: 1", "*.rar: 1"]


async def test_the_summary_counts_studies_by_what_came_with_them(data: Path, image_dir: Path) -> None:
    for name in ("a", "b", "c"):
        plain(image_dir / f"{name}.png", ord(name))
    (image_dir / "a.txt").write_text("Small left effusion.")
    (image_dir / "images.csv").write_text(
        "path,view,date,labels\na.png,PA,2020-01-31,Edema=\nb.png,,2021-01-31,Edema=1|Mass=2|Fracture=yes\nz.png,,,\n"
    )
    first = await ingested(data, image_dir)
    expected = {"report": 1, "labels": 1, "view": 1, "date": 2, "split": 0}
    assert (first.studies, first.with_, first.warnings) == (3, expected, [])
    assert "images.csv: labels left out, because their value is not 1, 0 or -1: 2." in first.notes
    table = {"file": "images.csv", "rows": 3, "joined": 2, "gives": ("labels", "view", "date")}
    assert [use | {"gives": tuple(use["gives"])} for use in first.companions] == [table]
    (image_dir / "b.png.txt").write_text("FINDINGS: No acute process.")
    plain(image_dir / "d.png", 9)
    second = await ingested(data, image_dir)
    assert (second.skipped, second.added, second.studies, second.with_) == (3, 1, 4, expected | {"report": 2})


async def test_texts_that_belong_to_no_image_are_counted_as_unused(data: Path, image_dir: Path) -> None:
    for name in ("a", "b"):
        plain(image_dir / f"{name}.png", ord(name))
    for name in ("a.txt", "letter 1.txt", "reports/b.txt", "README.txt"):
        (image_dir / name).parent.mkdir(exist_ok=True)
        (image_dir / name).write_text("FINDINGS: No acute process.")
    summary = await ingested(data, image_dir)
    assert summary.unused == ["*.txt: 2"]
    assert summary.notes[-1].startswith("Text files that were not used: 2. Name a report after its image")


async def test_a_folder_without_a_report_says_what_words_will_find(data: Path, image_dir: Path) -> None:
    plain(image_dir / "a.png", 1)
    nothing = "No study has a report: a search by words finds only header fields."
    assert (await ingested(data, image_dir)).warnings == [nothing]
    (image_dir / "images.csv").write_text("path,labels\na.png,Edema\n")
    summary = await ingested(data, image_dir)
    assert summary.warnings == ["No study has a report: a search by words finds only labels and header fields."]


async def test_a_folder_of_packed_files_alone_says_to_unpack_them(data: Path, image_dir: Path) -> None:
    (image_dir / "export.zip").write_bytes(b"PK")
    with pytest.raises(NotFound, match=r"packed files \(\.zip: 1\) were not opened: unpack them"):
        await ingested(data, image_dir)


async def test_columns_of_images_csv_that_are_not_used_are_named(data: Path, image_dir: Path) -> None:
    plain(image_dir / "1.png", 1)
    (image_dir / "images.csv").write_text("File Name,Patient ID,Finding Labels,Diagnosis,\n1.png,P,Edema|Mass,none,\n")
    summary = await ingested(data, image_dir)
    assert rows(data, FACTS)[0][5] == "Edema1,Mass1"
    assert summary.notes == ["images.csv: unknown columns were not used: diagnosis."]
