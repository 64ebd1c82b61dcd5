"""Public data sets other than MIMIC-CXR, as trees of drawn images with their tables."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.layouts import read_layouts
from mcp_cxr.records import LABELS
from tests.support.archives import ingested, opened, rows
from tests.support.companions import table
from tests.support.image_files import plain

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mcp_cxr.layouts import FileFacts

NIH = ("Image Index", "Finding Labels", "Follow-up #", "Patient ID", "Patient Age", "Patient Gender", "View Position")
CHEXPERT = ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *LABELS)
PADCHEST = (
    *("", "ImageID", "ImageDir", "StudyDate_DICOM", "StudyID", "PatientID", "PatientBirth", "PatientSex_DICOM"),
    *("Projection", "MethodLabel", "Labels", "Report"),
)
BRAX = ("DicomPath", "PngPath", "PatientID", "PatientSex", "PatientAge", "AccessionNumber", "ViewPosition", *LABELS)
VINDR_IMAGE = "50a418190bc3fb1ef1633bf9678929b3"
XML = """<?xml version="1.0" encoding="utf-8"?>
<eCitation><uId id="CXR1"/><MedlineCitation><Article><Abstract>
<AbstractText Label="FINDINGS">There is a XXXX effusion.</AbstractText>
<AbstractText Label="IMPRESSION">Small effusion.</AbstractText>
</Abstract></Article></MedlineCitation>
<MeSH><major>Pleural Effusion/left/small</major><major>Fractures, Bone/ribs</major></MeSH>
<parentImage id="CXR1_1_IM-0001-3001"/><parentImage id="CXR1_1_IM-0001-4001"/></eCitation>"""


def cells(**values: str) -> list[str]:
    """Return a row's cells of the 14 labels."""
    return [values.get(label.replace(" ", "_"), "") for label in LABELS]


def nih(folder: Path) -> list[Path]:
    table(
        folder / "Data_Entry_2017_v2020.csv",
        NIH,
        ("00000001_000.png", "Effusion|Infiltration", 0, 1, "057Y", "M", "PA"),
        ("00000001_001.png", "No Finding", 1, 1, "58", "M", "AP"),
    )
    (folder / "train_val_list.txt").write_text("00000001_000.png\n")
    (folder / "test_list.txt").write_text("00000001_001.png\n")
    return [plain(folder / f"images_00{n}/images/00000001_00{n}.png", n + 1) for n in range(2)]


def chexpert(folder: Path) -> list[Path]:
    start = "CheXpert-v1.0-small/"
    row = ("Female", 68, "Frontal", "AP", *cells(Edema="-1.0", Pneumothorax="0.0"))
    table(folder / "train.csv", CHEXPERT, (f"{start}train/patient00001/study1/view1_frontal.jpg", *row))
    row = ("Male", 41, "Lateral", "", *cells(No_Finding="1.0"))
    table(folder / "valid.csv", CHEXPERT, (f"{start}valid/patient64541/study1/view2_lateral.jpg", *row))
    names = ("train/patient00001/study1/view1_frontal.jpg", "valid/patient64541/study1/view2_lateral.jpg")
    return [plain(folder / name, number) for number, name in enumerate(names)]


def chexpert_plus(folder: Path) -> list[Path]:
    columns = ("path_to_image", "frontal_lateral", "ap_pa", "deid_patient_id", "sex", "age", "section_findings")
    start = "train/patient00001/study1/view1_frontal"
    row = (f"{start}.jpg", "Frontal", "PA", "patient00001", "Female", 68, "Clear lungs.", "Normal chest.")
    table(folder / "df_chexpert_plus_240401.csv", (*columns, "section_impression"), row)
    return [plain(folder / f"PNG/{start}.png", 1)]


def padchest(folder: Path) -> list[Path]:
    labels = "\"['pleural effusion', ' cardiomegaly', 'unchanged']\""
    row = (0, "2053_k6ga29.png", 0, 20140915, "2053", "8398", "1930.0", "F", "L", "Physician", labels)
    table(folder / "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv", PADCHEST, (*row, " derram pleural . "))
    return [plain(folder / "0/2053_k6ga29.png", 1)]


def vindr(folder: Path) -> list[Path]:
    columns = ("image_id", "rad_id", "Aortic enlargement", "Cardiomegaly", "Nodule/Mass", "No finding")
    votes = ((1, 1, 0, 0), (1, 0, 0, 0), (1, 0, 0, 0))
    voted = [(VINDR_IMAGE, f"R{n}", *each) for n, each in enumerate(votes)]
    table(folder / "annotations/image_labels_train.csv", columns, *voted)
    return [plain(folder / f"train/{VINDR_IMAGE}.png", 1)]


def vindr_boxes(folder: Path) -> list[Path]:
    columns = ("image_id", "class_name", "class_id", "rad_id", "x_min", "y_min", "x_max", "y_max")
    boxes = (("Aortic enlargement", "R8"), ("Aortic enlargement", "R9"), ("Aortic enlargement", "R10"))
    named = [(VINDR_IMAGE, name, 0, reader, 1, 2, 3, 4) for name, reader in (*boxes, ("Cardiomegaly", "R8"))]
    table(folder / "train.csv", columns, *named, ("0" * 32, "Nodule/Mass", 8, "R8", 1, 2, 3, 4))
    return [plain(folder / f"train/{VINDR_IMAGE}.png", 1)]


def brax(folder: Path) -> list[Path]:
    tail = "id_0a1/Study_1.2/Series_3.4/image-5"
    row = ("id_0a1", "F", "85 or more", "9911", "L", *cells(Edema="1.0", Fracture="0.0"))
    table(folder / "master_spreadsheet_update.csv", BRAX, (f"dicoms/{tail}.dcm", f"images/{tail}.png", *row))
    return [plain(folder / f"images/{tail}.png", 1)]


def openi_xml(folder: Path) -> list[Path]:
    (folder / "ecgen-radiology").mkdir(parents=True)
    (folder / "ecgen-radiology/1.xml").write_text(XML)
    return [plain(folder / f"NLMCXR_png/CXR1_1_IM-0001-{n}001.png", n) for n in (3, 4)]


def openi_tar(folder: Path) -> list[Path]:
    folder.mkdir(exist_ok=True)
    with tarfile.open(folder / "NLMCXR_reports.tgz", "w:gz") as tar:
        member = tarfile.TarInfo("ecgen-radiology/1.xml")
        member.size = len(XML)
        tar.addfile(member, io.BytesIO(XML.encode()))
    return [plain(folder / f"NLMCXR_png/CXR1_1_IM-0001-{n}001.png", n) for n in (3, 4)]


def openi_tables(folder: Path) -> list[Path]:
    reports = ("uid", "MeSH", "Problems", "image", "indication", "comparison", "findings", "impression")
    mesh = 'Pleural Effusion/left/small;"Fractures, Bone/ribs"'
    row = (1, f'"{mesh.replace(chr(34), "")}"', "", "", "", "", "There is a XXXX effusion.", "Small effusion.")
    table(folder / "indiana_reports.csv", reports, row)
    images = [(1, f"1_IM-0001-{n}001.dcm.png", view) for n, view in ((3, "Lateral"), (4, "Frontal"))]
    table(folder / "indiana_projections.csv", ("uid", "filename", "projection"), *images)
    return [plain(folder / f"images/1_IM-0001-{n}001.dcm.png", n) for n in (3, 4)]


MAKERS = (*(nih, chexpert, chexpert_plus, padchest, vindr, vindr_boxes, brax, openi_xml, openi_tar, openi_tables),)


def facts(make: Callable[[Path], list[Path]], folder: Path) -> list[FileFacts]:
    images = make(folder)
    with read_layouts((folder, folder.parent)) as layouts:
        return [layouts.facts_of(str(image)) for image in images]


@pytest.mark.parametrize("make", MAKERS)
async def test_every_image_and_every_row_joins(tmp_path: Path, make: Callable[[Path], list[Path]]) -> None:
    images = make(tmp_path / "images")
    summary = await ingested(tmp_path / "data", tmp_path / "images")
    assert (summary.added, summary.errors) == (len(images), 0)
    assert summary.companions
    for use in summary.companions:
        missing = 1 if make is vindr_boxes else 0
        assert use["joined"] == use["rows"] - missing, use
    assert summary.notes == []
    assert rows(tmp_path / "data", "SELECT count(*) FROM images WHERE study_id LIKE '%-%'") == [(0,)], "hashed"


def test_nih(tmp_path: Path) -> None:
    first, second = facts(nih, tmp_path)
    assert (first.subject, first.study, first.view) == ("nih-1", "nih-00000001_000", "PA")
    assert (second.subject, second.study_date, second.split) == ("nih-1", None, "test")
    assert first.labels == {"Effusion": 1, "Infiltration": 1, "Pleural Effusion": 1}
    assert (first.positives_only, first.labels_by, first.age, first.sex) == (True, "program", 57, "M")


def test_chexpert(tmp_path: Path) -> None:
    first, second = facts(chexpert, tmp_path)
    assert (first.labels, first.labels_by, first.view) == ({"Edema": -1, "Pneumothorax": 0}, "chexpert", "AP")
    assert (first.split, first.sex, first.age, first.study) == ("train", "F", 68, "chexpert-patient00001-study1")
    assert (second.labels, second.labels_by, second.view, second.split) == (
        {"No Finding": 1},
        "people",
        "LATERAL",
        "validate",
    )


def test_chexpert_plus_has_reports_by_section(tmp_path: Path) -> None:
    (one,) = facts(chexpert_plus, tmp_path)
    assert one.report == "FINDINGS: Clear lungs.\n\nIMPRESSION: Normal chest."
    assert (one.view, one.age, one.sex) == ("PA", 68, "F")


def test_padchest(tmp_path: Path) -> None:
    (one,) = facts(padchest, tmp_path)
    assert (one.subject, one.study, one.view, one.study_date) == (
        "padchest-8398",
        "padchest-2053",
        "LATERAL",
        "2014-09-15",
    )
    assert one.labels == {
        "pleural effusion": 1,
        "cardiomegaly": 1,
        "unchanged": 1,
        "Pleural Effusion": 1,
        "Cardiomegaly": 1,
    }
    assert (one.labels_by, one.age, one.sex, one.report_language) == ("people", 84, "F", "es")


@pytest.mark.parametrize("make", [vindr, vindr_boxes])
def test_votes_of_three_readers_become_labels(tmp_path: Path, make: Callable[[Path], list[Path]]) -> None:
    (one,) = facts(make, tmp_path)
    assert (one.subject, one.study) == (None, None)
    got = {name: one.labels[name] for name in ("Aortic enlargement", "Cardiomegaly", "Nodule/Mass", "Lung Lesion")}
    assert got == {"Aortic enlargement": 1, "Cardiomegaly": -1, "Nodule/Mass": 0, "Lung Lesion": 0}
    assert dict(one.votes) == {"Aortic enlargement": 3, "Cardiomegaly": 1}


async def test_the_votes_are_kept(tmp_path: Path) -> None:
    vindr(tmp_path / "archive")
    await ingested(tmp_path / "data", tmp_path / "archive")
    async with opened(tmp_path / "data") as archive:
        (hit,) = (await archive.search(labels_absent=["Lung Lesion"])).images
        one = await archive.show(hit.image_id)
    assert one.tags["LabelVotes"] == {"Aortic enlargement": 3, "Cardiomegaly": 1}
    assert one.labels["Cardiomegaly"] == -1


def test_brax(tmp_path: Path) -> None:
    (one,) = facts(brax, tmp_path)
    assert (one.subject, one.study, one.age, one.view) == ("brax-id_0a1", "brax-9911", 85, "L")
    assert one.labels == {"Edema": 1, "Fracture": 0}


@pytest.mark.parametrize("make", [openi_xml, openi_tar, openi_tables])
def test_open_i(tmp_path: Path, make: Callable[[Path], list[Path]]) -> None:
    first, second = facts(make, tmp_path)
    assert first.study == second.study == "open-i-1"
    assert first.subject is None
    assert first.labels == {"Pleural Effusion": 1, "Fractures, Bone": 1, "Fracture": 1}
    assert first.report == "FINDINGS: There is a XXXX effusion.\n\nIMPRESSION: Small effusion."


async def test_sex_and_age_are_shown_and_a_spanish_report_is_not_read(tmp_path: Path) -> None:
    padchest(tmp_path / "archive")
    await ingested(tmp_path / "data", tmp_path / "archive")
    async with opened(tmp_path / "data") as archive:
        (hit,) = (await archive.search(labels=["Cardiomegaly"])).images
        one = await archive.show(hit.image_id)
        assert (one.sex, one.age, one.labels_by, one.study_date) == ("F", 84, "people", "2014-09-15")
        assert one.report is not None
        assert "derram pleural" in " ".join(one.report.values())
        assert (await archive.search("derram", mode="words")).total_results == 0
        assert (await archive.search("pleural effusion", mode="words")).total_results == 1, "by its label"


KEYS = (
    (nih, "Image Index"),
    (padchest, "PatientID"),
    (brax, "PatientID"),
    (openi_tables, "filename"),
    (vindr, "image_id"),
    (chexpert, "Path"),
    (chexpert_plus, "path_to_image"),
)


@pytest.mark.parametrize("damage", ["damaged", "missing a column"])
@pytest.mark.parametrize(("make", "column"), KEYS)
async def test_one_bad_table_is_named_and_the_images_are_read(
    tmp_path: Path, make: Callable[[Path], list[Path]], column: str, damage: str
) -> None:
    images = make(tmp_path / "images")
    path = min((tmp_path / "images").rglob("*.csv"))
    text = path.read_text()
    if damage == "missing a column":
        path.write_text(text.replace(column, "other", 1))
    else:
        path.write_bytes(text.encode()[: len(text) - 9] + b"\xff\xfe\x00")
    summary = await ingested(tmp_path / "data", tmp_path / "images")
    assert summary.added == len(images)
    assert len([note for note in summary.notes if path.name in note]) == 1, summary.notes


@pytest.mark.parametrize("make", [nih, chexpert, padchest, brax, openi_tables, vindr, chexpert_plus])
async def test_a_renamed_table_is_known_by_its_columns(tmp_path: Path, make: Callable[[Path], list[Path]]) -> None:
    make(tmp_path / "images")
    for number, path in enumerate(sorted((tmp_path / "images").rglob("*.csv"))):
        path.rename(path.with_name(f"table{number}.csv"))
    summary = await ingested(tmp_path / "data", tmp_path / "images")
    assert all(use["joined"] == use["rows"] for use in summary.companions)
    assert summary.notes == []
    assert summary.companions


async def test_a_chexpert_table_without_its_path_is_named_as_chexpert_s(tmp_path: Path) -> None:
    chexpert(tmp_path / "images")
    path = min((tmp_path / "images").rglob("*.csv"))
    path.write_text(path.read_text().replace("Path", "File", 1))
    summary = await ingested(tmp_path / "data", tmp_path / "images")
    assert summary.notes[0] == f"{path.name} lacks the column Path of CheXpert; nothing of it was used."
