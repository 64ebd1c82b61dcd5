"""MIMIC-CXR and MIMIC-CXR-JPG, as published and as people have them.

Images are at `p10/p10000032/s50414267/<dicom_id>.dcm`, their report at `p10/p10000032/s50414267.txt`. People also have
one patient's folder without `p10`, or images in one folder, whose ids are in the metadata table; reports in a tree, a
zip file or a table of their own; tables under other names, or written again by pandas. Labels are by radiologists,
for the test set, or by a program that read the reports.
"""

from __future__ import annotations

import re
import zipfile
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from mcp_cxr.layouts._adapter import Adapter, RowsByKey, TableForm, TableReading
from mcp_cxr.layouts._cell_values import interned, is_empty, iso_date, iso_time, number_id, text_of
from mcp_cxr.layouts._facts import NO_LABELS, FileFacts
from mcp_cxr.layouts._tables import TableError
from mcp_cxr.layouts._texts import read_report_file
from mcp_cxr.layouts._xml_and_zip import ReportZip
from mcp_cxr.records import LABELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

_DICOM_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{8}){4}"
_ENDING = r"\.(?:dcm|dicom|dcm\.gz|png|jpe?g)$"
_IN_FOLDERS = re.compile(
    rf"(?:^|/)(?P<subject>p\d{{8}})/(?P<study>s\d{{8}})/(?P<image>{_DICOM_ID}){_ENDING}", re.IGNORECASE
)
_IN_FOLDERS_ONLY = re.compile(r"(?:^|/)p\d{8}/s\d{8}/[^/]+$", re.IGNORECASE)
_NAMED = re.compile(rf"(?:^|/)({_DICOM_ID}){_ENDING}", re.IGNORECASE)
_REPORT = re.compile(r"s\d{8}\.txt")
_SECTIONS = ("findings", "impression", "last_paragraph", "comparison")


class MimicIds(NamedTuple):
    """MIMIC-CXR's ids, with their letters."""

    subject: str
    study: str
    image: str


def mimic_ids(path: str) -> MimicIds | None:
    """Return the ids in a path with slashes; None if its folders are not MIMIC-CXR's."""
    found = _IN_FOLDERS.search(path)
    return MimicIds(found["subject"].lower(), found["study"].lower(), found["image"].lower()) if found else None


def _form(kind: str, name: str, keys: tuple[str, ...], **others: Any) -> TableForm:  # noqa: ANN401 - fields of the form
    return TableForm(kind, re.compile(rf"mimic-cxr-[0-9.]+-{name}\.csv(?:\.gz)?", re.IGNORECASE), keys, **others)


class _Image(NamedTuple):
    """What the metadata table says of one image; equal ones of hundreds of thousands share one object."""

    view: str | None
    study_date: str | None


class _Labels(NamedTuple):
    by: str | None
    labels: RowsByKey[Mapping[str, int]]
    positives_only: bool


class MimicLayout(Adapter):
    """MIMIC-CXR and MIMIC-CXR-JPG."""

    name = "mimic-cxr"
    title = "MIMIC-CXR"
    documents = re.compile(r"mimic-cxr-reports?[\w.-]*\.zip", re.IGNORECASE)
    tables = (
        _form(
            "metadata",
            "metadata",
            ("dicom_id",),
            expected=("subject_id", "study_id", "ViewPosition", "StudyDate"),
            signature=("dicom_id", "study_id", "ViewPosition"),
        ),
        TableForm(
            "records",
            re.compile(r"cxr-record-list\.csv(?:\.gz)?", re.IGNORECASE),
            ("dicom_id", "study_id", "subject_id"),
            signature=("dicom_id", "study_id", "subject_id", "path"),
            superseded_by=("metadata",),
        ),
        TableForm(
            "reports",
            re.compile(r"cxr-study-list\.csv(?:\.gz)?", re.IGNORECASE),
            ("study_id",),
            is_needed=False,
        ),
        _form("split", "split", ("study_id", "split"), signature=("dicom_id", "study_id", "split")),
        _form("people", "test-set-labeled", ("study_id",), aliases={"Airspace Opacity": "Lung Opacity"}),
        _form("chexpert", "chexpert", ("study_id",)),
        _form("negbio", "negbio", ("study_id",), superseded_by=("chexpert",)),
        TableForm(
            "labels",
            re.compile(r"(?!)"),
            ("study_id",),
            signature=("study_id", "Edema", "No Finding", "Pneumothorax", "Support Devices"),
            superseded_by=("chexpert", "negbio"),
        ),
        TableForm(
            "sections",
            re.compile(r"mimic_cxr_sectioned\.csv(?:\.gz)?", re.IGNORECASE),
            ("study_id",),
            expected=("findings", "impression"),
            signature=("study_id", "findings", "impression"),
            aliases={"study": "study_id"},
        ),
    )

    def __init__(self) -> None:
        super().__init__()
        self._studies: dict[str, int] = {}  # by dicom_id; numbers take the least memory
        self._subjects: dict[int, int] = {}  # by study
        self._times: dict[int, str] = {}  # by study
        self._label_tables: list[_Labels] | None = None
        self._unplaced: set[str] = set()
        self._unnamed: set[str] = set()
        self._unread_dates = 0
        self._zips: list[ReportZip] = []
        self._unopened: list[Path] = []
        self._refused: list[str] = []
        self._lock = Lock()

    def read(self, form: TableForm, reading: TableReading) -> RowsByKey[Any]:
        """Read one table."""
        match form.kind:
            case "metadata" | "records":
                return RowsByKey(self._images(reading))
            case "split":
                rows = reading.table.cells(("study_id", "split"))
                return RowsByKey((number_id(study, "s"), interned(split)) for study, split in rows)
            case "sections":
                return RowsByKey(_sectioned(reading))
            case _:
                rows = reading.table.cells(("study_id", *LABELS))
                labelled = ((study, reading.labelled(LABELS, cells)) for study, *cells in rows if any(cells))
                return RowsByKey((number_id(study, "s"), labels) for study, labels in labelled if labels)

    def facts_of(self, path: str) -> FileFacts | None:
        """Return the facts of an image in MIMIC-CXR's folders, or of one that the metadata table names."""
        ids = mimic_ids(path) or self._ids_by_table(path)
        if ids is None:
            return None
        image: _Image | None = self.find("metadata", ids.image) or self.find("records", ids.image)
        study = ids.study[1:]
        labels, by, positives_only = self._labels_of(study)
        return FileFacts(
            ids.subject,
            ids.study,
            ids.image,
            has_public_ids=True,
            view=image.view if image else None,
            study_date=image.study_date if image else None,
            study_time=self._times.get(int(study)),
            split=self.find("split", study),
            labels=labels,
            labels_by=by,
            positives_only=positives_only,
        )

    def report_of(self, path: Path, facts: FileFacts, folders: Sequence[Path]) -> str | None:
        """Return the nearest text file, else what a zip file or a table of sections has."""
        if facts.subject is None or facts.study is None:
            return None
        for report_path in report_paths(path, facts.subject, facts.study, folders):
            if (text := read_report_file(report_path)) is not None:
                self.use_text(report_path)
                return text
        for reports in self._opened():
            if (text := reports.read(f"{facts.study}.txt")) is not None:
                return text
        return self.find("sections", facts.study[1:])

    def read_xml_and_zip(self, paths: Sequence[Path], warn: Callable[[str], None]) -> None:
        """Remember zip files of reports; they are opened when the first report is looked up, and read one by one."""
        del warn
        self._unopened += paths

    def _opened(self) -> list[ReportZip]:
        with self._lock:
            while self._unopened:
                path = self._unopened.pop(0)
                try:
                    self._zips.append(ReportZip(path, _REPORT))
                except (TableError, OSError, zipfile.BadZipFile) as exc:
                    reason = str(exc) if isinstance(exc, TableError) else "is damaged; copy or download it again"
                    self._refused.append(f"{path.name} {reason}; nothing of it was used.")
        return self._zips

    def close(self) -> None:
        """Close the zip files."""
        for reports in self._zips:
            reports.close()

    def warnings(self) -> Iterator[str]:
        """Yield how many files have MIMIC-CXR's names and no study, and which zip files were not read."""
        yield from self._refused
        for reports in self._zips:
            if reports.refused:
                yield f"{len(reports.refused)} reports in {reports.name} are damaged or too large; left out."
        if self._unread_dates:
            yield f"{self._unread_dates} values of StudyDate were not read; write dates as 20240131 or 2024-01-31."
        if self._unnamed:
            yield (
                "The folders have MIMIC-CXR's layout, but the file names are not its image ids: ids are hashed, and its"
                f" tables are not joined. Files: {len(self._unnamed)}."
            )
        if self._unplaced:
            yield (
                "The file names are MIMIC-CXR's, but no folder or metadata table names their study: ids are hashed."
                f" Add the metadata table. Files: {len(self._unplaced)}."
            )

    def _ids_by_table(self, path: str) -> MimicIds | None:
        found = _NAMED.search(path)
        if found is None:
            if _IN_FOLDERS_ONLY.search(path):
                self._unnamed.add(path)
            return None
        study = self._studies.get(found[1].lower())
        subject = self._subjects.get(study) if study is not None else None
        if subject is None:
            self._unplaced.add(found[1])
            return None
        return MimicIds(f"p{subject}", f"s{study}", found[1].lower())

    def _images(self, reading: TableReading) -> Iterator[tuple[str, _Image]]:
        columns = ("dicom_id", "subject_id", "study_id", "ViewPosition", "ViewCodeSequence_CodeMeaning")
        distinct: dict[tuple[str, str], _Image] = {}
        rows = reading.table.cells((*columns, "StudyDate", "StudyTime"))
        for raw_id, subject, study, position, meaning, date, time in rows:
            view = meaning if is_empty(position) else position
            if (view, date) not in distinct:
                distinct[view, date] = _Image(text_of(view), iso_date(date))
            self._unread_dates += distinct[view, date].study_date is None and not is_empty(date)
            image_id = raw_id.strip().lower()
            self._place(image_id, number_id(study, "s"), number_id(subject, "p"), iso_time(time))
            yield image_id, distinct[view, date]

    def _place(self, image_id: str, study: str, subject: str, time: str | None) -> None:
        if study.isdigit() and subject.isdigit() and len(study) == len(subject) == len("50414267"):
            self._studies[image_id] = number = int(study)
            self._subjects[number] = int(subject)
            if time is not None:
                self._times[number] = min(time, self._times.get(number, time))

    def _labels_of(self, study: str) -> tuple[Mapping[str, int], str | None, bool]:
        """Return a study's labels by the best table that has some."""
        if self._label_tables is None:
            self._label_tables = list(self._best_first())
        for table in self._label_tables:
            if labels := table.labels.get(study):
                return labels, table.by, table.positives_only
        return NO_LABELS, None, False

    def _best_first(self) -> Iterator[_Labels]:
        for kind in ("people", "chexpert", "negbio", "labels"):
            for table in self.loaded.get(kind, ()):
                only = all(value == 1 for labels in table.values() for value in labels.values())
                yield _Labels(None if kind == "labels" else kind, table, only)


def report_paths(path: Path, subject: str, study: str, folders: Sequence[Path]) -> Iterator[Path]:
    """Yield the possible paths of the report of an image, nearest first.

    Args:
        path: The image's file.
        subject: With its letter, as `study`.
        folders: May contain PhysioNet's separate tree of reports (`files/p10/...`), or a part of it.
    """
    name = f"{study}.txt"
    yield path.parent.parent / name
    yield path.parent / name
    yield path.parent / "report.txt"
    for folder in folders:
        for tree in (f"files/{subject[:3]}", f"mimic-cxr-reports/files/{subject[:3]}", subject[:3], "."):
            yield folder / tree / subject / name
        yield folder / name


def _sectioned(reading: TableReading) -> Iterator[tuple[str, str]]:
    """Yield study and report; a report is written as MIMIC-CXR's are, section by section."""
    for study, *cells in reading.table.cells(("study_id", *_SECTIONS)):
        sections = {name: text for name, cell in zip(_SECTIONS, cells, strict=True) if (text := text_of(cell))}
        if "findings" in sections or "impression" in sections:
            sections.pop("last_paragraph", None)
        last = sections.pop("last_paragraph", None)
        text = "\n\n".join(f"{name.upper()}: {section}" for name, section in sections.items())
        if text := "\n\n".join(filter(None, (text, last))):
            yield number_id(study, "s"), text
