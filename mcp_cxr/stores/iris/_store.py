"""The `Store` over one table of InterSystems IRIS and its side tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeVar

from mcp_cxr.errors import DimensionMismatch, StoreMissing
from mcp_cxr.records import Filter, ResultFacts
from mcp_cxr.stores._base import Store
from mcp_cxr.stores.iris import collection, tables
from mcp_cxr.stores.iris.driver import MOST_IDS, Pool, Statements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from collections.abc import Collection as Several
    from types import TracebackType
    from typing import Self

    from mcp_cxr.records import (
        Collection,
        Fingerprint,
        ImageId,
        ImageRecord,
        Outcome,
        RankedImage,
        ReferenceSample,
        StoredImage,
        Study,
        Totals,
        Vector,
        Vectors,
    )
    from mcp_cxr.stores.iris.collection import Entries, Made
    from mcp_cxr.stores.iris.driver import IrisConfig, Link, PoolStats
    from mcp_cxr.stores.iris.tables import KeptSample

T = TypeVar("T")


class IrisStore(Store):
    """An archive in IRIS. Nothing is connected before the first call.

    Writing reads the collection's entries each time, in its own transaction; asking remembers them, so that a question
    is one round trip, and looks again when an answer does not fit, or when `result_facts` finds others.
    """

    is_private = False
    preferred_batch_size = MOST_IDS

    def __init__(self, config: IrisConfig) -> None:
        self.location = config.location
        self._table = config.table
        self._pool = Pool(config)
        self._remembered: Entries | None = None
        self._sample: KeptSample | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pool.close()

    @property
    def pool_stats(self) -> PoolStats:
        """How the connections are, for people."""
        return self._pool.stats

    @property
    def connection_status(self) -> str:
        stats = self._pool.stats
        index = "with" if self._remembered and self._remembered.has_hnsw else "without"
        return (
            f"{index} an HNSW index; of {stats.size} connections {stats.busy} busy, {stats.idle} idle; {stats.opened}"
            f" opened, {stats.lost} lost; calls: {stats.retried} made again, {stats.overdue} overdue,"
            f" {stats.starved} without a connection"
        )

    async def create(
        self, fingerprint: Fingerprint | None = None, *, root: str | None = None, key_check: str | None = None
    ) -> bool:
        def work(link: Link) -> Made:
            session = Statements(link, self._table)
            return collection.make(session, self.location, fingerprint, root, key_check)

        self._remembered = None
        made = await self._pool.run(work)
        if made.tables:
            self._pool.recycle()
        return made.images

    async def update_fingerprint(self, fingerprint: Fingerprint) -> None:
        await self._write(lambda session, entries: collection.renew(session, entries, fingerprint))

    async def drop(self) -> None:
        self._remembered = None
        await self._pool.run(lambda link: collection.drop(Statements(link, self._table)))
        self._pool.recycle()

    async def info(self) -> Collection:
        self._remembered = None
        return await self._read(lambda _, entries: collection.collection(entries))

    async def query_fingerprint(self) -> Fingerprint | None:
        return self._remembered.fingerprint if self._remembered else await super().query_fingerprint()

    async def totals(self) -> Totals:
        return await self._read(lambda session, _: tables.listing.totals(session))

    async def count_external(self) -> int:
        return await self._read(lambda session, _: tables.listing.external(session))

    async def known_ids(self, ids: Iterable[ImageId]) -> set[ImageId]:
        asked = list(ids)  # it may be asked twice
        return await self._read(lambda session, _: tables.images.known(session, asked))

    async def put(self, images: Sequence[ImageRecord], vectors: Vectors) -> None:
        await self._write(lambda session, entries: tables.images.put(session, entries.fingerprint, images, vectors))

    async def put_studies(self, studies: Sequence[Study]) -> int:
        return await self._write(lambda session, _: tables.studies.put_studies(session, studies))

    async def get(self, ids: Sequence[ImageId], *, vectors: bool = False) -> dict[ImageId, StoredImage]:
        return await self._read(lambda session, _: tables.images.get(session, ids, vectors))

    async def nearest(self, vector: Vector, where: Filter, *, limit: int) -> list[RankedImage]:
        return await self._read(lambda session, entries: tables.nearest(session, entries, vector, where, limit))

    async def match(self, terms: Sequence[str], where: Filter, *, limit: int) -> list[RankedImage]:
        return await self._read(lambda session, _: tables.documents.match(session, terms, where, limit))

    async def browse(self, where: Filter, *, limit: int) -> list[RankedImage]:
        return await self._read(lambda session, _: tables.listing.browse(session, where, limit))

    async def count(
        self, where: Filter, *, terms: Sequence[str] = (), distinct: Literal["study", "subject"] | None = None
    ) -> int:
        return await self._read(lambda session, _: tables.listing.count(session, where, terms, distinct))

    async def result_facts(
        self,
        ids: Sequence[ImageId],
        where: Filter,
        *,
        terms: Sequence[str] = (),
        distinct: Literal["study", "subject"] | None = None,
        compared: bool = False,
    ) -> ResultFacts:
        def ask(session: Statements, entries: Entries) -> tuple[ResultFacts, KeptSample | None]:
            told = tables.result_facts.facts(session, ids, where, terms, distinct, compared)
            if not entries.are(told.schema, told.fingerprint):  # another process has made it anew
                self._remembered = entries = collection.read(session, self.location)
            made_with = entries.fingerprint
            kept = tables.listing.sample(session, made_with, self._sample, told.sample_mark) if compared else None
            return ResultFacts(made_with, told.total, told.external, told.stored, kept and kept.sample), kept

        facts, kept = await self._read(ask)
        self._sample = kept or self._sample
        return facts

    async def filter_images(self, images: Sequence[ImageId], filters: Sequence[Filter]) -> list[set[ImageId]]:
        if not tables.result_facts.can_sift(filters):
            return await super().filter_images(images, filters)
        return await self._read(lambda session, _: tables.result_facts.sift(session, images, filters))

    async def reference_sample(self) -> ReferenceSample:
        def ask(session: Statements, entries: Entries) -> KeptSample:
            return tables.listing.sample(session, entries.fingerprint, self._sample)

        self._sample = kept = await self._read(ask)
        return kept.sample

    async def images_after(self, after: ImageId | None, *, limit: int) -> list[StoredImage]:
        return await self._read(lambda session, _: tables.images.page(session, after, limit))

    async def outcomes(self, paths: Several[str]) -> dict[str, Outcome]:
        return await self._read(lambda session, _: tables.files.outcomes(session, paths))

    async def unchanged_files(self, files: Mapping[str, tuple[int, int]]) -> dict[str, ImageId | None]:
        return await self._read(lambda session, _: tables.files.settled(session, files))

    async def record_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        await self._write(lambda session, _: tables.files.record(session, outcomes))

    async def forget(self, where: Filter) -> int:
        if where == Filter():
            raise ValueError("An empty filter would remove everything; that is `drop`.")
        return await self._write(lambda session, _: tables.images.forget(session, where), repeatable=False)

    async def _read(self, ask: Callable[[Statements, Entries], T]) -> T:
        def work(link: Link) -> T:
            session, remembered = Statements(link, self._table), self._remembered
            if remembered:
                try:
                    return ask(session, remembered)
                except (StoreMissing, DimensionMismatch):
                    self._remembered = None  # another process may have dropped it, or made it anew
            self._remembered = entries = collection.read(session, self.location)
            return ask(session, entries)

        return await self._pool.run(work)

    async def _write(self, change: Callable[[Statements, Entries], T], *, repeatable: bool = True) -> T:
        def work(link: Link) -> T:
            session = Statements(link, self._table)
            result = change(session, collection.read(session, self.location))
            link.commit()
            return result

        return await self._pool.run(work, repeatable=repeatable)
