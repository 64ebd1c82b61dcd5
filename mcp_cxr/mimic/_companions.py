"""The CSV files that come with MIMIC-CXR and MIMIC-CXR-JPG: metadata, split, labels; plain or gzipped."""

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
from mcp_cxr.files import open_without_links
from mcp_cxr.records import LABELS

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping
    from io import BufferedReader
    from pathlib import Path

_LABEL_VALUES = {1.0: 1, 0.0: 0, -1.0: -1}

# mimic-cxr-2.0.0-metadata.csv.gz, mimic-cxr-2.1.0-split.csv ...; chexpert is read before negbio and wins.
_NAME = re.compile(r"mimic-cxr-[0-9.]+-(metadata|split|chexpert|negbio)\.csv(\.gz)?")


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the metadata file says of one image."""

    view: str
    """ViewPosition, or else the meaning of the view code; as written."""
    study_date: str | None
    """ISO date."""


@dataclass(frozen=True, slots=True)
class Companions:
    """Everything the companion files say; empty where there are none."""

    images: Mapping[str, ImageFacts] = field(default_factory=dict[str, ImageFacts])
    """By dicom_id."""
    splits: Mapping[str, str] = field(default_factory=dict[str, str])
    """By study with its letter."""
    labels: Mapping[str, Mapping[str, int]] = field(default_factory=dict[str, "Mapping[str, int]"])
    """By study with its letter."""
    files: tuple[str, ...] = ()
    """Names of the files that were read."""


def read_companions(folders: Iterable[Path]) -> Companions:
    """Read the companion files of these folders; where a kind is found twice, the first folder wins.

    Raises:
        ConfigError: A file has this name but not its columns, or is damaged.
    """
    found: dict[str, Path] = {}
    for folder in folders:
        for path in _listed(folder):
            if name := _NAME.fullmatch(path.name):
                found.setdefault(name[1], path)
    labels = found.get("chexpert", found.get("negbio"))
    used = [path for path in (found.get("metadata"), found.get("split"), labels) if path]
    return Companions(
        images=_images(found.get("metadata")),
        splits=_splits(found.get("split")),
        labels=_labels(labels),
        files=tuple(path.name for path in used),
    )


def _listed(folder: Path) -> list[Path]:
    """Return a folder's files by name; the parent of what is ingested need not be ours to list."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _images(path: Path | None) -> dict[str, ImageFacts]:
    """Return what the metadata file says; of its hundreds of thousands of facts, equal ones are kept once."""
    facts: dict[tuple[str, str], ImageFacts] = {}
    images: dict[str, ImageFacts] = {}
    with _table(path, ("dicom_id", "ViewPosition"), ("ViewCodeSequence_CodeMeaning", "StudyDate")) as rows:
        for image_id, position, meaning, date in rows:
            view = position or meaning
            if (view, date) not in facts:
                facts[view, date] = ImageFacts(view, _iso_date(date))
            images[image_id] = facts[view, date]
    return images


def _splits(path: Path | None) -> dict[str, str]:
    with _table(path, ("study_id", "split")) as rows:
        return {f"s{study}": sys.intern(split) for study, split in rows}


def _labels(path: Path | None) -> dict[str, dict[str, int]]:
    with _table(path, ("study_id",), LABELS) as rows:
        return {
            f"s{study}": {label: _LABEL_VALUES[float(cell)] for label, cell in zip(LABELS, cells, strict=True) if cell}
            for study, *cells in rows
        }


@contextmanager
def _table(
    path: Path | None, columns: tuple[str, ...], optional: tuple[str, ...] = ()
) -> Generator[Iterable[list[str]]]:
    """Open a file as rows of the cells of these columns; whatever goes wrong inside is the file's fault.

    Args:
        path: None: there are no rows.
        optional: Columns whose cells are empty where the file does not have them.
    """
    if path is None:
        yield ()
        return
    try:
        with open_without_links(path) as file, _text(gzip.open(file) if path.suffix == ".gz" else file) as text:
            yield _cells(csv.reader(text), columns, optional)
    except (OSError, EOFError, LookupError, ValueError, csv.Error, zlib.error) as exc:
        if isinstance(exc, OSError) and exc.errno == errno.ELOOP:
            raise ConfigError(f"The companion file {path.name} is a link; name the folder of the file itself.") from exc
        raise ConfigError(f"Cannot read the companion file {path.name}: damaged, or not MIMIC-CXR's columns.") from exc


def _text(file: BufferedReader | gzip.GzipFile) -> io.TextIOWrapper:
    return io.TextIOWrapper(file, encoding="utf-8-sig", newline="")


def _cells(rows: Iterator[list[str]], columns: tuple[str, ...], optional: tuple[str, ...]) -> Iterator[list[str]]:
    """Yield the cells of these columns, row by row.

    A dict a row, as `csv.DictReader` makes it, was measured to take twice as long for all three files of MIMIC-CXR.
    """
    head = next(rows, list[str]())
    missing = len(head)  # where the empty cell is put that stands for every column that is not there
    at = [head.index(name) for name in columns] if head else []
    at += [head.index(name) if name in head else missing for name in optional]
    for row in rows:
        if row:
            if len(row) < missing:
                raise ValueError("a row is cut off")
            row[missing:] = [""]
            yield [row[number] for number in at]


def _iso_date(text: str) -> str | None:
    """Turn `21800506` into `2180-05-06`."""
    try:
        return dt.date.fromisoformat(text).isoformat()
    except ValueError:
        return None
