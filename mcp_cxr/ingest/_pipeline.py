"""The stages of an ingest, joined by bounded queues: walk, known, decode, embed, write.

When a run is asked to end, each stage lets what it holds fall, unmarked: the next run meets it again. Only the last
one always finishes: what was embedded is written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

import anyio
import numpy as np
from anyio import to_thread

from mcp_cxr.errors import EmbeddingError, EmbeddingUnavailable, FingerprintMismatch, ImageError
from mcp_cxr.ingest._facts import image_record, study_of, view_of
from mcp_cxr.ingest._known import UNHASHED
from mcp_cxr.ingest._plan import Failure, Item
from mcp_cxr.ingest._tally import Tally
from mcp_cxr.ingest._walk import candidates
from mcp_cxr.records import Rejected

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from anyio.streams.memory import MemoryObjectReceiveStream as Source
    from anyio.streams.memory import MemoryObjectSendStream as Sink

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.ingest._known import KnownFiles
    from mcp_cxr.ingest._plan import Plan, Signal
    from mcp_cxr.ingest._tally import Progress
    from mcp_cxr.ingest._walk import Candidate
    from mcp_cxr.records import Fingerprint, ImageId, Outcome, Vector
    from mcp_cxr.stores import Store

_CHUNK = 256  # candidates asked of the store at once
_LINGER_S = 2.0  # how long a batch waits to fill


@dataclass(slots=True)
class Listener:
    """Who hears of a run's progress; each may be left out."""

    on_progress: Callable[[Progress], Awaitable[None]] | None = None
    on_would_add: Callable[[str, str], Awaitable[None]] | None = None
    """Image id and view position, in a dry run."""


@dataclass(slots=True)
class Pipeline:
    """One run.

    Args:
        confirm: Raises `FingerprintMismatch` where the embedder does not fit the store: it may be replaced on the way.
    """

    plan: Plan
    store: Store
    embedder: Embedder
    confirm: Callable[[], Awaitable[Fingerprint]]
    known: KnownFiles
    signal: Signal
    listener: Listener
    tally: Tally = field(default_factory=Tally)

    async def run(self) -> Tally:
        """Run all stages to their end."""
        chunks, chunk_source = anyio.create_memory_object_stream["list[Candidate]"](4)
        fresh, fresh_source = anyio.create_memory_object_stream[Item](self.plan.batch_size)
        films, film_source = anyio.create_memory_object_stream[Item](self.plan.batch_size)
        vectors, vector_source = anyio.create_memory_object_stream["list[Item]"](1)
        # Sources stay open while a stage fails: the one before it is cancelled, and does not fail for it in turn.
        with chunk_source, fresh_source, film_source, vector_source:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._walk, chunks)
                tasks.start_soon(self._sort_out, chunk_source, fresh)
                tasks.start_soon(self._would_add if self.plan.dry_run else self._decode, fresh_source, films)
                tasks.start_soon(self._embed, film_source, vectors)
                tasks.start_soon(self._write, vector_source)
        return self.tally

    async def _walk(self, sink: Sink[list[Candidate]]) -> None:
        """Walk on to count what is left where the signal asks for it."""
        files = islice(candidates(self.plan.path), self.plan.limit)
        async with sink:
            while chunk := await to_thread.run_sync(lambda: list(islice(files, _CHUNK))):
                if self.signal.reason and not self.signal.count_on:
                    return
                self.tally.found += len(chunk)
                if not self.signal.reason:
                    await sink.send(chunk)
            self.tally.walk_ended = True
        await self._report()

    async def _sort_out(self, source: Source[list[Candidate]], sink: Sink[Item]) -> None:
        """Let new and changed files through."""
        async with sink:
            async for chunk in source:
                if self.signal.reason:
                    continue
                found = await self.known.sort_out(chunk)
                self.tally.skipped += found.skipped
                self.tally.studies_updated += found.studies_updated
                await self._blame(found.failures)
                await self._remember(found.done)
                await self._report()
                for item in found.fresh:
                    await sink.send(item)

    async def _would_add(self, source: Source[Item], sink: Sink[Item]) -> None:
        """The dry run's end of the way: say what would be added."""
        told: set[ImageId] = set()
        async with sink:
            async for item in source:
                if self.signal.reason:
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
                if self.listener.on_would_add:
                    await self.listener.on_would_add(item.ids.image_id, view)

    async def _decode(self, source: Source[Item], sink: Sink[Item]) -> None:
        """Turn files into pictures and facts."""
        async with sink:
            async for item in source:
                if self.signal.reason:
                    continue
                try:
                    await self._develop(item)
                except ImageError as exc:
                    await self._blame([Failure.of(item.file, exc)])
                    continue
                await sink.send(item)

    async def _develop(self, item: Item) -> None:
        path, plan, companions = item.file.path, self.plan, self.known.companions
        film = await self.known.reader.film(path, self.embedder.image_spec, any_body_part=plan.any_body_part)
        item.picture = film.picture
        item.image = image_record(path, plan.root, item.ids, film, companions)
        item.study = await to_thread.run_sync(study_of, path, item.ids, companions, plan, film.header.study_date)

    async def _embed(self, source: Source[Item], sink: Sink[list[Item]]) -> None:
        """Turn pictures into vectors; a service that fails ends the run and blames no file."""
        made_by: Fingerprint | None = None
        async with sink:
            while batch := await _batch(source, self.plan.batch_size):
                if self.signal.reason:
                    continue
                answers: list[Vector | Rejected] | None = None
                try:
                    with anyio.CancelScope(deadline=self.signal.give_up_at):
                        made_by = made_by or await self.confirm()
                        answers = await self._answers(batch, made_by)
                except (EmbeddingError, FingerprintMismatch) as exc:
                    self.signal.stop(str(exc), count_on=True)
                if answers is None:
                    continue
                done: list[Item] = []
                for item, answer in zip(batch, answers, strict=True):
                    if isinstance(answer, Rejected):
                        await self._blame([Failure(item.file, answer.reason)])
                    else:
                        item.vector, item.picture = answer, None
                        done.append(item)
                await sink.send(done)

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
        """Write what was embedded, in an order that a kill between two steps cannot hurt: a file is done last."""
        async for batch in source:
            items = await self._not_there_yet(batch)
            vectors = [item.vector for item in items if item.vector is not None]
            if vectors:
                studies = [item.study for item in items if item.study]
                self.tally.studies_updated += await self.store.put_studies(studies)
                await self.store.put([item.image for item in items if item.image], np.stack(vectors))
            await self._remember([item.outcome() for item in batch])
            self.tally.added += len(items)
            self.tally.skipped += len(batch) - len(items)
            await self._report()

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

    async def _report(self) -> None:
        if self.listener.on_progress:
            await self.listener.on_progress(self.tally.progress())


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
