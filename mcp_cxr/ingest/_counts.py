"""Counts of an ingest, its progress and its summary."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from mcp_cxr.records import IngestSummary

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from mcp_cxr.layouts import TableUse
    from mcp_cxr.records import StudyFact, StudyId

_MANY_STUDIES = 20
"""Studies of one patient from which on, if they are most of a folder, the PatientID may be a placeholder."""
STAGES = ("walk", "known", "decode", "embed", "write")
"""The stages of an ingest under the names that programs read: `known` is the stage `classify`."""


@dataclass(frozen=True, slots=True)
class IngestProgress:
    """How far an ingest has got."""

    found: int | None
    """Candidate files; None until they are counted, long before the last one is read."""
    skipped: int
    """Files whose image is in the archive."""
    added: int
    """In a dry run: that would be added."""
    errors: int
    seconds: float
    recorded_bad: int = 0
    other_file_same_id: int = 0

    @property
    def processed(self) -> int:
        """Files that have an outcome."""
        return self.skipped + self.recorded_bad + self.other_file_same_id + self.added + self.errors

    @property
    def rate(self) -> float:
        """Images added per second."""
        return self.added / self.seconds if self.seconds > 0 else 0.0


@dataclass(slots=True)
class Stage:
    """Working time of a stage, without waiting for its neighbors, and the number of its files."""

    files: int = 0
    busy_s: float = 0.0
    _active: int = 0
    _since: float = 0.0

    @contextmanager
    def working(self, files: int = 1) -> Generator[Stage]:
        """Add the time spent in this block; overlapping blocks count once."""
        if not self._active:
            self._since = time.perf_counter()
        self._active += 1
        try:
            yield self
        finally:
            self._active -= 1
            self.files += files
            if not self._active:
                self.busy_s += time.perf_counter() - self._since

    @property
    def rate(self) -> float:
        """Files per second of working time."""
        return self.files / self.busy_s if self.busy_s > 0 else 0.0


@dataclass(slots=True)
class IngestCounts:
    """Counts of one ingest run."""

    walked: int = 0
    """Files passed to the stages so far; all candidates once `walk_ended`."""
    counted: int | None = None
    """Candidates counted ahead, for display only: files may appear or vanish before the stages reach them."""
    walk_ended: bool = False
    studies_refreshed: bool = True
    """False if the run stopped while it updated the study facts of images stored earlier."""
    skipped: int = 0
    recorded_bad: int = 0
    other_file_same_id: int = 0
    other_pixels_same_id: int = 0
    added: int = 0
    would_add: int = 0
    studies_updated: int = 0
    study_ids: set[StudyId] = field(default_factory=set["StudyId"])
    """Stored studies of these files."""
    shared_uids: int = 0
    """Images added although another one, of another study or patient, has their SOP Instance UID."""
    placeholders: Counter[str] = field(default_factory=Counter[str])
    """Files by the placeholder that they have as PatientID."""
    studies_of_one_patient: tuple[int, int] = (0, 0)
    """Studies of the most frequent PatientID, and studies compared."""
    reasons: Counter[str] = field(default_factory=Counter[str])
    stages: dict[str, Stage] = field(default_factory=lambda: {name: Stage() for name in STAGES})
    started: float = field(default_factory=time.monotonic)

    @property
    def processed(self) -> int:
        """Files that have an outcome."""
        return self.progress().processed

    def progress(self) -> IngestProgress:
        """Return the progress so far."""
        found = self.walked if self.walk_ended else self.counted
        return IngestProgress(
            found,
            self.skipped,
            self.added + self.would_add,
            self.reasons.total(),
            time.monotonic() - self.started,
            self.recorded_bad,
            self.other_file_same_id,
        )

    def _notes(self) -> list[str]:
        notes: list[str] = []
        if self.shared_uids:
            notes.append(
                f"{self.shared_uids} images have the SOPInstanceUID of an image of another study or patient; each was"
                " added as an image of its own."
            )
        if self.placeholders:
            names = ", ".join(f"{name}: {count}" for name, count in self.placeholders.most_common())
            notes.append(
                f"{self.placeholders.total()} files have a placeholder as PatientID ({names}); each of their studies is"
                " a subject of its own."
            )
        same, compared = self.studies_of_one_patient
        if same >= _MANY_STUDIES and 2 * same > compared:
            notes.append(
                f"{same} of {compared} studies have one PatientID. If they are of several patients, do not rely on"
                " filters and groups by subject."
            )
        return notes

    def summary(
        self,
        *,
        dry_run: bool,
        total_in_store: int,
        advice: str | None,
        companions: Sequence[TableUse] = (),
        unused: Sequence[str] = (),
        study_facts: Mapping[StudyFact, int] | None = None,
        notes: Sequence[str] = (),
    ) -> IngestSummary:
        """Return the summary; `advice` says how to continue if files remain."""
        seconds = time.monotonic() - self.started
        facts: Mapping[StudyFact, int] = study_facts or {}
        return IngestSummary(
            found=self.walked if self.walk_ended else None,
            processed=self.processed,
            skipped=self.skipped,
            recorded_bad=self.recorded_bad,
            other_file_same_id=self.other_file_same_id,
            other_pixels_same_id=self.other_pixels_same_id,
            added=self.added,
            errors=self.reasons.total(),
            errors_by_reason=dict(self.reasons.most_common()),
            would_add=self.would_add if dry_run else None,
            remaining=self.walked - self.processed if self.walk_ended else None,
            studies_updated=self.studies_updated,
            total_in_store=total_in_store,
            seconds=round(seconds, 3),
            images_per_second=round(self.added / seconds, 2) if seconds else 0.0,
            stages={name: round(stage.rate, 1) for name, stage in self.stages.items() if stage.files},
            slowest_stage=max(self.stages, key=lambda name: self.stages[name].busy_s) if self.walked else None,
            next=advice,
            notes=[*self._notes(), *notes],
            studies=len(self.study_ids),
            with_={**facts},
            companions=[asdict(use) for use in companions],
            unused=list(unused),
            warnings=list(_warnings(facts)),
        )


def _warnings(study_facts: Mapping[StudyFact, int]) -> Iterator[str]:
    if study_facts and not study_facts["report"]:
        labels = "labels and header fields" if study_facts["labels"] else "header fields"
        yield f"No study has a report: a search by words finds only {labels}."
