"""Writes the demo's archive: phantoms as DICOM files in MIMIC-CXR's layout, reports, companion files."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp_cxr.demo._dicom import coded, to_dicom
from mcp_cxr.demo._plan import plan
from mcp_cxr.demo._reports import write_report
from mcp_cxr.demo.phantom import draw_phantom
from mcp_cxr.records import LABELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from mcp_cxr.demo._dicom import Syntax, Voi
    from mcp_cxr.demo._plan import PlannedImage, PlannedStudy
    from mcp_cxr.demo.phantom import PhantomFinding, View
    from mcp_cxr.records import ImageId, StudyId, SubjectId

_VIEW_CODES = {
    "PA": ("R-10214", "postero-anterior"),
    "AP": ("R-10206", "antero-posterior"),
    "LATERAL": ("R-10236", "left lateral"),
}
_POSTURES = {"PA": ("F-10440", "Erect"), "AP": ("F-10450", "Recumbent"), "LATERAL": ("F-10440", "Erect")}
_PROCEDURES = {"PA": "CHEST (PA AND LAT)", "LATERAL": "CHEST (PA AND LAT)", "AP": "CHEST (PORTABLE AP)"}
_SPLITS = ("train", "train", "train", "train", "train", "train", "train", "validate", "test", "test")
_METADATA_COLUMNS = (
    "dicom_id", "subject_id", "study_id", "PerformedProcedureStepDescription", "ViewPosition", "Rows", "Columns",
    "StudyDate", "StudyTime", "ProcedureCodeSequence_CodeMeaning", "ViewCodeSequence_CodeMeaning",
    "PatientOrientationCodeSequence_CodeMeaning",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DemoImage:
    """One film of the demo's archive, and what is true of it."""

    path: Path
    image_id: ImageId
    study_id: StudyId
    subject_id: SubjectId
    view: View
    findings: tuple[PhantomFinding, ...]
    """Of its study; a lateral film does not show all of them."""
    monochrome1: bool
    voi: Voi
    syntax: Syntax
    view_position: str
    """ViewPosition as the file says it; where it is empty, ViewCodeSequence still tells."""


@dataclass(frozen=True, slots=True)
class DemoArchive:
    """The demo's archive as it lies on disk."""

    folder: Path
    images: tuple[DemoImage, ...]


def write_archive(folder: Path, *, studies: int = 60, seed: int = 0) -> DemoArchive:
    """Write the archive; the same arguments write the same bytes, and files that have them already are left alone."""
    planned = plan(studies, seed)
    images: list[DemoImage] = []
    labels: dict[StudyId, Mapping[str, int]] = {}
    for study in planned:
        place = _place(folder, study)
        report = write_report(
            study.findings, view=study.films[0].view, follow_up=study.follow_up, seed=study.films[0].exposure
        )
        labels[study.study_id] = report.labels
        _keep(place.with_suffix(".txt"), report.text.encode())
        for film in study.films:
            path = place / f"{film.image_id}.dcm"
            _keep(path, _film_bytes(study, film))
            images.append(_described(path, study, film))
    _write_companions(folder, planned, labels)
    return DemoArchive(folder, tuple(images))


def _place(folder: Path, study: PlannedStudy) -> Path:
    return folder / "files" / study.subject_id[:3] / study.subject_id / study.study_id


def _described(path: Path, study: PlannedStudy, film: PlannedImage) -> DemoImage:
    return DemoImage(
        path=path,
        image_id=film.image_id,
        study_id=study.study_id,
        subject_id=study.subject_id,
        view=film.view,
        findings=study.findings,
        monochrome1=film.monochrome1,
        voi=film.voi,
        syntax=film.syntax,
        view_position=film.view_position,
    )


def _film_bytes(study: PlannedStudy, film: PlannedImage) -> bytes:
    rows, columns = film.shape
    pixels = draw_phantom(
        film.view, study.findings, patient=study.patient, exposure=film.exposure, rows=rows, columns=columns
    )
    return to_dicom(pixels, monochrome1=film.monochrome1, voi=film.voi, syntax=film.syntax, **_film_tags(study, film))


def _film_tags(study: PlannedStudy, film: PlannedImage) -> dict[str, object]:
    day, time = f"{study.day:%Y%m%d}", _clock(study.seconds)
    return {
        "PatientID": study.subject_id[1:],
        "StudyID": study.study_id[1:],
        "StudyInstanceUID": _uid(study.study_id),
        "SeriesInstanceUID": _uid(f"{study.study_id}/{film.view}"),
        "SOPInstanceUID": _uid(film.image_id),
        "StudyDate": day,
        "ContentDate": day,
        "StudyTime": time,
        "ContentTime": time,
        "PerformedProcedureStepDescription": _PROCEDURES[film.view],
        "ViewPosition": film.view_position,
        "ViewCodeSequence": coded(*_VIEW_CODES[film.view]),
        "PatientOrientationCodeSequence": coded(*_POSTURES[film.view]),
    }


def _clock(seconds: float) -> str:
    """Return a DICOM time, `080556.875`."""
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes) // 60:02}{int(minutes) % 60:02}{rest:06.3f}"


def _uid(name: str) -> str:
    """Return a UID made from a hash, PS3.5 B.2."""
    return f"2.25.{int.from_bytes(hashlib.sha256(name.encode()).digest()[:16])}"


def _write_companions(
    folder: Path, planned: Sequence[PlannedStudy], labels: Mapping[StudyId, Mapping[str, int]]
) -> None:
    films = [(study, film, study.subject_id[1:], study.study_id[1:]) for study in planned for film in study.films]
    of_study = [(study, study.subject_id[1:], study.study_id[1:]) for study in planned]
    paths = {study.study_id: _place(folder, study).relative_to(folder).as_posix() for study in planned}
    records = [(p, s, film.image_id, f"{paths[study.study_id]}/{film.image_id}.dcm") for study, film, p, s in films]
    _table(folder / "cxr-record-list.csv.gz", ("subject_id", "study_id", "dicom_id", "path"), records)
    reports = [(p, s, f"{paths[study.study_id]}.txt") for study, p, s in of_study]
    _table(folder / "cxr-study-list.csv.gz", ("subject_id", "study_id", "path"), reports)
    facts = [_metadata(study, film) for study, film, _, _ in films]
    _table(folder / "mimic-cxr-2.0.0-metadata.csv.gz", _METADATA_COLUMNS, facts)
    splits = [(film.image_id, s, p, _SPLITS[int(p) % len(_SPLITS)]) for _, film, p, s in films]
    _table(folder / "mimic-cxr-2.0.0-split.csv.gz", ("dicom_id", "study_id", "subject_id", "split"), splits)
    found = [(p, s, *_label_cells(labels[study.study_id])) for study, p, s in of_study]
    for labeller in ("chexpert", "negbio"):
        _table(folder / f"mimic-cxr-2.0.0-{labeller}.csv.gz", ("subject_id", "study_id", *LABELS), found)


def _metadata(study: PlannedStudy, film: PlannedImage) -> tuple[object, ...]:
    """Return one row; StudyTime is a number there: 80556.875 is 08:05:56.875."""
    procedure = _PROCEDURES[film.view]
    names = (film.image_id, study.subject_id[1:], study.study_id[1:])
    when = (f"{study.day:%Y%m%d}", float(_clock(study.seconds)))
    codes = (procedure, _VIEW_CODES[film.view][1], _POSTURES[film.view][1])
    return (*names, procedure, film.view_position, *film.shape, *when, *codes)


def _label_cells(labels: Mapping[str, int]) -> list[str]:
    return [f"{labels[label]:.1f}" if label in labels else "" for label in LABELS]


def _table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    _keep(path, gzip.compress(text.getvalue().encode(), mtime=0))


def _keep(path: Path, content: bytes) -> None:
    """Make the file hold this content: at once or not at all, and untouched where it does already."""
    if path.is_file() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    half_written = path.with_name(f".{path.name}.part")
    half_written.write_bytes(content)
    half_written.replace(path)
