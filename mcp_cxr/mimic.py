"""MIMIC-CXR and MIMIC-CXR-JPG: folder layout and companion tables.

Images are at `p10/p10000032/s50414267/<dicom_id>.dcm`, their report at `p10/p10000032/s50414267.txt`. The companion
tables are metadata, split and labels as CSV, plain or gzipped; labels are by radiologists, for the test set, or by a
program that read the reports.
"""

from __future__ import annotations

import csv
import datetime as dt
import errno
import gzip
import io
import re
import sys
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcp_cxr.errors import ConfigError
from mcp_cxr.records import LABELS, ImageId, StudyId, SubjectId, mimic_study_id
from mcp_cxr.safe_files import open_without_links

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping
    from io import BufferedReader
    from pathlib import Path

_IMAGE = re.compile(
    r"(?:^|/)p(?P<group>\d\d)/(?P<subject>p(?P=group)\d{6})/(?P<study>s\d{8})/"
    r"(?P<image>[0-9a-f]{8}(?:-[0-9a-f]{8}){4})\.(?:dcm|dcm\.gz|png|jpe?g)$"
)

_LABEL_VALUES = {1.0: 1, 0.0: 0, -1.0: -1}

# mimic-cxr-2.0.0-metadata.csv.gz, mimic-cxr-2.1.0-split.csv ...; negbio is used only if there is no chexpert.
_NAME = re.compile(r"mimic-cxr-[0-9.]+-(metadata|split|chexpert|negbio|test-set-labeled)\.csv(\.gz)?")
_OTHER_NAMES = {"Airspace Opacity": "Lung Opacity"}  # in the radiologists' table, which has no subject_id either
_BY_PEOPLE = "test-set-labeled"  # by radiologists, of the studies of the test set


@dataclass(frozen=True, slots=True)
class ImageIds:
    """The ids of one image, its study and its subject."""

    image_id: ImageId
    study_id: StudyId
    subject_id: SubjectId


def ids_of(path: Path | str) -> ImageIds | None:
    """Return the ids in an absolute path; None if it is not in MIMIC-CXR's layout."""
    found = _IMAGE.search(path if isinstance(path, str) else path.as_posix())
    if found is None:
        return None
    return ImageIds(ImageId(found["image"]), StudyId(found["study"]), SubjectId(found["subject"]))


def report_paths(path: Path, companion_folders: tuple[Path, ...]) -> Iterator[Path]:
    """Yield the possible paths of the report of an image in MIMIC-CXR's layout, nearest first.

    Args:
        path: The image's file.
        companion_folders: Folders that may contain PhysioNet's separate tree of reports (`files/p10/...`).
    """
    study = path.parent
    subject = study.parent
    name = f"{study.name}.txt"
    yield subject / name
    in_tree = f"{subject.parent.name}/{subject.name}/{name}"
    for folder in companion_folders:
        yield folder / "files" / in_tree
        yield folder / "mimic-cxr-reports/files" / in_tree


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the metadata table contains about one image."""

    view: str
    """ViewPosition, or else the meaning of the view code; as written."""
    study_date: str | None
    """ISO date."""


@dataclass(frozen=True, slots=True)
class LabelTable:
    """The contents of one table of labels; empty if there is none."""

    by: str | None = None
    """Who gave them: one of `records.LABEL_SOURCES`."""
    labels: Mapping[str, Mapping[str, int]] = field(default_factory=dict[str, "Mapping[str, int]"])
    """By study id with its prefix; at least one each."""

    positives_only: bool = False
    """Whether it has no value but 1, so that a blank does not say that a finding is absent."""


@dataclass(frozen=True, slots=True)
class Companions:
    """The contents of all companion tables; empty if there are none."""

    images: Mapping[str, ImageFacts] = field(default_factory=dict[str, ImageFacts])
    """By dicom_id."""
    splits: Mapping[str, str] = field(default_factory=dict[str, str])
    """By study id with its prefix."""
    label_tables: tuple[LabelTable, ...] = ()
    """Best first."""
    files: tuple[str, ...] = ()
    """Names of the files that were read."""

    def label_table_of(self, study_id: str) -> LabelTable:
        """Return the best table that has labels of a study, by its id with its prefix; an empty one if none has."""
        return next((table for table in self.label_tables if study_id in table.labels), LabelTable())


def read_companions(folders: Iterable[Path]) -> Companions:
    """Read the companion tables in these folders; of several of one kind, that in the first folder.

    Raises:
        ConfigError: A file with such a name lacks the columns, or is damaged.
    """
    found: dict[str, Path] = {}
    for folder in folders:
        for path in _files_in(folder):
            if name := _NAME.fullmatch(path.name):
                found.setdefault(name[1], path)
    program = "chexpert" if "chexpert" in found else "negbio"
    label_files = {"people": found.get(_BY_PEOPLE), program: found.get(program)}
    used = [path for path in (found.get("metadata"), found.get("split"), *label_files.values()) if path]
    return Companions(
        images=_images(found.get("metadata")),
        splits=_splits(found.get("split")),
        label_tables=tuple(_label_table(by, path) for by, path in label_files.items() if path),
        files=tuple(path.name for path in used),
    )


def _files_in(folder: Path) -> list[Path]:
    """Return the files of a folder by name; none if it cannot be listed, as may be true of a parent folder."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _images(path: Path | None) -> dict[str, ImageFacts]:
    """Read the metadata table; equal facts of its hundreds of thousands of rows share one object."""
    distinct: dict[tuple[str, str], ImageFacts] = {}
    images: dict[str, ImageFacts] = {}
    with _open_table(path, ("dicom_id", "ViewPosition"), ("ViewCodeSequence_CodeMeaning", "StudyDate")) as rows:
        for image_id, position, meaning, date in rows:
            view = position or meaning
            if (view, date) not in distinct:
                distinct[view, date] = ImageFacts(view, _iso_date(date))
            images[image_id] = distinct[view, date]
    return images


def _splits(path: Path | None) -> dict[str, str]:
    with _open_table(path, ("study_id", "split")) as rows:
        return {mimic_study_id(study): sys.intern(split) for study, split in rows}


def _label_table(by: str, path: Path) -> LabelTable:
    labels = _labels(path)
    return LabelTable(by, labels, all(value == 1 for one in labels.values() for value in one.values()))


def _labels(path: Path) -> dict[str, dict[str, int]]:
    with _open_table(path, ("study_id",), LABELS) as rows:
        return {
            mimic_study_id(study): {
                label: _LABEL_VALUES[float(cell)] for label, cell in zip(LABELS, cells, strict=True) if cell
            }
            for study, *cells in rows
            if any(cells)
        }


@contextmanager
def _open_table(
    path: Path | None, columns: tuple[str, ...], optional: tuple[str, ...] = ()
) -> Generator[Iterable[list[str]]]:
    """Open a table as rows of the cells of these columns; any error while it is read is one of the file.

    Args:
        path: None: no rows.
        optional: Columns whose cells are empty if the file lacks them.
    """
    if path is None:
        yield ()
        return
    try:
        with open_without_links(path) as file, _text(gzip.open(file) if path.suffix == ".gz" else file) as text:
            yield _cells(csv.reader(text), columns, optional)
    except (OSError, EOFError, LookupError, ValueError, csv.Error, zlib.error) as exc:
        if isinstance(exc, OSError) and exc.errno == errno.ELOOP:
            raise ConfigError(
                f"The companion file {path.name} is a symbolic link; give the folder of the file itself."
            ) from exc
        raise ConfigError(
            f"Cannot read the companion file {path.name}: it is damaged, or lacks MIMIC-CXR's columns."
        ) from exc


def _text(file: BufferedReader | gzip.GzipFile) -> io.TextIOWrapper:
    return io.TextIOWrapper(file, encoding="utf-8-sig", newline="")


def _cells(rows: Iterator[list[str]], columns: tuple[str, ...], optional: tuple[str, ...]) -> Iterator[list[str]]:
    """Yield the cells of these columns, row by row.

    `csv.DictReader` was measured to take twice as long for the three files of MIMIC-CXR.
    """
    header = [_OTHER_NAMES.get(name, name) for name in next(rows, list[str]())]
    missing = len(header)  # index of an empty cell, which is put there for every column that is missing
    indexes = [header.index(name) for name in columns] if header else []
    indexes += [header.index(name) if name in header else missing for name in optional]
    for row in rows:
        if row:
            if len(row) < missing:
                raise ValueError("a row is too short")
            row[missing:] = [""]
            yield [row[index] for index in indexes]


def _iso_date(text: str) -> str | None:
    """Turn `21800506` into `2180-05-06`."""
    try:
        return dt.date.fromisoformat(text).isoformat()
    except ValueError:
        return None
