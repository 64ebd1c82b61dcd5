"""What leaves this room of a header, and what never does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from mcp_cxr.images import read_header
from tests.unit.images.making import dicom_image, saved

if TYPE_CHECKING:
    from pathlib import Path


def test_shown_facts_are_on_the_list_and_fit_for_json(tmp_path: Path) -> None:
    facts = dicom_image(
        BodyPartExamined="CHEST", PixelSpacing=[0.139, 0.139], StudyDescription="CHEST PA", Manufacturer="Maker"
    )
    tags = read_header(saved(facts, tmp_path / "film.dcm")).tags
    assert json.loads(json.dumps(tags)) == {
        "Modality": "DX",
        "BodyPartExamined": "CHEST",
        "PhotometricInterpretation": "MONOCHROME2",
        "StudyDescription": "CHEST PA",
        "Manufacturer": "Maker",
        "Rows": 96,
        "Columns": 80,
        "BitsStored": 12,
        "PixelSpacing": [0.139, 0.139],
        "TransferSyntaxUID": "Explicit VR Little Endian",
    }


def test_patient_data_is_neither_shown_nor_printed(tmp_path: Path) -> None:
    facts = dicom_image(
        PatientBirthDate="19500101", PatientComments="secret", AccessionNumber="A1", PatientAge="070Y", PatientSex="F"
    )
    facts.private_block(0x0099, "MAKER", create=True).add_new(1, "LO", "secret")
    header = read_header(saved(facts, tmp_path / "film.dcm"))
    assert header.patient_id == "MRN-77"
    shown = f"{header!r} {header.tags}"
    for secret in ("MRN-77", "DOE", "19500101", "secret", "A1", "070Y", "2.25.1", "2.25.2"):
        assert secret not in shown


@pytest.mark.filterwarnings("ignore:Invalid value for VR")  # pydicom's, while the test writes a bad date
@pytest.mark.parametrize(
    ("date", "iso"), [("21800506", "2180-05-06"), ("20230230", None), ("yesterday", None), ("", None)]
)
def test_a_study_date_is_iso_or_none(tmp_path: Path, date: str, iso: str | None) -> None:
    assert read_header(saved(dicom_image(StudyDate=date), tmp_path / "film.dcm")).study_date == iso


@pytest.mark.filterwarnings("ignore:Invalid value for VR")  # pydicom's, while the test writes a bad time
@pytest.mark.parametrize(
    ("time", "iso"),
    [
        *(("080556.875", "08:05:56"), ("0805", "08:05:00"), ("08:05:56", "08:05:56"), ("000000", "00:00:00")),
        *(("08", None), ("250000", None), ("soon", None), ("", None)),
    ],
)
def test_a_study_time_is_iso_or_left_out(tmp_path: Path, time: str, iso: str | None) -> None:
    facts = read_header(saved(dicom_image(StudyTime=time), tmp_path / "film.dcm"))
    assert facts.tags.get("StudyTime") == iso


def test_texts_are_normal_bounded_and_without_controls(tmp_path: Path) -> None:
    facts = dicom_image()
    facts.SpecificCharacterSet = "ISO_IR 192"
    facts.add_new("SeriesDescription", "UT", "Thorax\0 E\u0301tude\x07  " + "x" * 400)
    shown = read_header(saved(facts, tmp_path / "film.dcm")).tags["SeriesDescription"]
    assert shown.startswith("Thorax \u00c9tude xxx")
    assert len(shown) == 200


def test_a_png_says_its_size_alone(tmp_path: Path) -> None:
    Image.new("L", (30, 20)).save(tmp_path / "a.png")
    header = read_header(tmp_path / "a.png")
    assert (header.kind, header.rows, header.columns, header.view_source) == ("png", 20, 30, "none")
    assert header.sop_instance_uid is None
    assert header.tags == {"Rows": 20, "Columns": 30}
