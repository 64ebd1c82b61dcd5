"""The layout `own`, for images of no known data set: a table `images.csv`, or a text file beside each image."""

from __future__ import annotations

import os.path
import posixpath
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from mcp_cxr.language import public_labels
from mcp_cxr.layouts._adapter import Adapter, RowsByKey, TableForm, TableReading
from mcp_cxr.layouts._cell_values import (
    age_of,
    iso_date,
    iso_time,
    label_value,
    names_in_list,
    number_id,
    sex_of,
    text_of,
)
from mcp_cxr.layouts._facts import FileFacts
from mcp_cxr.layouts._texts import read_report_file
from mcp_cxr.records import LABELS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_COLUMNS = (
    *("path", "patient", "study", "accession", "study_uid", "view", "date", "time", "sex", "age", "split", "labels"),
    *("report", "report_file"),
)
_ALIASES = {
    **dict.fromkeys(("file", "filename", "file_name", "image", "image_path", "file_path", "filepath"), "path"),
    **dict.fromkeys(("patient_id", "patientid", "subject", "subject_id"), "patient"),
    **dict.fromkeys(("study_id", "studyid", "exam"), "study"),
    **dict.fromkeys(("accession_number", "accessionnumber"), "accession"),
    **dict.fromkeys(("studyinstanceuid", "study_instance_uid"), "study_uid"),
    **dict.fromkeys(("view_position", "viewposition", "projection"), "view"),
    **dict.fromkeys(("study_date", "studydate"), "date"),
    **dict.fromkeys(("study_time", "studytime"), "time"),
    **dict.fromkeys(("gender", "patient_sex"), "sex"),
    **dict.fromkeys(("patient_age",), "age"),
    **dict.fromkeys(("finding_labels",), "labels"),
    **dict.fromkeys(("report_text",), "report"),
    **dict.fromkeys(("report_path",), "report_file"),
    **{"_".join(label.lower().split()): label for label in LABELS},
}
_LABEL = re.compile(r"\s*(?P<name>[^=:]+?)\s*(?:[=:]\s*(?P<value>.*?))?\s*")
_VALUES = frozenset({"1", "0", "-1", "1.0", "0.0", "-1.0"})
_MAX_LABEL = 100
_MAX_LABELS = 1000
_MOST_NAMED = 5  # columns in one warning
_DRIVE = re.compile(r"[A-Za-z]:/")
_LEFT_OUT = {
    "path": "rows left out, because their paths lead out of the folder that is ingested: {}.",
    "date": "dates that were not read: {}; write them as 2024-01-31.",
    "time": "times that were not read: {}; write them as 08:05:56.",
    "sex": "values of sex that were not read: {}; write F or M.",
    "age": "ages that were not read: {}; write them in years, as 63.",
    "label_values": "labels left out, because their value is not 1, 0 or -1: {}.",
    "labels": f"labels left out, over {_MAX_LABEL} characters long or beyond the first {_MAX_LABELS}: {{}}.",
}
"""By column: what was left out."""
_WORD = re.compile(r"[^\W\d_]{3,}")
_FEWEST_WORDS = 3  # of a report; files of boxes beside images hold numbers
_IMAGE_ENDING = re.compile(r"(?:\.dcm\.gz|\.[^./]+)$", re.IGNORECASE)


class _Row(NamedTuple):
    facts: FileFacts
    report_file: Path | None


class ImagesCsvLayout(Adapter):
    """A folder that people arrange themselves."""

    name = "own"
    title = "images.csv"
    tables = (
        TableForm(
            "images",
            re.compile(r"images\.csv(?:\.gz)?", re.IGNORECASE),
            ("path",),
            signature=("path", "patient"),
            aliases=_ALIASES,
            folds_case=True,
            is_one_of_several=True,
        ),
    )

    def __init__(self) -> None:
        super().__init__()
        self._folders_seen: set[str] = set()
        self._lock = Lock()
        self._left_out: Counter[tuple[str, str]] = Counter()
        self._unknown_columns: dict[str, dict[str, None]] = {}
        self._texts: set[Path] = set()
        self._near_paths: dict[str, str | None] | None = None

    def read(self, form: TableForm, reading: TableReading) -> RowsByKey[Any]:
        """Read the table of images."""
        del form
        known = {"", *_COLUMNS, *LABELS}
        unknown = dict.fromkeys(name for name in reading.table.header if name not in known)
        self._unknown_columns.setdefault(reading.path.name, {}).update(unknown)
        return RowsByKey(list(self._rows(reading)))

    def facts_of(self, path: str) -> FileFacts | None:
        """Return the facts of an image that a table names."""
        row = self._row(path)
        return row.facts if row else None

    def report_of(self, path: Path, facts: FileFacts, folders: Sequence[Path]) -> str | None:
        """Return the report in the table, in the file that it names, or in a text file beside the image."""
        del folders
        if facts.has_public_ids or facts.report:
            return facts.report
        row = self._row(path.as_posix())
        if row and row.report_file:
            self.use_text(row.report_file)
            return read_report_file(row.report_file)
        return self._text_beside(path)

    def warnings(self) -> Iterator[str]:
        """Yield what was taken from text files, and what was left out."""
        if self._texts:
            yield f"Text files beside images, taken as their reports: {len(self._texts)}."
        for table, columns in self._unknown_columns.items():
            names = [name[:_MAX_LABEL] for name in columns][:_MOST_NAMED]
            more = len(columns) - len(names)
            others = f" and {more} more" if more else ""
            if names:
                yield f"{table}: unknown columns were not used: {', '.join(names)}{others}."
        yield from (f"{table}: {_LEFT_OUT[what].format(count)}" for (table, what), count in self._left_out.items())

    def _row(self, path: str) -> _Row | None:
        self._look_beside(path)
        place = os.path.normcase(path)
        if (row := self.find("images", place)) or not self.loaded.get("images"):
            return row
        near = self._near()
        found = near.get(place.lower()) or near.get(_IMAGE_ENDING.sub("", place).lower())
        return self.find("images", found) if found else None

    def _near(self) -> dict[str, str | None]:
        """Return the path in the table by the path in small letters; None if it means several."""
        if self._near_paths is None:
            near: dict[str, str | None] = {}
            for place in {place for rows in self.loaded["images"] for place in rows.keys()}:  # noqa: SIM118
                near[place.lower()] = None if place.lower() in near else place
            self._near_paths = near
        return self._near_paths

    def _look_beside(self, path: str) -> None:
        """Read the `images.csv` in the folders between the image and the folder that is ingested."""
        folder = path.rpartition("/")[0]
        if folder in self._folders_seen or self.root is None or self.load_table is None:
            return
        with self._lock:
            root = self.root.as_posix()
            while folder not in self._folders_seen and folder.startswith(root):
                table = Path(folder) / "images.csv"
                if folder != root and table.is_file():
                    self.load_table(table, self.tables[0])
                    self._near_paths = None
                self._folders_seen.add(folder)
                folder = folder.rpartition("/")[0]

    def _rows(self, reading: TableReading) -> Iterator[tuple[str, _Row]]:
        table, positives_only = reading.path.name, True
        rows: list[tuple[str, _Row]] = []
        names: set[str] = set()
        for cells in reading.table.cells((*_COLUMNS, *LABELS)):
            cell = dict(zip(_COLUMNS, cells, strict=False))
            place = self._place(reading.path.parent, cell["path"])
            if place is None:
                self._left_out[table, "path"] += 1
                continue
            labels = self._labels(table, cell["labels"], names) | reading.labelled(LABELS, cells[len(_COLUMNS) :])
            positives_only = positives_only and all(value == 1 for value in public_labels(labels).values())
            report = self._place(reading.path.parent, cell["report_file"]) if cell["report_file"].strip() else None
            rows.append((place, _Row(self._facts(table, cell, labels), Path(report) if report else None)))
        for place, row in rows:
            if positives_only and row.facts.labels:
                yield place, row._replace(facts=replace(row.facts, positives_only=True))
            else:
                yield place, row

    def _facts(self, table: str, cell: Mapping[str, str], labels: Mapping[str, int]) -> FileFacts:
        patient = number_id(cell["patient"]) if text_of(cell["patient"]) else None
        study = text_of(cell["study_uid"])
        for column in ("study", "accession"):
            if study is None and (number := text_of(cell[column])):
                study = f"{patient or ''}/{column} {number_id(number)}"
        date, time = iso_date(cell["date"]), iso_time(cell["time"])
        sex, age = sex_of(cell["sex"]), age_of(cell["age"])
        for column, value in (("date", date), ("time", time), ("sex", sex), ("age", age)):
            if value is None and text_of(cell[column]):
                self._left_out[table, column] += 1
        return FileFacts(
            subject=patient,
            study=study,
            view=text_of(cell["view"]),
            study_date=date,
            study_time=time,
            split=text_of(cell["split"]),
            labels=labels,
            sex=sex,
            age=age,
            report=text_of(cell["report"]),
        )

    def _labels(self, table: str, cell: str, names: set[str]) -> dict[str, int]:
        """Return the labels in a cell: `Edema|Mass`, `Edema=1|Mass=0`, or a list of names."""
        labels: dict[str, int] = {}
        listed = names_in_list(cell) if cell.startswith("[") else None
        for part in listed if listed is not None else re.split(r"[|;]", cell):
            found = _LABEL.fullmatch(part)
            if found is None or not part.strip() or found["value"] == "":
                continue
            name, value = found["name"], found["value"] or "1"
            if value not in _VALUES:
                self._left_out[table, "label_values"] += 1
                continue
            if len(name) > _MAX_LABEL or (len(names) >= _MAX_LABELS and name not in names):
                self._left_out[table, "labels"] += 1
                continue
            names.add(name)
            labels[name] = label_value(value) or 0
        return labels

    def _place(self, folder: Path, cell: str) -> str | None:
        """Return the absolute path that a cell names, if it is below the folder that is ingested."""
        root = self.root.as_posix() if self.root else folder.as_posix()
        start = folder.as_posix() if folder.is_relative_to(root) or Path(root).is_relative_to(folder) else root
        named = cell.strip().replace("\\", "/")
        place = posixpath.normpath(named if _DRIVE.match(named) else posixpath.join(start, named))
        return os.path.normcase(place) if named and place.startswith(root.rstrip("/") + "/") else None

    def _text_beside(self, path: Path) -> str | None:
        """Return the report in the text file of the image's name, or one up of its folder's name."""
        stem = _IMAGE_ENDING.sub("", path.name)
        for place in dict.fromkeys((path.with_name(f"{stem}.txt"), path.with_name(f"{path.name}.txt"))):
            if (text := self._prose(place)) is not None:
                return text
        if self.root is not None and path.parent != self.root and path.parent.is_relative_to(self.root):
            return self._prose(path.parent.with_name(f"{path.parent.name}.txt"))
        return None

    def _prose(self, place: Path) -> str | None:
        text = read_report_file(place)
        if text is None or len(_WORD.findall(text[:10_000])) < _FEWEST_WORDS:
            return None
        self._texts.add(place)
        self.use_text(place)
        return text
