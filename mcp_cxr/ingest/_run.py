"""One ingest run: the stages walk, classify, decode, embed and write, joined by bounded queues.

The stages run concurrently; the slowest one sets the pace, and the bounded queues keep memory constant. Each takes the
results of the one before it and knows nothing else of it. When a run is stopped, each stage drops the files it holds
without recording them, so that the next run processes them. Only the last stage always finishes: everything that was
embedded is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from mcp_cxr.ingest._classify import IDS_NOT_YET_HASHED
from mcp_cxr.ingest._queues import OrderedPool, next_batch, next_rows
from mcp_cxr.ingest._same_id import NOT_COMPARED
from mcp_cxr.ingest._stage_items import DecodedFile, EmbeddedFile, Failure, NewFile, OtherFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anyio.abc import TaskGroup
    from anyio.streams.memory import MemoryObjectReceiveStream as Source
    from anyio.streams.memory import MemoryObjectSendStream as Sink

    from mcp_cxr.ingest._classify import ClassifyStage
    from mcp_cxr.ingest._counts import IngestCounts
    from mcp_cxr.ingest._decode import DecodeStage
    from mcp_cxr.ingest._embed import EmbedStage
    from mcp_cxr.ingest._ids import ImageIds
    from mcp_cxr.ingest._plan import IngestPlan, StopSignal
    from mcp_cxr.ingest._record_outcomes import OutcomeRecorder
    from mcp_cxr.ingest._walk import Candidate
    from mcp_cxr.ingest._write import WriteStage

_LOOKUP_SIZE = 4096  # candidates looked up in the store at once
_CLASSIFY_SIZE = 64  # candidates classified before the first is decoded, unless the store prefers more
_PROGRESS_EVERY_S = 1.0
_CONCURRENT_BATCHES = 2  # the next one is sent while the service works on the first, so it is never idle


@dataclass(frozen=True, slots=True)
class Stages:
    """The stages behind the walk."""

    classify: ClassifyStage
    decode: DecodeStage
    embed: EmbedStage
    write: WriteStage


@dataclass(frozen=True, slots=True)
class Run:
    """One ingest run.

    Args:
        rows_at_once: How many images the store prefers to write at once; None: as they come.
        workers: Files read at once.
    """

    plan: IngestPlan
    stages: Stages
    recorder: OutcomeRecorder
    stop_signal: StopSignal
    rows_at_once: int | None
    workers: int

    @property
    def counts(self) -> IngestCounts:
        """What became of the files so far."""
        return self.recorder.counts

    async def process_files(self) -> None:
        """Run all stages until every file has passed them, or the run is stopped."""
        chunk_sink, chunk_source = anyio.create_memory_object_stream["list[Candidate]"](2)
        new, new_source = anyio.create_memory_object_stream[NewFile](_CLASSIFY_SIZE)
        decoded, decoded_source = anyio.create_memory_object_stream[DecodedFile](
            min(self.plan.batch_size, _CLASSIFY_SIZE)
        )
        embedded, embedded_source = anyio.create_memory_object_stream["list[EmbeddedFile]"](1)
        # Sources stay open if a stage fails: the stage before it is then cancelled instead of failing too.
        with chunk_source, new_source, decoded_source, embedded_source:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._walk, chunk_sink)
                tasks.start_soon(self._classify, chunk_source, new, tasks)
                tasks.start_soon(self._list_new if self.plan.dry_run else self._decode, new_source, decoded)
                tasks.start_soon(self._embed, decoded_source, embedded)
                tasks.start_soon(self._write, embedded_source)

    async def send_progress_regularly(self) -> None:
        """Send the state to its callback, every second until cancelled."""
        while True:
            await anyio.sleep(_PROGRESS_EVERY_S)
            await self.recorder.send_progress()

    async def _walk(self, sink: Sink[list[Candidate]]) -> None:
        """Send candidates on in chunks; after a stop only count them, if the signal says so."""
        files = self.plan.candidates(self.stop_signal.ends_walk)
        async with sink:
            while chunk := await self._next(files):
                if self.stop_signal.ends_walk():
                    return
                self.counts.walked += len(chunk)
                if not self.stop_signal.reason:
                    await sink.send(chunk)
            self.counts.walk_ended = not self.stop_signal.ends_walk()

    async def _next(self, files: Iterator[Candidate]) -> list[Candidate]:
        with self.counts.stages["walk"].working(0) as walk:
            chunk = await to_thread.run_sync(lambda: list(islice(files, _LOOKUP_SIZE)))
            walk.files += len(chunk)
        return chunk

    async def _count(self) -> None:
        """Count the candidates for the progress display, once the first new image is being processed."""
        files, counted = self.plan.candidates(self._need_not_count), 0
        while chunk := await to_thread.run_sync(lambda: sum(1 for _ in islice(files, _LOOKUP_SIZE))):
            counted += chunk
        if self._need_not_count():
            return
        self.counts.counted = counted
        await self.recorder.send_progress()

    def _need_not_count(self) -> bool:
        return self.stop_signal.reason is not None or self.counts.walk_ended

    async def _classify(self, source: Source[list[Candidate]], sink: Sink[NewFile], tasks: TaskGroup) -> None:
        """Pass on new and changed files."""
        is_counting = False
        size = self.rows_at_once or _CLASSIFY_SIZE
        async with sink:
            async for chunk in source:
                if self.stop_signal.reason:
                    continue
                with self.counts.stages["known"].working(len(chunk)):
                    rest, bad = await self.stages.classify.drop_unchanged(chunk)
                self.counts.skipped += len(chunk) - len(rest) - len(bad)
                self.recorder.recorded_bad(bad)
                for start in range(0, len(rest), size):
                    if not is_counting:
                        is_counting = True
                        tasks.start_soon(self._count)
                    await self._classify_part(rest[start : start + size], sink)

    async def _classify_part(self, files: list[Candidate], sink: Sink[NewFile]) -> None:
        if self.stop_signal.reason:
            return
        with self.counts.stages["known"].working(0):
            found = await self.stages.classify.classify(files)
            await self.recorder.classified(found)
        for new in found.to_ingest:
            await sink.send(new)

    async def _list_new(self, source: Source[NewFile], sink: Sink[DecodedFile]) -> None:
        """In a dry run, the last stage: list the images that would be added."""
        listed: set[ImageIds] = set()
        async with sink:
            async for new in source:
                if self.stop_signal.reason:
                    continue
                if new.ids in listed:
                    self.recorder.others([OtherFile(new.file, new.ids.image_id, NOT_COMPARED)])
                    continue
                view = await self.stages.decode.view_of(new)
                if isinstance(view, Failure):
                    await self.recorder.failed([view])
                    continue
                self.counts.would_add += 1
                if new.ids is not IDS_NOT_YET_HASHED:
                    listed.add(new.ids)
                if self.recorder.callbacks.on_would_add:
                    await self.recorder.callbacks.on_would_add(new.ids.image_id, view)

    async def _decode(self, source: Source[NewFile], sink: Sink[DecodedFile]) -> None:
        """Turn files into renderings and facts, two per worker of the image reader, so that no worker waits."""
        async with sink, anyio.create_task_group() as tasks:
            pool = OrderedPool(tasks, limit=2 * self.workers, pass_on=sink.send)
            async for new in source:
                if not self.stop_signal.reason:
                    await pool.start(partial(self._decode_one, new))

    async def _decode_one(self, new: NewFile) -> DecodedFile | None:
        if self.stop_signal.reason:
            return None
        with self.counts.stages["decode"].working():
            decoded = await self.stages.decode.decode(new)
        if isinstance(decoded, Failure):
            await self.recorder.failed([decoded])
            return None
        return decoded

    async def _embed(self, source: Source[DecodedFile], sink: Sink[list[EmbeddedFile]]) -> None:
        """Turn renderings into vectors, a few batches at once."""
        async with sink, anyio.create_task_group() as tasks:
            pool = OrderedPool(tasks, limit=_CONCURRENT_BATCHES, pass_on=sink.send)
            while batch := await next_batch(source, self.stages.embed.batch_size(self.plan.batch_size)):
                if await self.stages.embed.is_ready():
                    await pool.start(partial(self._embed_batch, batch))

    async def _embed_batch(self, batch: list[DecodedFile]) -> list[EmbeddedFile] | None:
        if self.stop_signal.reason:
            return None
        with self.counts.stages["embed"].working(len(batch)):
            results = await self.stages.embed.embed(batch)
        if results is None:
            return None
        await self.recorder.failed([one for one in results if isinstance(one, Failure)])
        return [one for one in results if not isinstance(one, Failure)]

    async def _write(self, source: Source[list[EmbeddedFile]]) -> None:
        """Write embedded images in the store's preferred number of rows; only then do they count as added."""
        rest: list[EmbeddedFile] = []
        while batch := await next_rows(source, rest, self.rows_at_once):
            with self.counts.stages["write"].working(len(batch)):
                await self.recorder.written(await self.stages.write.write(batch))
            await self.recorder.send_progress()
