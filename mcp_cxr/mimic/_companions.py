"""The CSV files that come with MIMIC-CXR and MIMIC-CXR-JPG: metadata, split, labels; plain or gzipped."""

from __future__ import annotations

import csv
import datetime as dt
import errno
import gzip
import io
import re
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from mcp_cxr.errors import ConfigError
from mcp_cxr.files import open_real
from mcp_cxr.records import LABELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from io import BufferedReader
    from pathlib import Path

_T = TypeVar("_T")

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
        images=dict(_read(found.get("metadata"), _image_facts)),
        splits=dict(_read(found.get("split"), lambda row: (f"s{row['study_id']}", row["split"]))),
        labels=dict(_read(labels, _study_labels)),
        files=tuple(path.name for path in used),
    )


def _listed(folder: Path) -> list[Path]:
    """Return a folder's files by name; the parent of what is ingested need not be ours to list."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _read(path: Path | None, parse: Callable[[dict[str, str]], _T]) -> Iterator[_T]:
    if path is None:
        return
    try:
        with open_real(path) as file, _text(gzip.open(file) if path.suffix == ".gz" else file) as text:
            for row in csv.DictReader(text):
                yield parse(_whole(row))
    except (OSError, EOFError, KeyError, ValueError, csv.Error, zlib.error) as exc:
        if isinstance(exc, OSError) and exc.errno == errno.ELOOP:
            raise ConfigError(f"The companion file {path.name} is a link; name the folder of the file itself.") from exc
        raise ConfigError(f"Cannot read the companion file {path.name}: damaged, or not MIMIC-CXR's columns.") from exc


def _text(file: BufferedReader | gzip.GzipFile) -> io.TextIOWrapper:
    return io.TextIOWrapper(file, encoding="utf-8-sig", newline="")


def _whole(row: dict[str, str | None]) -> dict[str, str]:
    """Return the row, whose cells `csv` leaves None where the line is too short."""
    whole = {column: cell for column, cell in row.items() if cell is not None}
    if len(whole) < len(row):
        raise ValueError("a row is cut off")
    return whole


def _image_facts(row: dict[str, str]) -> tuple[str, ImageFacts]:
    view = row["ViewPosition"] or row.get("ViewCodeSequence_CodeMeaning", "")
    return row["dicom_id"], ImageFacts(view, _iso_date(row.get("StudyDate", "")))


def _study_labels(row: dict[str, str]) -> tuple[str, dict[str, int]]:
    return f"s{row['study_id']}", {label: _LABEL_VALUES[float(row[label])] for label in LABELS if row.get(label)}


def _iso_date(text: str) -> str | None:
    """Turn `21800506` into `2180-05-06`."""
    try:
        return dt.date.fromisoformat(text).isoformat()
    except ValueError:
        return None
