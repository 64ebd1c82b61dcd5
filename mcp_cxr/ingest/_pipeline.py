"""The stages of an ingest, joined by bounded queues: walk, known, decode, embed, write.

The stages work side by side, so the slowest one sets the pace: the others wait for it, and nothing piles up. When a
run is asked to end, each stage lets what it holds fall, unmarked: the next run meets it again. Only the last one always
finishes: what was embedded is written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import anyio
import numpy as np
from anyio import to_thread

from mcp_cxr.errors import EmbeddingError, EmbeddingUnavailable, FingerprintMismatch, ImageError
from mcp_cxr.ingest._facts import image_record, study_of, view_of
from mcp_cxr.ingest._in_order import InOrder
from mcp_cxr.ingest._known import UNHASHED
from mcp_cxr.ingest._plan import Failure, Item
from mcp_cxr.ingest._refresh import refresh_studies
from mcp_cxr.ingest._tally import Tally
from mcp_cxr.records import Rejected

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from anyio.abc import TaskGroup
    from anyio.streams.memory import MemoryObjectReceiveStream as Source
    from anyio.streams.memory import MemoryObjectSendStream as Sink

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.ingest._known import KnownFiles
    from mcp_cxr.ingest._plan import IngestPlan, StopSignal
    from mcp_cxr.ingest._tally import IngestProgress
    from mcp_cxr.ingest._walk import Candidate
    from mcp_cxr.records import Fingerprint, ImageId, Outcome, Vector
    from mcp_cxr.stores import Store

T = TypeVar("T")

_CHUNK = 4096  # candidates asked of the store at once
_PART = 64  # of those that are new, so many are looked at before the first one is read, unless the store wants more
_LINGER_S = 2.0  # how long a batch waits to fill
_UNWRITTEN_S = 30.0  # and how long what was embedded waits for more to be written with it: so much a kill can cost
_TICK_S = 1.0
_BATCHES_AT_ONCE = 2  # while the service works on one, the next is on its way, and it never waits for us
_WORTH_A_PROCESS = 1 << 20  # bytes; a smaller film is read in less time than its way to a process and back takes


@dataclass(slots=True)
class IngestCallbacks:
    """Who hears of a run's progress; each may be left out."""

    on_progress: Callable[[IngestProgress], Awaitable[None]] | None = None
    on_would_add: Callable[[str, str], Awaitable[None]] | None = None
    """Image id and view position, in a dry run."""


@dataclass(slots=True)
class Pipeline:
    """One run.

    Args:
        confirm: Raises `FingerprintMismatch` where the embedder does not fit the store: it may be replaced on the way.
    """

    plan: IngestPlan
    store: Store
    embedder: Embedder
    confirm: Callable[[], Awaitable[Fingerprint]]
    known: KnownFiles
    stop_signal: StopSignal
    callbacks: IngestCallbacks
    tally: Tally = field(default_factory=Tally)

    async def run(self) -> Tally:
        """Run all stages to their end, then bring what was known before up to date."""
        async with anyio.create_task_group() as clock:
            clock.start_soon(self._tick)
            await self._run_stages()
            await self._refresh()
            clock.cancel_scope.cancel()
        await self._report()
        return self.tally

    async def _run_stages(self) -> None:
        held = min(self.plan.batch_size, _PART)
        chunks, chunk_source = anyio.create_memory_object_stream["list[Candidate]"](2)
        fresh, fresh_source = anyio.create_memory_object_stream[Item](_PART)
        films, film_source = anyio.create_memory_object_stream[Item](held)
        vectors, vector_source = anyio.create_memory_object_stream["list[Item]"](1)
        # Sources stay open while a stage fails: the one before it is cancelled, and does not fail for it in turn.
        with chunk_source, fresh_source, film_source, vector_source:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._walk, chunks)
                tasks.start_soon(self._sort_out, chunk_source, fresh, tasks)
                tasks.start_soon(self._would_add if self.plan.dry_run else self._decode, fresh_source, films)
                tasks.start_soon(self._embed, film_source, vectors)
                tasks.start_soon(self._write, vector_source)

    async def _walk(self, sink: Sink[list[Candidate]]) -> None:
        """Walk on to count what is left where the signal asks for it."""
        files = self.plan.candidates()
        async with sink:
            while chunk := await self._next(files):
                if self.stop_signal.reason and not self.stop_signal.keep_counting:
                    return
                self.tally.found += len(chunk)
                if not self.stop_signal.reason:
                    await sink.send(chunk)
            self.tally.walk_ended = True

    async def _next(self, files: Iterator[Candidate]) -> list[Candidate]:
        with self.tally.stages["walk"].working(0) as walk:
            chunk = await to_thread.run_sync(lambda: list(islice(files, _CHUNK)))
            walk.files += len(chunk)
        return chunk

    async def _count(self) -> None:
        """Walk ahead to tell people how much there is; the first new film is on its way by now."""
        files, counted = self.plan.candidates(), 0
        while chunk := await to_thread.run_sync(lambda: sum(1 for _ in islice(files, _CHUNK))):
            if self.stop_signal.reason or self.tally.walk_ended:
                return
            counted += chunk
        self.tally.counted = counted
        await self._report()

    async def _sort_out(self, source: Source[list[Candidate]], sink: Sink[Item], tasks: TaskGroup) -> None:
        """Let new and changed files through."""
        stage, is_counting = self.tally.stages["known"], False
        part = self.store.rows_at_once or _PART
        async with sink:
            async for chunk in source:
                if self.stop_signal.reason:
                    continue
                with stage.working(len(chunk)):
                    rest = await self.known.unsettled(chunk)
                self.tally.skipped += len(chunk) - len(rest)
                for start in range(0, len(rest), part):
                    if not is_counting:
                        is_counting = True
                        tasks.start_soon(self._count)
                    await self._let_through(rest[start : start + part], sink)

    async def _let_through(self, some: list[Candidate], sink: Sink[Item]) -> None:
        if self.stop_signal.reason:
            return
        with self.tally.stages["known"].working(0):
            found = await self.known.sort_out(some)
            self.tally.skipped += found.skipped
            await self._blame(found.failures)
            await self._remember(found.done)
        for item in found.fresh:
            await sink.send(item)

    async def _would_add(self, source: Source[Item], sink: Sink[Item]) -> None:
        """The dry run's end of the way: say what would be added."""
        told: set[ImageId] = set()
        async with sink:
            async for item in source:
                if self.stop_signal.reason:
                    continue
                if item.ids.image_id in told:
                    self.tally.skipped += 1  # the same image from another file
                    continue
                try:
                    header = await self.known.reader.header(item.file.path, any_body_part=self.plan.any_body_part)
                except ImageError as exc:
                    await self._blame([Failure.of(item.file, exc)])
                    continue
                self.tally.would_add += 1
                if item.ids is not UNHASHED:
                    told.add(item.ids.image_id)
                view, _ = view_of(item.ids, header, self.known.companions)
                if self.callbacks.on_would_add:
                    await self.callbacks.on_would_add(item.ids.image_id, view)

    async def _decode(self, source: Source[Item], sink: Sink[Item]) -> None:
        """Turn files into pictures and facts, in as many workers as the reader has; their next film lies ready."""
        async with sink, anyio.create_task_group() as tasks:
            films = InOrder(tasks, at_once=2 * self.known.reader.workers, pass_on=sink.send)
            async for item in source:
                if not self.stop_signal.reason:
                    await films.start(partial(self._decoded, item))

    async def _decoded(self, item: Item) -> Item | None:
        if self.stop_signal.reason:
            return None
        try:
            with self.tally.stages["decode"].working():
                await self._develop(item)
        except ImageError as exc:
            await self._blame([Failure.of(item.file, exc)])
            return None
        return item

    async def _develop(self, item: Item) -> None:
        path, plan, companions = item.file.path, self.plan, self.known.companions
        film = await self.known.reader.film(
            path,
            self.embedder.image_spec,
            any_body_part=plan.any_body_part,
            in_process=item.file.size >= _WORTH_A_PROCESS,
        )
        item.picture = film.picture
        item.image = image_record(path, plan.root, item.ids, film, companions)
        item.study = await to_thread.run_sync(
            study_of, path, item.ids, companions, plan.folders, film.header.study_date
        )

    async def _embed(self, source: Source[Item], sink: Sink[list[Item]]) -> None:
        """Turn pictures into vectors, the next batch on its way while the service works on one."""
        made_by: Fingerprint | None = None
        async with sink, anyio.create_task_group() as tasks:
            batches = InOrder(tasks, at_once=_BATCHES_AT_ONCE, pass_on=sink.send)
            while batch := await _batch(source, self.plan.batch_size):
                if made_by is None and not self.stop_signal.reason:
                    made_by = await self._patiently(self.confirm)
                if made_by and not self.stop_signal.reason:
                    await batches.start(partial(self._embedded, batch, made_by))

    async def _embedded(self, batch: list[Item], made_by: Fingerprint) -> list[Item] | None:
        if self.stop_signal.reason:
            return None
        with self.tally.stages["embed"].working(len(batch)):
            answers = await self._patiently(partial(self._answers, batch, made_by))
        if answers is None:
            return None
        done: list[Item] = []
        for item, answer in zip(batch, answers, strict=True):
            if isinstance(answer, Rejected):
                await self._blame([Failure(item.file, answer.reason)])
            else:
                item.vector, item.picture = answer, None
                done.append(item)
        return done

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T | None:
        """Return what the service says; one that fails ends the run and blames no file.

        None where it failed, or was not waited for any longer.
        """
        with anyio.CancelScope(deadline=self.stop_signal.deadline):
            try:
                return await ask()
            except (EmbeddingError, FingerprintMismatch) as exc:
                self.stop_signal.stop(str(exc), keep_counting=True)
        return None

    async def _answers(self, batch: list[Item], made_by: Fingerprint) -> list[Vector | Rejected]:
        """Return what one service says of a batch; a run ends where another one has taken its place.

        Whether its vectors are the same shows in what is stored, and some of that may still be on its way there: the
        next run compares.
        """
        answers = await self.embedder.embed_images([item.picture for item in batch if item.picture])
        if await self.embedder.fingerprint() != made_by:
            raise EmbeddingUnavailable("The embedding service was replaced by another one; run it again.")
        await self.confirm()  # another process may have made the store anew
        return answers

    async def _write(self, source: Source[list[Item]]) -> None:
        """Write what was embedded, as much at once as is best for the store; until then it does not count as added."""
        rest: list[Item] = []
        while batch := await _gathered(source, rest, self.store.rows_at_once):
            with self.tally.stages["write"].working(len(batch)):
                added = await self._write_batch(batch)
            self.tally.added += added
            self.tally.skipped += len(batch) - added
            await self._report()

    async def _write_batch(self, batch: list[Item]) -> int:
        """Return how many images were not there yet.

        The order is one that a kill between two steps cannot hurt: a file is done last.
        """
        items = await self._not_there_yet(batch)
        vectors = [item.vector for item in items if item.vector is not None]
        if vectors:
            studies = [item.study for item in items if item.study]
            self.tally.studies_updated += await self.store.put_studies(studies)
            await self.store.put([item.image for item in items if item.image], np.stack(vectors))
        await self._remember([item.outcome() for item in batch])
        return len(items)

    async def _refresh(self) -> None:
        """Go through the studies of known images, where there are any."""
        if self.tally.skipped and not self.plan.dry_run and not self.stop_signal.reason:
            updated = await refresh_studies(self.plan, self.store, self.known.companions, self.stop_signal)
            self.tally.is_refreshed = updated is not None
            self.tally.studies_updated += updated or 0

    async def _not_there_yet(self, batch: list[Item]) -> list[Item]:
        """Leave out images that another file or another process has brought since they were let through."""
        there = await self.store.known([item.ids.image_id for item in batch])
        first: dict[ImageId, Item] = {}
        for item in batch:
            if item.again or item.ids.image_id not in there:
                first.setdefault(item.ids.image_id, item)
        return list(first.values())

    async def _blame(self, failures: Sequence[Failure]) -> None:
        """Count files that became no image; record those that are themselves to blame."""
        self.tally.reasons.update(failure.reason for failure in failures)
        await self._remember([failure.outcome() for failure in failures if failure.lasting])

    async def _remember(self, outcomes: Sequence[Outcome]) -> None:
        if outcomes and not self.plan.dry_run:
            await self.store.record(outcomes)

    async def _tick(self) -> None:
        while True:
            await anyio.sleep(_TICK_S)
            await self._report()

    async def _report(self) -> None:
        if self.callbacks.on_progress:
            await self.callbacks.on_progress(self.tally.progress())


async def _batch(source: Source[Item], size: int) -> list[Item]:
    """Return the next items, at most `size`; fewer when no more came within `_LINGER_S`; none at the end."""
    batch: list[Item] = []
    try:
        batch.append(await source.receive())
        with anyio.move_on_after(_LINGER_S):
            while len(batch) < size:
                batch.append(await source.receive())
    except anyio.EndOfStream:
        pass
    return batch


async def _gathered(source: Source[list[Item]], rest: list[Item], size: int | None) -> list[Item]:
    """Return the next `size` items; fewer at the end, or when no more came within `_UNWRITTEN_S`.

    Args:
        source: Batches of any length.
        rest: What is over, for the next call.
        size: None: one batch as it comes.
    """
    try:
        while not rest:  # of a batch, all may have been rejected
            rest += await source.receive()
        with anyio.move_on_after(_UNWRITTEN_S):
            while size and len(rest) < size:
                rest += await source.receive()
    except anyio.EndOfStream:
        pass
    items = rest[:size]
    del rest[:size]
    return items
