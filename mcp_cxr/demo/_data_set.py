"""Writes the demo data set: phantoms as DICOM files in the layout of MIMIC-CXR, reports, companion files."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from mcp_cxr.csv_writer import csv_text
from mcp_cxr.demo._dicom import code_sequence, to_dicom
from mcp_cxr.demo._plan import PlannedImage, plan_studies
from mcp_cxr.demo._reports import write_report
from mcp_cxr.demo.phantom import draw_phantom
from mcp_cxr.records import LABELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from mcp_cxr.demo._plan import PlannedStudy
    from mcp_cxr.demo.phantom import PhantomFinding
    from mcp_cxr.records import StudyId, SubjectId

_VIEW_CODES = {
    "PA": ("R-10214", "postero-anterior"),
    "AP": ("R-10206", "antero-posterior"),
    "LATERAL": ("R-10236", "left lateral"),
}
_POSTURES = {"PA": ("F-10440", "Erect"), "AP": ("F-10450", "Recumbent"), "LATERAL": ("F-10440", "Erect")}
_PROCEDURES = {"PA": "CHEST (PA AND LAT)", "LATERAL": "CHEST (PA AND LAT)", "AP": "CHEST (PORTABLE AP)"}
_DOZEN = 12
"""Studies until the kinds of findings repeat."""
_SPLITS = ("train", "train", "train", "train", "train", "train", "train", "validate", "test", "test")
_METADATA_COLUMNS = (
    "dicom_id", "subject_id", "study_id", "PerformedProcedureStepDescription", "ViewPosition", "Rows", "Columns",
    "StudyDate", "StudyTime", "ProcedureCodeSequence_CodeMeaning", "ViewCodeSequence_CodeMeaning",
    "PatientOrientationCodeSequence_CodeMeaning",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoImage(PlannedImage):
    """One image of the demo data set and its true properties."""

    path: Path
    study_id: StudyId
    subject_id: SubjectId
    findings: tuple[PhantomFinding, ...]
    """Findings of the image's study; a lateral does not show all of them."""


@dataclass(frozen=True, slots=True)
class DemoDataSet:
    """The demo data set on disk."""

    folder: Path
    images: tuple[DemoImage, ...]


def write_data_set(folder: Path, *, studies: int = 60, seed: int = 0, withhold_reports: bool = False) -> DemoDataSet:
    """Write the data set; the same arguments write the same bytes. Files that have them already are not touched.

    Args:
        folder: May have been written before.
        studies: How many to draw.
        seed: Of patients and findings.
        withhold_reports: True leaves every second dozen of studies without report and labels.
    """
    planned = plan_studies(studies, seed)
    images: list[DemoImage] = []
    labels: dict[StudyId, Mapping[str, int]] = {}
    for number, study in enumerate(planned):
        study_folder = _study_folder(folder, study)
        report_file = study_folder.with_suffix(".txt")
        if withhold_reports and number // _DOZEN % 2:
            report_file.unlink(missing_ok=True)
        else:
            report = write_report(
                study.findings, view=study.images[0].view, follow_up=study.follow_up, seed=study.images[0].exposure
            )
            labels[study.study_id] = report.labels
            _write_if_changed(report_file, report.text.encode())
        for image in study.images:
            path = study_folder / f"{image.image_id}.dcm"
            _write_if_changed(path, _image_bytes(study, image))
            images.append(
                DemoImage(
                    **asdict(image),
                    path=path,
                    study_id=study.study_id,
                    subject_id=study.subject_id,
                    findings=study.findings,
                )
            )
    _write_companions(folder, planned, labels)
    return DemoDataSet(folder, tuple(images))


def _study_folder(folder: Path, study: PlannedStudy) -> Path:
    return folder / "files" / study.subject_id[:3] / study.subject_id / study.study_id


def _image_bytes(study: PlannedStudy, image: PlannedImage) -> bytes:
    rows, columns = image.shape
    pixels = draw_phantom(
        image.view, study.findings, patient=study.patient, exposure=image.exposure, rows=rows, columns=columns
    )
    return to_dicom(
        pixels, monochrome1=image.monochrome1, voi=image.voi, syntax=image.syntax, **_image_tags(study, image)
    )


def _image_tags(study: PlannedStudy, image: PlannedImage) -> dict[str, object]:
    day, time = f"{study.day:%Y%m%d}", _dicom_time(study.seconds)
    return {
        "PatientID": study.subject_id[1:],
        "StudyID": study.study_id[1:],
        "StudyInstanceUID": _uid(study.study_id),
        "SeriesInstanceUID": _uid(f"{study.study_id}/{image.view}"),
        "SOPInstanceUID": _uid(image.image_id),
        "StudyDate": day,
        "ContentDate": day,
        "StudyTime": time,
        "ContentTime": time,
        "PerformedProcedureStepDescription": _PROCEDURES[image.view],
        "ViewPosition": image.view_position,
        "ViewCodeSequence": code_sequence(*_VIEW_CODES[image.view]),
        "PatientOrientationCodeSequence": code_sequence(*_POSTURES[image.view]),
    }


def _dicom_time(seconds: float) -> str:
    """Return a DICOM time, `080556.875`."""
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes) // 60:02}{int(minutes) % 60:02}{rest:06.3f}"


def _uid(name: str) -> str:
    """Return a UID made from a hash, PS3.5 B.2."""
    return f"2.25.{int.from_bytes(hashlib.sha256(name.encode()).digest()[:16])}"


def _write_companions(
    folder: Path, planned: Sequence[PlannedStudy], labels: Mapping[StudyId, Mapping[str, int]]
) -> None:
    images = [(study, image, study.subject_id[1:], study.study_id[1:]) for study in planned for image in study.images]
    of_study = [(study, study.subject_id[1:], study.study_id[1:]) for study in planned]
    paths = {study.study_id: _study_folder(folder, study).relative_to(folder).as_posix() for study in planned}
    reported = [row for row in of_study if row[0].study_id in labels]
    found = [(p, s, *_label_cells(labels[study.study_id])) for study, p, s in reported]
    tables: dict[str, tuple[Sequence[str], Iterable[Sequence[object]]]] = {
        "cxr-record-list": (
            ("subject_id", "study_id", "dicom_id", "path"),
            [(p, s, image.image_id, f"{paths[study.study_id]}/{image.image_id}.dcm") for study, image, p, s in images],
        ),
        "cxr-study-list": (
            ("subject_id", "study_id", "path"),
            [(p, s, f"{paths[study.study_id]}.txt") for study, p, s in reported],
        ),
        "mimic-cxr-2.0.0-metadata": (_METADATA_COLUMNS, [_metadata(study, image) for study, image, _, _ in images]),
        "mimic-cxr-2.0.0-split": (
            ("dicom_id", "study_id", "subject_id", "split"),
            [(image.image_id, s, p, _SPLITS[int(p) % len(_SPLITS)]) for _, image, p, s in images],
        ),
        "mimic-cxr-2.0.0-chexpert": (("subject_id", "study_id", *LABELS), found),
        "mimic-cxr-2.0.0-negbio": (("subject_id", "study_id", *LABELS), found),
    }
    for name, (columns, rows) in tables.items():
        _write_table(folder / f"{name}.csv.gz", columns, rows)


def _metadata(study: PlannedStudy, image: PlannedImage) -> tuple[object, ...]:
    """Return one row; StudyTime is a number there: 80556.875 is 08:05:56.875."""
    procedure = _PROCEDURES[image.view]
    names = (image.image_id, study.subject_id[1:], study.study_id[1:])
    when = (f"{study.day:%Y%m%d}", float(_dicom_time(study.seconds)))
    codes = (procedure, _VIEW_CODES[image.view][1], _POSTURES[image.view][1])
    return (*names, procedure, image.view_position, *image.shape, *when, *codes)


def _label_cells(labels: Mapping[str, int]) -> list[str]:
    return [f"{labels[label]:.1f}" if label in labels else "" for label in LABELS]


def _write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    _write_if_changed(path, gzip.compress(csv_text(columns, rows).encode(), mtime=0))


def _write_if_changed(path: Path, content: bytes) -> None:
    """Write the file atomically, unless it already has this content."""
    if path.is_file() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial_file = path.with_name(f".{path.name}.part")
    partial_file.write_bytes(content)
    partial_file.replace(path)
