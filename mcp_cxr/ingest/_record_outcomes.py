"""Counts what became of each file, records it in the store, and reports it to the callbacks of an ingest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mcp_cxr.ingest._counts import IngestCounts
from mcp_cxr.ingest._same_id import OTHER_PIXELS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from mcp_cxr.ingest._classify import Classification
    from mcp_cxr.ingest._counts import IngestProgress
    from mcp_cxr.ingest._stage_items import Failure, OtherFile
    from mcp_cxr.ingest._write import WrittenBatch
    from mcp_cxr.records import Outcome
    from mcp_cxr.stores import Store

REFUSED: Final = "refused"
RECORDED_BAD: Final = "recorded as bad before"
OTHER_FILE: Final = "another file has the same id"


@dataclass(slots=True)
class IngestCallbacks:
    """Called as a run proceeds; each is optional."""

    on_progress: Callable[[IngestProgress], Awaitable[None]] | None = None
    on_would_add: Callable[[str, str], Awaitable[None]] | None = None
    """Called in a dry run with an image id and its view position."""
    on_reports_reread: Callable[[int], Awaitable[None]] | None = None
    """Called with the number of studies whose reports a newer report reader read again."""
    on_left_out: Callable[[str, str, str], None] | None = None
    """Called for each file that is not in the archive, with its path, outcome (`REFUSED` ...) and reason."""


@dataclass(frozen=True, slots=True)
class OutcomeRecorder:
    """Counts, records and reports the outcomes of one run."""

    store: Store
    dry_run: bool
    callbacks: IngestCallbacks
    counts: IngestCounts = field(default_factory=IngestCounts)

    async def classified(self, found: Classification) -> None:
        """Count and record the files of a classification that need no further work."""
        self.counts.skipped += found.skipped
        self.recorded_bad(found.recorded_bad)
        self.others(found.others)
        await self.failed(found.failures)
        await self._record(found.outcomes)

    async def written(self, written: WrittenBatch) -> None:
        """Count the files of a batch that was written."""
        self.counts.added += written.added
        self.counts.skipped += written.skipped
        self.counts.shared_uids += written.shared_uids
        self.counts.studies_updated += written.studies_updated
        self.counts.study_ids |= written.study_ids
        self.others(written.others)
        await self.failed(written.failures)

    async def failed(self, failures: Sequence[Failure]) -> None:
        """Count refused files by reason; record the permanent ones."""
        self.counts.reasons.update(failure.reason for failure in failures)
        for failure in failures:
            self._left_out(failure.file.path_text, REFUSED, failure.reason)
        await self._record([failure.outcome() for failure in failures if failure.is_permanent])

    def recorded_bad(self, outcomes: Sequence[Outcome]) -> None:
        """Count files that were refused by an earlier run."""
        self.counts.recorded_bad += len(outcomes)
        for outcome in outcomes:
            self._left_out(outcome.path, RECORDED_BAD, outcome.reason or "")

    def others(self, files: Sequence[OtherFile]) -> None:
        """Count files that have the image id of another file."""
        self.counts.other_file_same_id += len(files)
        self.counts.other_pixels_same_id += sum(other.reason == OTHER_PIXELS for other in files)
        for other in files:
            self._left_out(other.file.path_text, OTHER_FILE, other.reason)

    async def send_progress(self) -> None:
        """Send the state to its callback."""
        if self.callbacks.on_progress:
            await self.callbacks.on_progress(self.counts.progress())

    def _left_out(self, path: str, outcome: str, reason: str) -> None:
        if self.callbacks.on_left_out:
            self.callbacks.on_left_out(path, outcome, reason)

    async def _record(self, outcomes: Sequence[Outcome]) -> None:
        if outcomes and not self.dry_run:
            await self.store.record_outcomes(outcomes)
