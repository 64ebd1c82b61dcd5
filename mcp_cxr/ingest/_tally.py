"""How far an ingest has come, and its summary."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcp_cxr.records import IngestSummary

if TYPE_CHECKING:
    from collections.abc import Generator

STAGES = ("walk", "known", "decode", "embed", "write")


@dataclass(frozen=True, slots=True)
class IngestProgress:
    """How far an ingest has come."""

    found: int | None
    """Candidate files; None until they are counted, which is long before the last one is read."""
    skipped: int
    added: int
    errors: int
    seconds: float

    @property
    def processed(self) -> int:
        """Files that are dealt with."""
        return self.skipped + self.added + self.errors

    @property
    def rate(self) -> float:
        """Images added a second."""
        return self.added / self.seconds if self.seconds > 0 else 0.0


@dataclass(slots=True)
class Stage:
    """How long a stage was at work, not waiting for its neighbours, and on how many files."""

    files: int = 0
    busy_s: float = 0.0
    _under_way: int = 0
    _since: float = 0.0

    @contextmanager
    def working(self, files: int = 1) -> Generator[Stage]:
        """Count the time inside, once where several are inside."""
        if not self._under_way:
            self._since = time.perf_counter()
        self._under_way += 1
        try:
            yield self
        finally:
            self._under_way -= 1
            self.files += files
            if not self._under_way:
                self.busy_s += time.perf_counter() - self._since

    @property
    def rate(self) -> float:
        """Files a second while at work."""
        return self.files / self.busy_s if self.busy_s > 0 else 0.0


@dataclass(slots=True)
class Tally:
    """Counts of one run."""

    found: int = 0
    """What the stages were given so far; all there is once `walk_ended`."""
    counted: int | None = None
    """What a walk that ran ahead has counted, for people: files may come and go before the stages meet them."""
    walk_ended: bool = False
    is_refreshed: bool = True
    """False where the run ended while the study facts of known images were gone through."""
    skipped: int = 0
    added: int = 0
    would_add: int = 0
    studies_updated: int = 0
    reasons: Counter[str] = field(default_factory=Counter[str])
    stages: dict[str, Stage] = field(default_factory=lambda: {name: Stage() for name in STAGES})
    started: float = field(default_factory=time.monotonic)

    @property
    def processed(self) -> int:
        """Files that are dealt with."""
        return self.skipped + self.added + self.would_add + self.reasons.total()

    def progress(self) -> IngestProgress:
        """Return how far the run has come."""
        found = self.found if self.walk_ended else self.counted
        done = self.added + self.would_add
        return IngestProgress(found, self.skipped, done, self.reasons.total(), time.monotonic() - self.started)

    def summary(self, *, dry_run: bool, total_in_store: int, advice: str | None) -> IngestSummary:
        """Return the summary; `advice` says how to go on where something is left."""
        seconds = time.monotonic() - self.started
        return IngestSummary(
            found=self.found if self.walk_ended else None,
            processed=self.processed,
            skipped=self.skipped,
            added=self.added,
            errors=self.reasons.total(),
            errors_by_reason=dict(self.reasons.most_common()),
            would_add=self.would_add if dry_run else None,
            remaining=self.found - self.processed if self.walk_ended else None,
            studies_updated=self.studies_updated,
            total_in_store=total_in_store,
            seconds=round(seconds, 3),
            images_per_second=round(self.added / seconds, 2) if seconds else 0.0,
            stages={name: round(stage.rate, 1) for name, stage in self.stages.items() if stage.files},
            slowest_stage=max(self.stages, key=lambda name: self.stages[name].busy_s) if self.found else None,
            next=advice,
        )
