"""MIMIC-CXR's companion files, written as a test needs them."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

METADATA = ("dicom_id", "subject_id", "study_id", "ViewPosition", "StudyDate", "ViewCodeSequence_CodeMeaning")


def table(path: Path, columns: Sequence[str], *rows: Sequence[object]) -> Path:
    """Write a CSV file, gzipped where its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(",".join(map(str, row)) + "\n" for row in (columns, *rows))
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def metadata(folder: Path, *rows: Sequence[object]) -> Path:
    """Rows as `METADATA` names their columns."""
    return table(folder / "mimic-cxr-2.0.0-metadata.csv.gz", METADATA, *rows)


def split(folder: Path, *rows: Sequence[object]) -> Path:
    """Rows of dicom_id, study_id, subject_id, split."""
    columns = ("dicom_id", "study_id", "subject_id", "split")
    return table(folder / "mimic-cxr-2.0.0-split.csv.gz", columns, *rows)


def labels_by_people(folder: Path, *rows: Sequence[object]) -> Path:
    """Rows of study_id, Airspace Opacity, Edema, Pneumonia, of the test set; this table names the first one so."""
    columns = ("study_id", "Airspace Opacity", "Edema", "Pneumonia")
    return table(folder / "mimic-cxr-2.1.0-test-set-labeled.csv", columns, *rows)


def labels(folder: Path, *rows: Sequence[object], labeller: str = "chexpert") -> Path:
    """Rows of subject_id, study_id, Edema, Pneumonia."""
    columns = ("subject_id", "study_id", "Edema", "Pneumonia")
    return table(folder / f"mimic-cxr-2.0.0-{labeller}.csv.gz", columns, *rows)
