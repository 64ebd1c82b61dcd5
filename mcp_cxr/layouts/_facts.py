"""What a layout knows of one file, and what was used of the companions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcp_cxr.records import LABELS, STUDY_FACTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mcp_cxr.records import StudyFact

NO_LABELS: Mapping[str, int] = {}


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a layout knows of the image in one file; a field that is None or empty is not known."""

    subject: str | None = None
    study: str | None = None
    image: str | None = None
    has_public_ids: bool = False
    """Whether the three ids are MIMIC-CXR's, which are used as they are; others are hashed."""
    view: str | None = None
    """As written, or one of `records.VIEW_POSITIONS`."""
    study_date: str | None = None
    """ISO date."""
    study_time: str | None = None
    """`08:05:56`."""
    split: str | None = None
    labels: Mapping[str, int] = field(default_factory=lambda: NO_LABELS)
    """1 present, 0 absent, -1 uncertain."""
    labels_by: str | None = None
    """As `records.Study.labels_by`."""
    positives_only: bool = False
    """Whether a label that is missing is unknown, not absent."""
    votes: Mapping[str, int] = field(default_factory=lambda: NO_LABELS)
    """How many readers named each label."""
    sex: str | None = None
    """`F` or `M`."""
    age: int | None = None
    """Years."""
    report: str | None = None
    """From a table; texts in files are read later."""
    report_language: str | None = None
    """Of the report, as `es`; None: English."""


NO_FACTS = FileFacts()

_FACT_OF_COLUMN: Mapping[str, StudyFact] = {
    **dict.fromkeys(("report", "report_file", "findings", "impression"), "report"),
    **dict.fromkeys(("section_findings", "section_impression"), "report"),
    **dict.fromkeys(("labels", "finding labels", "class_name", "mesh", *map(str.lower, LABELS)), "labels"),
    **dict.fromkeys(("view", "viewposition", "view position", "frontal/lateral", "ap/pa", "projection"), "view"),
    **dict.fromkeys(("date", "studydate", "studydate_dicom"), "date"),
    "split": "split",
}


def facts_in_columns(header: Sequence[str]) -> tuple[StudyFact, ...]:
    """Return which facts of studies a table with these columns has."""
    found = {_FACT_OF_COLUMN.get(name.lower()) for name in header}
    return tuple(fact for fact in STUDY_FACTS if fact in found)


@dataclass(frozen=True, slots=True)
class TableUse:
    """How much of one companion table was used."""

    file: str
    rows: int
    joined: int
    """Rows that belong to an image of this run."""
    gives: tuple[StudyFact, ...] = ()
    """What its columns tell of studies."""


@dataclass(frozen=True, slots=True)
class LayoutDescription:
    """What to know of a data set before it is ingested."""

    name: str
    title: str
    lacks: tuple[str, ...]
    """What it does not have, in sentences."""
    label_names: Mapping[str, str]
    """CheXpert's name of those labels for which the data set has another name; both are kept."""
