"""The stages of an ingest, joined by bounded queues: walk, classify (reported as `known`), decode, embed, write.

The stages run concurrently; the slowest one sets the pace, and the bounded queues keep memory constant. When a run is
stopped, each stage drops the files it holds without recording them, so that the next run processes them. Only the last
stage always finishes: everything that was embedded is written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import anyio
import numpy as np
from anyio import to_thread

from mcp_cxr.errors import EmbeddingError, EmbeddingUnavailable, FingerprintMismatch
from mcp_cxr.ingest._callbacks import OTHER_FILE, RECORDED_BAD, REFUSED
from mcp_cxr.ingest._classify import IDS_NOT_YET_HASHED
from mcp_cxr.ingest._counts import IngestCounts
from mcp_cxr.ingest._internal_errors import raise_if_of_the_run
from mcp_cxr.ingest._plan import Failure, WorkItem
from mcp_cxr.ingest._queues import OrderedPool, next_batch, next_rows
from mcp_cxr.ingest._same_uid import tell_apart
from mcp_cxr.ingest._study_facts import image_record, refresh_studies, study_of, view_position_of
from mcp_cxr.records import Rejection

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from anyio.abc import TaskGroup
    from anyio.streams.memory import MemoryObjectReceiveStream as Source
    from anyio.streams.memory import MemoryObjectSendStream as Sink

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.ingest._callbacks import IngestCallbacks
    from mcp_cxr.ingest._classify import FileClassifier
    from mcp_cxr.ingest._ids import ImageIds
    from mcp_cxr.ingest._plan import IngestPlan, StopSignal
    from mcp_cxr.ingest._walk import Candidate
    from mcp_cxr.records import Fingerprint, ImageId, Outcome, Vector
    from mcp_cxr.stores import Store

T = TypeVar("T")

_LOOKUP_SIZE = 4096  # candidates looked up in the store at once
_CLASSIFY_SIZE = 64  # candidates classified before the first is decoded, unless the store prefers more
_PROGRESS_EVERY_S = 1.0
_CONCURRENT_BATCHES = 2  # the next one is sent while the service works on the first, so it is never idle
_MIN_BYTES_FOR_WORKER = 1 << 20  # a smaller file is decoded faster than it is sent to a worker process and back


@dataclass(slots=True)
class Pipeline:
    """One ingest run.

    Args:
        check_fingerprint: Raises `FingerprintMismatch` if the embedder does not match the store; the service may be
            replaced during a run.
    """

    plan: IngestPlan
    store: Store
    embedder: Embedder
    check_fingerprint: Callable[[], Awaitable[Fingerprint]]
    classifier: FileClassifier
    stop_signal: StopSignal
    callbacks: IngestCallbacks
    counts: IngestCounts = field(default_factory=IngestCounts)

    async def run(self) -> IngestCounts:
        """Run all stages to their end, then update the study facts of images stored earlier."""
        async with anyio.create_task_group() as clock:
            clock.start_soon(self._send_progress_regularly)
            await self._run_stages()
            await self._refresh()
            clock.cancel_scope.cancel()
        await self._send_progress()
        return self.counts

    async def _run_stages(self) -> None:
        chunk_sink, chunk_source = anyio.create_memory_object_stream["list[Candidate]"](2)
        new, new_source = anyio.create_memory_object_stream[WorkItem](_CLASSIFY_SIZE)
        renderings, rendering_source = anyio.create_memory_object_stream[WorkItem](
            min(self.plan.batch_size, _CLASSIFY_SIZE)
        )
        vectors, vector_source = anyio.create_memory_object_stream["list[WorkItem]"](1)
        # Sources stay open if a stage fails: the stage before it is then cancelled instead of failing too.
        with chunk_source, new_source, rendering_source, vector_source:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._walk, chunk_sink)
                tasks.start_soon(self._classify, chunk_source, new, tasks)
                tasks.start_soon(self._list_new if self.plan.dry_run else self._decode, new_source, renderings)
                tasks.start_soon(self._embed, rendering_source, vectors)
                tasks.start_soon(self._write, vector_source)

    async def _walk(self, sink: Sink[list[Candidate]]) -> None:
        """Send candidates on in chunks; after a stop only count them, if the signal says so."""
        files = self.plan.candidates()
        async with sink:
            while chunk := await self._next(files):
                if self.stop_signal.reason and not self.stop_signal.keep_counting:
                    return
                self.counts.walked += len(chunk)
                if not self.stop_signal.reason:
                    await sink.send(chunk)
            self.counts.walk_ended = True

    async def _next(self, files: Iterator[Candidate]) -> list[Candidate]:
        with self.counts.stages["walk"].working(0) as walk:
            chunk = await to_thread.run_sync(lambda: list(islice(files, _LOOKUP_SIZE)))
            walk.files += len(chunk)
        return chunk

    async def _count(self) -> None:
        """Count the candidates for the progress display, once the first new image is being processed."""
        files, counted = self.plan.candidates(), 0
        while chunk := await to_thread.run_sync(lambda: sum(1 for _ in islice(files, _LOOKUP_SIZE))):
            if self.stop_signal.reason or self.counts.walk_ended:
                return
            counted += chunk
        self.counts.counted = counted
        await self._send_progress()

    async def _classify(self, source: Source[list[Candidate]], sink: Sink[WorkItem], tasks: TaskGroup) -> None:
        """Pass on new and changed files."""
        is_counting = False
        size = self.store.preferred_batch_size or _CLASSIFY_SIZE
        async with sink:
            async for chunk in source:
                if self.stop_signal.reason:
                    continue
                with self.counts.stages["known"].working(len(chunk)):
                    rest, bad = await self.classifier.drop_unchanged(chunk)
                self.counts.skipped += len(chunk) - len(rest) - len(bad)
                self._count_bad(bad)
                for start in range(0, len(rest), size):
                    if not is_counting:
                        is_counting = True
                        tasks.start_soon(self._count)
                    await self._classify_part(rest[start : start + size], sink)

    async def _classify_part(self, files: list[Candidate], sink: Sink[WorkItem]) -> None:
        if self.stop_signal.reason:
            return
        with self.counts.stages["known"].working(0):
            found = await self.classifier.classify(files)
            self.counts.skipped += found.skipped
            self._count_bad(found.recorded_bad)
            self._count_others(found.others)
            await self._record_failures(found.failures)
            await self._record(found.outcomes)
        for item in found.to_ingest:
            await sink.send(item)

    async def _list_new(self, source: Source[WorkItem], sink: Sink[WorkItem]) -> None:
        """In a dry run, the last stage: list the images that would be added."""
        listed: set[ImageIds] = set()
        async with sink:
            async for item in source:
                if self.stop_signal.reason:
                    continue
                if item.ids in listed:
                    self._count_others([item.file])
                    continue
                try:
                    header = await self.classifier.image_reader.read_header(
                        item.file.path, any_body_part=self.plan.any_body_part
                    )
                except Exception as exc:  # noqa: BLE001 # told apart by the callee
                    await self._fail("decode", item, exc)
                    continue
                self.classifier.internal_errors.passed("decode")
                self.counts.would_add += 1
                if item.ids is not IDS_NOT_YET_HASHED:
                    listed.add(item.ids)
                view, _ = view_position_of(header, self.classifier.layouts.facts_of(item.file.path_text))
                if self.callbacks.on_would_add:
                    await self.callbacks.on_would_add(item.ids.image_id, view)

    async def _decode(self, source: Source[WorkItem], sink: Sink[WorkItem]) -> None:
        """Turn files into renderings and facts, two per worker of the image reader, so that no worker waits."""
        async with sink, anyio.create_task_group() as tasks:
            pool = OrderedPool(tasks, limit=2 * self.classifier.image_reader.workers, pass_on=sink.send)
            async for item in source:
                if not self.stop_signal.reason:
                    await pool.start(partial(self._decode_item, item))

    async def _decode_item(self, item: WorkItem) -> WorkItem | None:
        if self.stop_signal.reason:
            return None
        try:
            with self.counts.stages["decode"].working():
                await self._read_image(item)
        except Exception as exc:  # noqa: BLE001 # told apart by the callee
            await self._fail("decode", item, exc)
            return None
        self.classifier.internal_errors.passed("decode")
        return item

    async def _read_image(self, item: WorkItem) -> None:
        path, plan, layouts = item.file.path, self.plan, self.classifier.layouts
        decoded = await self.classifier.image_reader.read_image(
            path,
            self.embedder.image_spec,
            any_body_part=plan.any_body_part,
            any_pixels=plan.any_pixels,
            in_worker=item.file.size >= _MIN_BYTES_FOR_WORKER,
        )
        item.rendering = decoded.rendering
        facts = layouts.facts_of(item.file.path_text)
        item.image = image_record(path, plan.root, item.ids, decoded, facts)
        item.study = await to_thread.run_sync(study_of, path, item.ids, facts, layouts, decoded.header.study_date)

    async def _embed(self, source: Source[WorkItem], sink: Sink[list[WorkItem]]) -> None:
        """Turn renderings into vectors, a few batches at once."""
        fingerprint: Fingerprint | None = None
        async with sink, anyio.create_task_group() as tasks:
            pool = OrderedPool(tasks, limit=_CONCURRENT_BATCHES, pass_on=sink.send)
            while batch := await next_batch(source, self.plan.batch_size):
                if fingerprint is None and not self.stop_signal.reason:
                    fingerprint = await self._call_service(self.check_fingerprint)
                if fingerprint and not self.stop_signal.reason:
                    await pool.start(partial(self._embed_batch, batch, fingerprint))

    async def _embed_batch(self, batch: list[WorkItem], fingerprint: Fingerprint) -> list[WorkItem] | None:
        if self.stop_signal.reason:
            return None
        try:
            with self.counts.stages["embed"].working(len(batch)):
                vectors = await self._call_service(partial(self._request_vectors, batch, fingerprint))
        except Exception as exc:  # noqa: BLE001 # told apart by the callee
            if len(batch) == 1:
                await self._fail("embed", batch[0], exc)
                return None
            raise_if_of_the_run(exc)
            singles = [await self._embed_batch([item], fingerprint) for item in batch]
            return [item for single in singles for item in single or ()]
        self.classifier.internal_errors.passed("embed")
        if vectors is None:
            return None
        done: list[WorkItem] = []
        for item, vector in zip(batch, vectors, strict=True):
            if isinstance(vector, Rejection):
                await self._record_failures([Failure(item.file, vector.reason)])
            else:
                item.vector, item.rendering = vector, None
                done.append(item)
        return done

    async def _call_service(self, call: Callable[[], Awaitable[T]]) -> T | None:
        """Return the result of a call to the embedding service; None if it failed or the deadline passed.

        A failing service stops the run and counts as no file's error.
        """
        with anyio.CancelScope(deadline=self.stop_signal.deadline):
            try:
                return await call()
            except (EmbeddingError, FingerprintMismatch) as exc:
                self.stop_signal.stop(str(exc), keep_counting=True)
        return None

    async def _request_vectors(self, batch: list[WorkItem], fingerprint: Fingerprint) -> list[Vector | Rejection]:
        """Return the batch's vectors, all from the service with this fingerprint.

        If another service has taken its place, the run ends: whether both give the same vectors shows in stored
        images, and some of those are still to be written. The next run compares them.
        """
        vectors = await self.embedder.embed_images([item.rendering for item in batch if item.rendering])
        if await self.embedder.fingerprint() != fingerprint:
            raise EmbeddingUnavailable("The embedding service was replaced during the run; run the same command again.")
        await self.check_fingerprint()  # another process may have recreated the store
        return vectors

    async def _write(self, source: Source[list[WorkItem]]) -> None:
        """Write embedded images in the store's preferred number of rows; only then do they count as added."""
        rest: list[WorkItem] = []
        while batch := await next_rows(source, rest, self.store.preferred_batch_size):
            with self.counts.stages["write"].working(len(batch)):
                await self._write_or_split(batch)
            await self._send_progress()

    async def _write_or_split(self, batch: list[WorkItem]) -> None:
        """Write a batch; if our own code fails, one by one, so that the rest of the batch is written."""
        if self.classifier.internal_errors.are_too_many:
            return
        try:
            written = await self._write_batch(batch)
        except Exception as exc:  # noqa: BLE001 # told apart by the callee
            if len(batch) == 1:
                await self._fail("write", batch[0], exc)
                return
            raise_if_of_the_run(exc)
            for item in batch:
                await self._write_or_split([item])
            return
        self.classifier.internal_errors.passed("write")
        self.counts.added += len(written)
        others = await self._other_files(batch, written) if len(written) < len(batch) else []
        self.counts.skipped += len(batch) - len(written) - len(others)
        self._count_others(others)

    async def _other_files(self, batch: list[WorkItem], written: list[WorkItem]) -> list[Candidate]:
        """Return the files of a batch that have the image id of another file; another process may have written some."""
        paths = {item.file.path for item in written}
        left = [item for item in batch if item.file.path not in paths]
        stored = await self.store.get([item.ids.image_id for item in left])
        images = [(item.file, stored.get(item.ids.image_id)) for item in left]
        return [file for file, one in images if one and not one.external and one.image.file != file.path]

    async def _write_batch(self, batch: list[WorkItem]) -> list[WorkItem]:
        """Write a batch and return those of its images that were new.

        A kill between two steps does no harm, because the outcome of a file is recorded last.
        """
        await tell_apart(batch, self.store, self.classifier.id_assigner)
        items = await self._not_stored(batch)
        self.counts.shared_uids += sum(item.shares_uid for item in items)
        vectors = [item.vector for item in items if item.vector is not None]
        if vectors:
            studies = [item.study for item in items if item.study]
            self.counts.studies_updated += await self.store.put_studies(studies)
            await self.store.put([item.image for item in items if item.image], np.stack(vectors))
        await self._record([item.outcome() for item in batch])
        return items

    async def _refresh(self) -> None:
        """Update the study facts of images stored earlier, if there are any."""
        if (
            (self.counts.skipped or self.counts.other_file_same_id)
            and not self.plan.dry_run
            and not self.stop_signal.reason
        ):
            updated = await refresh_studies(self.plan.candidates(), self.classifier, self.stop_signal)
            self.counts.studies_refreshed = updated is not None
            self.counts.studies_updated += updated or 0

    async def _not_stored(self, batch: list[WorkItem]) -> list[WorkItem]:
        """Leave out images that another file or process has added since they were classified."""
        stored = await self.store.known_ids([item.ids.image_id for item in batch])
        first: dict[ImageId, WorkItem] = {}
        for item in batch:
            if item.replaces_stored or item.ids.image_id not in stored:
                first.setdefault(item.ids.image_id, item)
        return list(first.values())

    async def _fail(self, stage: str, item: WorkItem, error: Exception) -> None:
        """Count a file at which a stage raised `error`; errors that concern the whole run are raised again."""
        await self._record_failures([self.classifier.internal_errors.failure(stage, item.file, error)])

    async def _record_failures(self, failures: Sequence[Failure]) -> None:
        """Count refused files by reason; record the permanent ones."""
        self.counts.reasons.update(failure.reason for failure in failures)
        for failure in failures:
            self._left_out(failure.file.path_text, REFUSED, failure.reason)
        await self._record([failure.outcome() for failure in failures if failure.is_permanent])

    def _count_bad(self, outcomes: Sequence[Outcome]) -> None:
        self.counts.recorded_bad += len(outcomes)
        for outcome in outcomes:
            self._left_out(outcome.path, RECORDED_BAD, outcome.reason or "")

    def _count_others(self, files: Sequence[Candidate]) -> None:
        self.counts.other_file_same_id += len(files)
        for file in files:
            self._left_out(file.path_text, OTHER_FILE, "another file has the same image id")

    def _left_out(self, path: str, outcome: str, reason: str) -> None:
        if self.callbacks.on_left_out:
            self.callbacks.on_left_out(path, outcome, reason)

    async def _record(self, outcomes: Sequence[Outcome]) -> None:
        if outcomes and not self.plan.dry_run:
            await self.store.record_outcomes(outcomes)

    async def _send_progress_regularly(self) -> None:
        while True:
            await anyio.sleep(_PROGRESS_EVERY_S)
            await self._send_progress()

    async def _send_progress(self) -> None:
        if self.callbacks.on_progress:
            await self.callbacks.on_progress(self.counts.progress())
