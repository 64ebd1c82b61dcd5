"""How far an ingest has come, and its summary."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from mcp_cxr.records import IngestSummary


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an ingest has come."""

    found: int | None
    """Candidate files; None until the walk has ended."""
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
class Tally:
    """Counts of one run."""

    found: int = 0
    walk_ended: bool = False
    skipped: int = 0
    added: int = 0
    would_add: int = 0
    studies_updated: int = 0
    reasons: Counter[str] = field(default_factory=Counter[str])
    started: float = field(default_factory=time.monotonic)

    @property
    def processed(self) -> int:
        """Files that are dealt with."""
        return self.skipped + self.added + self.would_add + self.reasons.total()

    def progress(self) -> Progress:
        """Return how far the run has come."""
        found = self.found if self.walk_ended else None
        done = self.added + self.would_add
        return Progress(found, self.skipped, done, self.reasons.total(), time.monotonic() - self.started)

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
            next=advice,
        )
