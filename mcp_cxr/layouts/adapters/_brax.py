"""BRAX: DICOM and PNG, one spreadsheet with CheXpert's labels read from reports in Portuguese."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from mcp_cxr.layouts._adapter import Adapter, RowsByKey, TableForm, TableReading
from mcp_cxr.layouts._cell_values import age_of, iso_date, number_id, sex_of, text_of
from mcp_cxr.layouts._facts import FileFacts
from mcp_cxr.records import LABELS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ENDING = re.compile(r"\.(?:png|jpe?g|dcm|dicom)$", re.IGNORECASE)
_PARTS = 4  # patient, study, series, image
_COLUMNS = ("PatientID", "AccessionNumber", "StudyDate", "PatientSex", "PatientAge", "ViewPosition")


class _Image(NamedTuple):
    patient: str
    study: str
    date: str | None
    sex: str | None
    age: int | None
    view: str | None
    labels: Mapping[str, int]


class BraxLayout(Adapter):
    """BRAX."""

    name = "brax"
    title = "BRAX"
    tables = (
        TableForm(
            "images",
            re.compile(r"master_spreadsheet(?:_update)?\.csv(?:\.gz)?", re.IGNORECASE),
            ("PngPath", "PatientID", "AccessionNumber"),
            expected=("PatientSex", "PatientAge", "ViewPosition"),
            signature=("DicomPath", "PngPath", "PatientID", "AccessionNumber"),
        ),
    )
    lacks = ("No reports.",)

    def read(self, form: TableForm, reading: TableReading) -> RowsByKey[Any]:
        """Read the spreadsheet."""
        del form
        return RowsByKey(_images(reading))

    def facts_of(self, path: str) -> FileFacts | None:
        """Return the facts of an image that the spreadsheet names, as PNG or as DICOM."""
        key = _key(path)
        image: _Image | None = self.find("images", key)
        if image is None:
            return None
        return FileFacts(
            subject=f"brax-{image.patient}",
            study=f"brax-{image.study}",
            image=f"brax-{key}",
            view=image.view,
            study_date=image.date,
            labels=image.labels,
            labels_by="chexpert",
            sex=image.sex,
            age=image.age,
        )


def _key(path: str) -> str:
    return "/".join(_ENDING.sub("", path.replace("\\", "/").strip()).split("/")[-_PARTS:])


def _images(reading: TableReading) -> Iterator[tuple[str, _Image]]:
    for png, dicom, patient, study, date, sex, age, view, *cells in reading.table.cells(
        ("PngPath", "DicomPath", *_COLUMNS, *LABELS)
    ):
        image = _Image(
            number_id(patient),
            number_id(study),
            iso_date(date),
            sex_of(sex),
            age_of(age),
            text_of(view),
            reading.labelled(LABELS, cells),
        )
        yield _key(png or dicom), image
