"""The demo's data set lies on disk as MIMIC-CXR does, and every file of it can be read."""

from __future__ import annotations

import csv
import gzip
import re
from collections import Counter
from typing import TYPE_CHECKING, get_args

import numpy as np
import pydicom
import pytest

from mcp_cxr.demo import (
    MAX_STORED_VALUE,
    DemoDataSet,
    _data_set,
    draw_phantom,
    to_dicom,
    write_data_set,
)
from mcp_cxr.demo.phantom import Kind
from mcp_cxr.records import LABELS

if TYPE_CHECKING:
    from pathlib import Path

STUDIES = 24
MIMIC_IMAGE = re.compile(r"files/(p19)/(p19\d{6})/(s\d{8})/([0-9a-f]{8}(?:-[0-9a-f]{8}){4})\.dcm")
CODES = {"PA": "R-10214", "AP": "R-10206", "LATERAL": "R-10236"}


@pytest.fixture(scope="module")
def data_set(tmp_path_factory: pytest.TempPathFactory) -> DemoDataSet:
    return write_data_set(tmp_path_factory.mktemp("data_set"), studies=STUDIES)


@pytest.fixture
def blank(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the images blank: drawing takes most of the time, and not every test looks at them."""
    monkeypatch.setattr(_data_set, "draw_phantom", lambda *_, rows, columns, **__: np.zeros((rows, columns), np.uint16))


def rows_of(data_set: DemoDataSet, name: str) -> list[dict[str, str]]:
    with gzip.open(data_set.folder / name, "rt", newline="") as handle:
        return list(csv.DictReader(handle))


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_same_seed_writes_the_same_bytes_and_another_seed_other_ones(tmp_path: Path) -> None:
    for name, seed in (("one", 4), ("two", 4), ("three", 5)):
        write_data_set(tmp_path / name, studies=4, seed=seed)
    one, two, three = (contents(tmp_path / name) for name in ("one", "two", "three"))
    assert one == two
    assert not {name for name in one if name.endswith(".dcm")} & set(three)


@pytest.mark.usefixtures("blank")
def test_withheld_reports_leave_each_kind_of_finding_with_and_without_a_report(tmp_path: Path) -> None:
    write_data_set(tmp_path, studies=STUDIES)
    drawn = write_data_set(tmp_path, studies=STUDIES, withhold_reports=True)
    reported = {path.stem for path in tmp_path.rglob("*.txt")}
    assert len(reported) == STUDIES / 2
    for name in ("mimic-cxr-2.0.0-chexpert.csv.gz", "cxr-study-list.csv.gz"):
        assert {f"s{row['study_id']}" for row in rows_of(drawn, name)} == reported
    for withheld in (False, True):
        images = [image for image in drawn.images if (image.study_id not in reported) == withheld]
        assert {finding.kind for image in images for finding in image.findings} == set(get_args(Kind))


def test_a_second_run_touches_no_file_and_mends_a_damaged_one(tmp_path: Path) -> None:
    first = write_data_set(tmp_path, studies=3)
    damaged, whole = first.images[0].path, first.images[1].path
    before = contents(tmp_path)
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert write_data_set(tmp_path, studies=3) == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == stamps
    damaged.write_bytes(damaged.read_bytes()[:1000])
    write_data_set(tmp_path, studies=3)
    assert contents(tmp_path) == before
    assert whole.stat().st_mtime_ns == stamps[whole]


def test_paths_spell_the_ids_as_mimic_does(data_set: DemoDataSet) -> None:
    for image in data_set.images:
        path = MIMIC_IMAGE.fullmatch(image.path.relative_to(data_set.folder).as_posix())
        assert path
        assert path.groups()[1:] == (image.subject_id, image.study_id, image.image_id)
        assert image.path.parent.with_suffix(".txt").is_file()
    on_disk = set(data_set.folder.rglob("*.dcm"))
    assert on_disk == {image.path for image in data_set.images}


def test_pydicom_reads_every_file_and_its_header_agrees_with_the_data_set(data_set: DemoDataSet) -> None:
    for image in data_set.images:
        ds = pydicom.dcmread(image.path)
        assert (ds.SOPClassUID.name, ds.Modality, ds.BodyPartExamined) == (
            "Digital X-Ray Image Storage - For Presentation",
            "DX",
            "CHEST",
        )
        assert ds.Manufacturer == "mcp-cxr phantom"
        assert (f"p{ds.PatientID}", f"s{ds.StudyID}") == (image.subject_id, image.study_id)
        assert ds.StudyDate.startswith("21")
        assert ds.ViewPosition == image.view_position
        assert ds.ViewCodeSequence[0].CodeValue == CODES[image.view]
        assert ("WindowCenter" in ds, "VOILUTSequence" in ds) == (image.voi == "window", image.voi == "lut")
        assert ds.PhotometricInterpretation == ("MONOCHROME1" if image.monochrome1 else "MONOCHROME2")
        assert ds.PixelSpacing[0] * max(ds.Rows, ds.Columns) == pytest.approx(430, abs=1)
        assert ds.pixel_array.shape == (ds.Rows, ds.Columns)


def test_uids_of_images_are_unique_and_images_of_a_study_share_its_uid(data_set: DemoDataSet) -> None:
    headers = [pydicom.dcmread(image.path, stop_before_pixels=True) for image in data_set.images]
    assert len({ds.SOPInstanceUID for ds in headers}) == len(headers)
    assert len({ds.StudyInstanceUID for ds in headers}) == STUDIES


def test_stored_values_are_bright_for_dense_once_monochrome1_is_inverted(data_set: DemoDataSet) -> None:
    seen = set[bool]()
    for image in data_set.images:
        stored = pydicom.dcmread(image.path).pixel_array
        shown = MAX_STORED_VALUE - stored if image.monochrome1 else stored
        corner, middle = shown[: len(shown) // 3, :12], shown[:, shown.shape[1] // 2]
        assert np.median(middle) > np.percentile(corner, 10)
        assert shown[:, :3].mean() < middle.mean()
        seen.add(image.monochrome1)
    assert seen == {True, False}


@pytest.mark.usefixtures("blank")
def test_images_come_in_the_shares_that_real_ones_do(tmp_path: Path) -> None:
    images = write_data_set(tmp_path, studies=STUDIES, seed=11).images
    total = len(images)
    assert sum(image.monochrome1 for image in images) / total == pytest.approx(0.25, abs=0.05)
    assert sum(not image.view_position for image in images) / total == pytest.approx(0.1, abs=0.05)
    assert Counter(image.syntax for image in images)["rle"] == 1
    assert {image.syntax for image in images} == {"explicit", "implicit", "rle"}
    assert {image.voi for image in images} == {"window", "lut", "none"}
    assert {image.view for image in images} == {"PA", "AP", "LATERAL"}
    studies_of = Counter(dict.fromkeys((image.subject_id, image.study_id) for image in images).keys())
    per_subject = Counter(subject for subject, _ in studies_of)
    assert sum(count == 2 for count in per_subject.values()) / len(per_subject) == pytest.approx(1 / 3, abs=0.07)


def test_companions_cover_every_image_and_every_study(data_set: DemoDataSet) -> None:
    by_id = {image.image_id: image for image in data_set.images}
    metadata = {row["dicom_id"]: row for row in rows_of(data_set, "mimic-cxr-2.0.0-metadata.csv.gz")}
    records = {row["dicom_id"]: row for row in rows_of(data_set, "cxr-record-list.csv.gz")}
    split = {row["dicom_id"]: row["split"] for row in rows_of(data_set, "mimic-cxr-2.0.0-split.csv.gz")}
    assert set(metadata) == set(records) == set(split) == set(by_id)
    assert set(split.values()) <= {"train", "validate", "test"}
    for image_id, image in by_id.items():
        ds = pydicom.dcmread(image.path, stop_before_pixels=True)
        row = metadata[image_id]
        assert (f"p{row['subject_id']}", f"s{row['study_id']}") == (image.subject_id, image.study_id)
        assert (row["ViewPosition"], row["StudyDate"]) == (image.view_position, ds.StudyDate)
        assert (int(row["Rows"]), int(row["Columns"])) == (ds.Rows, ds.Columns)
        assert float(row["StudyTime"]) == float(ds.StudyTime)
        assert data_set.folder / records[image_id]["path"] == image.path
    studies = rows_of(data_set, "cxr-study-list.csv.gz")
    assert {f"s{row['study_id']}" for row in studies} == {image.study_id for image in data_set.images}
    assert all((data_set.folder / row["path"]).is_file() for row in studies)


@pytest.mark.parametrize("labeller", ["chexpert", "negbio"])
def test_labels_agree_with_the_findings_that_are_drawn(data_set: DemoDataSet, labeller: str) -> None:
    rows = {f"s{row['study_id']}": row for row in rows_of(data_set, f"mimic-cxr-2.0.0-{labeller}.csv.gz")}
    assert set(rows) == {image.study_id for image in data_set.images}
    for image in data_set.images:
        row = rows[image.study_id]
        assert list(row) == ["subject_id", "study_id", *LABELS]
        grades = {finding.grade for finding in image.findings if finding.kind == "effusion"}
        kinds = {finding.kind for finding in image.findings}
        assert row["Pleural Effusion"] == ("0.0" if not grades else "-1.0" if grades == {"trace"} else "1.0")
        assert row["Pneumothorax"] == ("1.0" if "pneumothorax" in kinds else "0.0")
        assert row["Cardiomegaly"] == ("1.0" if "cardiomegaly" in kinds else "0.0")
        assert row["Lung Lesion"] == ("1.0" if "nodule" in kinds else "")
        assert row["Support Devices"] == ("1.0" if kinds & {"pacemaker", "central line", "endotracheal tube"} else "")


def test_a_single_image_can_be_written_with_tags_changed_and_left_out(tmp_path: Path) -> None:
    pixels = draw_phantom("PA", rows=128, columns=104)
    file = to_dicom(pixels, monochrome1=True, voi="none", PatientID="somebody", BodyPartExamined=None)
    (tmp_path / "one.dcm").write_bytes(file)
    ds = pydicom.dcmread(tmp_path / "one.dcm")
    assert ds.PatientID == "somebody"
    assert "BodyPartExamined" not in ds
    assert np.array_equal(MAX_STORED_VALUE - ds.pixel_array, pixels)
