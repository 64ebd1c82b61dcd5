"""One pull: lists the studies, fetches what is new, and hands the files to `ingest`, each step ahead of the next.

Killed at any point, nothing is lost or doubled: a file has its name once it is whole and is what was asked for, and an
instance is settled only after the archive has it.
"""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import anyio
from anyio import to_thread

from mcp_cxr.errors import ImageError, PacsError, PacsRefused, unwrap_exception_group
from mcp_cxr.pacs._choose_instances import is_report, why_passed_over
from mcp_cxr.pacs._fetch import Fetcher
from mcp_cxr.pacs._list_studies import IncompleteAnswer, list_studies, mark_missing
from mcp_cxr.pacs._plan import Destination, PullPlan, PullSummary, count
from mcp_cxr.pacs._reports import FoundReport, ReportFetcher, ReportTable, read_report_tables
from mcp_cxr.pacs._spool import PASSED_OVER, REFUSED, STORED, SpooledInstance, SpooledReport, SpooledStudy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from anyio.streams.memory import MemoryObjectReceiveStream as Source
    from anyio.streams.memory import MemoryObjectSendStream as Sink

    from mcp_cxr.images import ImageReader
    from mcp_cxr.pacs._list_studies import Listing
    from mcp_cxr.pacs._query_and_answers import PacsInstance, PacsSource, PacsStudy
    from mcp_cxr.pacs._spool import Spool
    from mcp_cxr.records import ImageId, Outcome, StoredImage

_STUDIES_AT_ONCE: Final = 4
_FILES_AT_ONCE: Final = 64
"""Files that `ingest` is given at once; as many may wait while it works."""
_LONGEST_WAIT_S: Final = 20.0
"""For more files, before `ingest` is given fewer."""
_FAILURES_IN_A_ROW: Final = 10
_PROGRESS_EVERY_S: Final = 1.0


@dataclass(slots=True)
class _FetchedStudy:
    """A study whose new files lie in the spool, and what to settle once they are in the archive."""

    state: SpooledStudy
    study: PacsStudy
    files: dict[str, Path] = field(default_factory=dict[str, "Path"])
    """By SOPInstanceUID."""
    series: dict[str, str] = field(default_factory=dict[str, str])
    """SeriesInstanceUID by SOPInstanceUID, to fetch a file again."""
    documents: list[PacsInstance] = field(default_factory=list["PacsInstance"])
    """What may be reports."""
    report: FoundReport = field(default_factory=FoundReport)


class Pull:
    """One pull.

    Args:
        destination: Where the files go.
        image_reader: Reads reports.
        on_progress: Called every second.
        now: The time, for studies that are missing.
    """

    def __init__(
        self,
        plan: PullPlan,
        source: PacsSource,
        spool: Spool,
        destination: Destination,
        image_reader: ImageReader,
        *,
        on_progress: Callable[[PullSummary], Awaitable[None]] | None = None,
        now: dt.datetime | None = None,
    ) -> None:
        self._plan = plan
        self._source = source
        self._spool = spool
        self._destination = destination
        self._on_progress = on_progress
        self._now = now or dt.datetime.now(dt.UTC)
        self._fetcher = Fetcher(source, spool, plan.per_minute)
        self._reports = ReportFetcher(self._fetcher, spool, image_reader)
        self._table = ReportTable({})
        self._failures_in_a_row = 0
        self._reserved = 0
        self.summary: PullSummary = PullSummary()

    @property
    def is_stopping(self) -> bool:
        """Whether nothing more is fetched."""
        return self.summary.next is not None or self.summary.limit_reached

    def stop(self, reason: str) -> None:
        """Fetch nothing more; what was fetched is still added."""
        self.summary.next = self.summary.next or reason

    async def run(self) -> PullSummary:
        """Pull, and return the counts.

        Raises:
            PacsError: The PACS cannot be asked at all.
            StoreUnavailable: The disk is full.
            CxrError: As `ingest` says.
        """
        started = time.monotonic()
        if self._plan.dry_run:
            await self._run()
        else:
            await to_thread.run_sync(self._spool.prepare)
            with self._spool.for_one_pull(), self._spool.writing():
                await self._run()
        self.summary.seconds = time.monotonic() - started
        return self.summary

    async def _run(self) -> None:
        self._table = await to_thread.run_sync(read_report_tables, self._plan.report_tables)
        listing = await list_studies(self._source, self._plan.query)
        self.summary.studies, self.summary.not_asked_for = len(listing.studies), listing.not_asked_for
        warning = _incomplete(listing) or (None if self._plan.dry_run else await self._mark_missing(listing))
        with unwrap_exception_group():
            async with anyio.create_task_group() as clock:
                clock.start_soon(self._send_progress_regularly)
                await self._process(listing)
                clock.cancel_scope.cancel()
        self.summary.next = self.summary.next or warning

    async def _mark_missing(self, listing: Listing) -> str | None:
        """Mark studies that are missing, and count them; return why that was not done."""
        plan = self._plan
        try:
            await mark_missing(self._source, self._spool, listing, plan.query, plan.source_name, self._now)
        except IncompleteAnswer as exc:
            return str(exc)
        finally:
            states = await to_thread.run_sync(lambda: list(self._spool.studies()))
            self.summary.gone = sum(state.is_gone for state in states)
            self.summary.missing = sum(state.missing_since is not None and not state.is_gone for state in states)
        return None

    async def _process(self, listing: Listing) -> None:
        studies, to_fetch = anyio.create_memory_object_stream["PacsStudy"](_STUDIES_AT_ONCE)
        fetched, to_store = anyio.create_memory_object_stream["_FetchedStudy"](_FILES_AT_ONCE)
        with to_fetch, to_store:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._feed, listing, studies)
                with fetched:
                    for _ in range(_STUDIES_AT_ONCE):
                        tasks.start_soon(self._fetch_studies, to_fetch.clone(), fetched.clone())
                tasks.start_soon(self._store_all, to_store)

    async def _feed(self, listing: Listing, sink: Sink[PacsStudy]) -> None:
        """Send the studies on, oldest first."""
        async with sink:
            for study in sorted(
                listing.studies.values(), key=lambda one: (one.study_date or "", one.study_instance_uid)
            ):
                if self.is_stopping:
                    return
                await sink.send(study)

    async def _fetch_studies(self, source: Source[PacsStudy], sink: Sink[_FetchedStudy]) -> None:
        async with source, sink:
            async for study in source:
                if self.is_stopping:
                    continue
                found = await self._fetch_study(study)
                self.summary.studies_done += 1
                if found:
                    await sink.send(found)

    async def _fetch_study(self, study: PacsStudy) -> _FetchedStudy | None:
        """Fetch what is new of a study; None if nothing is."""
        state = await to_thread.run_sync(self._spool.study, study.study_instance_uid)
        if state and state.settles(study):
            self.summary.known += len(state.instances)
            return _FetchedStudy(state, study) if self._table.text_of(study) and not self._plan.dry_run else None
        state = state or SpooledStudy(study.study_instance_uid, self._plan.source_name)
        state.study_date, state.patient_id = study.study_date, study.patient_id
        state.accession_number, state.modalities = study.accession_number, sorted(study.modalities)
        try:
            instances = await self._source.instances(study)
        except PacsRefused:
            raise
        except PacsError as exc:
            self._failed(str(exc))
            return None
        found = _FetchedStudy(state, study)
        for instance in instances:
            await self._consider(study, instance, found)
        if self._plan.dry_run:
            return None
        await self._read_reports(study, found)
        return found

    async def _read_reports(self, study: PacsStudy, found: _FetchedStudy) -> None:
        """Read the reports of a study that has images in the archive, or gets some now."""
        if not found.documents or not (found.files or found.state.is_in_archive):
            return
        if not self._destination.takes_reports:
            self.summary.reports_left_out += len(found.documents)
            return
        try:
            found.report = await self._reports.read(study, found.documents, found.state.report)
        except PacsRefused:
            raise
        except PacsError as exc:
            self._failed(str(exc))

    async def _consider(self, study: PacsStudy, instance: PacsInstance, found: _FetchedStudy) -> None:
        """Fetch an instance if it is new and worth it."""
        uid = instance.sop_instance_uid
        if uid in found.state.instances:
            self.summary.known += 1
            return
        if is_report(instance):
            found.documents.append(instance)
            return
        if reason := why_passed_over(instance, self._plan.query):
            count(self.summary.passed_over, reason)
            found.state.instances[uid] = SpooledInstance(PASSED_OVER, reason)
            return
        if self.is_stopping or self._is_limit_reached():
            return
        self._reserved += 1
        self.summary.to_fetch += 1
        self.summary.to_fetch_bytes += instance.bytes_uncompressed or 0
        if not self._plan.dry_run:
            await self._fetch(study, instance, found)

    def _is_limit_reached(self) -> bool:
        limit = self._plan.limit
        if limit is None or self._reserved < limit:
            return False
        self.summary.limit_reached = True
        return True

    async def _fetch(self, study: PacsStudy, instance: PacsInstance, found: _FetchedStudy) -> None:
        uid = instance.sop_instance_uid
        try:
            path, size = await self._fetcher.fetch(study, instance)
        except ImageError as exc:
            found.state.instances[uid] = SpooledInstance(REFUSED, exc.reason)
            count(self.summary.refused, exc.reason)
        except PacsRefused:
            raise
        except PacsError as exc:
            self._failed(str(exc))
        else:
            self._failures_in_a_row = 0
            self.summary.fetched += size > 0
            self.summary.fetched_bytes += size
            found.files[uid], found.series[uid] = path, instance.series_instance_uid

    def _failed(self, reason: str) -> None:
        """Count a failure; too many in a row end the run."""
        count(self.summary.failed, reason)
        self._failures_in_a_row += 1
        if self._failures_in_a_row >= _FAILURES_IN_A_ROW:
            self.stop(f"{reason} This happened {_FAILURES_IN_A_ROW} times in a row; pull again later.")

    async def _store_all(self, source: Source[_FetchedStudy]) -> None:
        """Hand studies to the archive, many files at a time, or what there is if no more come for a while."""
        batch: list[_FetchedStudy] = []
        is_open = True
        while is_open:
            with anyio.move_on_after(_LONGEST_WAIT_S) as wait:
                try:
                    batch.append(await source.receive())
                except anyio.EndOfStream:
                    is_open = False
            is_full = sum(len(study.files) for study in batch) >= _FILES_AT_ONCE
            if batch and (is_full or not is_open or wait.cancelled_caught):
                await self._store(batch)
                batch = []

    async def _store(self, batch: list[_FetchedStudy]) -> None:
        """Add the files of studies to the archive, then settle their instances."""
        files = [path for study in batch for path in study.files.values()]
        outcomes: Mapping[str, Outcome] = {}
        if files:
            summary = await self._destination.ingest(files)
            self.summary.added += summary.added
            if summary.next:
                self.stop(summary.next)
            outcomes = await self._destination.outcomes(files)
        ids = [outcome.image_id for outcome in outcomes.values() if outcome.image_id]
        stored: Mapping[ImageId, StoredImage] = await self._destination.stored(ids) if ids else {}
        for study in batch:
            self._settle(study, outcomes, stored)
            await self._put_report(study)
            await to_thread.run_sync(self._save, study)

    def _settle(
        self, study: _FetchedStudy, outcomes: Mapping[str, Outcome], stored: Mapping[ImageId, StoredImage]
    ) -> None:
        """Set what became of a study's files; a file without an outcome is tried again by the next run."""
        for uid, path in study.files.items():
            outcome = outcomes.get(str(path))
            if outcome is None:
                continue
            if outcome.image_id is None:
                study.state.instances[uid] = SpooledInstance(REFUSED, outcome.reason)
                count(self.summary.refused, outcome.reason or "not read")
            elif image := stored.get(outcome.image_id):
                study.state.instances[uid] = SpooledInstance(
                    STORED, None, study.series[uid], outcome.image_id, outcome.size, outcome.mtime_ns
                )
                study.state.study_id = image.image.study_id

    async def _put_report(self, study: _FetchedStudy) -> None:
        """Store a study's report, and settle its documents; if it has no image in the archive, neither."""
        state, found = study.state, study.report
        image_id = next((one.image_id for one in state.instances.values() if one.image_id), None)
        if image_id is None:
            return
        text, report = found.text, found.report
        if report is None and state.report is None and (text := self._table.text_of(study.study)):
            report = SpooledReport("table", "", is_final=True)
        if text and report and self._destination.takes_reports:
            await to_thread.run_sync(self._spool.withhold_reports)
            await self._destination.put_report(image_id, text)
            state.report = report
            self.summary.reports += 1
        state.instances |= found.settled
        for reason in [one.reason for one in found.settled.values() if one.reason]:
            count(self.summary.passed_over, reason)

    def _save(self, study: _FetchedStudy) -> None:
        """Write a study's state; only then remove files that are not kept."""
        self._spool.save(study.state)
        if self._plan.keep == "files":
            return
        for uid in study.files:
            if uid in study.state.instances:
                self._spool.remove_file(study.state.study_instance_uid, uid)

    async def _send_progress_regularly(self) -> None:
        while self._on_progress:
            await anyio.sleep(_PROGRESS_EVERY_S)
            await self._on_progress(self.summary)


def _incomplete(listing: Listing) -> str | None:
    """Return what to do if the PACS may have more studies than it named."""
    if not listing.repeats:
        return None
    return (
        f"The PACS sends its first page again in place of the next: it may have more than these {len(listing.studies)}"
        " studies. Pull shorter ranges with --since and --until."
    )
