"""The `Store` over one table of InterSystems IRIS and its side tables."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal, TypeVar

from mcp_cxr.errors import ConfigError, DimensionMismatch, StoreError, StoreMissing
from mcp_cxr.language import READER_VERSION
from mcp_cxr.records import Filter, ResultFacts
from mcp_cxr.stores._base import Store, check_report_reader
from mcp_cxr.stores._shared import check_not_empty
from mcp_cxr.stores.iris import schema, tables
from mcp_cxr.stores.iris.driver import MAX_IDS_PER_QUERY, NO_PRIVILEGE, Pool, PrivilegeMissing, Statements

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from mcp_cxr.records import (
        Fingerprint,
        ImageId,
        ImageRecord,
        Outcome,
        RankedImage,
        ReferenceSample,
        StoredImage,
        StoreInfo,
        Study,
        StudyFact,
        StudyId,
        Totals,
        Vector,
        Vectors,
    )
    from mcp_cxr.stores.iris.driver import Connection, IrisConfig
    from mcp_cxr.stores.iris.schema import CreatedTables, Entries
    from mcp_cxr.stores.iris.tables import CachedSample

T = TypeVar("T")

_log = logging.getLogger(__name__)

_NO_NOLOCK = (
    "The IRIS user lacks %NOLOCK at {location}: each study is a transaction of its own, a hundred times the round"
    " trips. Run GRANT %NOLOCK TO that user (docs/iris.md)."
)


class IrisStore(Store):
    """An archive in IRIS. No connection is opened before the first call.

    A write reads the entries of `...Collection` in its own transaction. Queries cache them, so that a query is one
    round trip; they are read again if a query fails because another process recreated the tables, or if
    `result_facts` finds others.
    """

    is_private = False
    preferred_batch_size = MAX_IDS_PER_QUERY

    def __init__(self, config: IrisConfig) -> None:
        self.location = config.location
        self._table = config.table
        self._pool = Pool(config)
        self._cached_entries: Entries | None = None
        self._cached_sample: CachedSample | None = None
        self._facts = tables.FactsReader()
        self._has_nolock = True  # until a statement is refused

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pool.close()

    @property
    def connection_status(self) -> str:
        entries = self._cached_entries
        return f"{entries.index_status}; {self._pool.status}" if entries else self._pool.status

    async def create(
        self, fingerprint: Fingerprint | None = None, *, root: str | None = None, key_check: str | None = None
    ) -> bool:
        def work(connection: Connection) -> CreatedTables:
            statements = Statements(connection, self._table)
            return schema.create_tables(statements, self.location, fingerprint, root, key_check)

        self._cached_entries = None
        created = await self._pool.run(work)
        if created.any:
            self._pool.replace_all()
        return created.images

    async def create_vector_index(self) -> bool:
        self._cached_entries = None
        try:
            await self._write(lambda statements, _: schema.create_vector_index(statements, self.location))
        finally:
            self._cached_entries = None
            self._pool.replace_all()
        return True

    async def update_fingerprint(self, fingerprint: Fingerprint) -> None:
        await self._write(lambda statements, entries: schema.replace_fingerprint(statements, entries, fingerprint))

    async def drop(self) -> None:
        self._cached_entries = None
        await self._pool.run(lambda connection: schema.drop_tables(Statements(connection, self._table)))
        self._pool.replace_all()

    async def info(self) -> StoreInfo:
        self._cached_entries = None
        return await self._read(lambda _, entries: entries.info)

    async def location_warnings(self) -> list[str]:
        try:
            code = await self._pool.run(
                lambda connection: tables.studies.try_nolock(Statements(connection, self._table))
            )
        except (StoreError, ConfigError):  # any other call reports it
            return []
        return [_NO_NOLOCK.format(location=self.location)] if code == NO_PRIVILEGE else []

    async def query_fingerprint(self) -> Fingerprint | None:
        return self._cached_entries.fingerprint if self._cached_entries else await super().query_fingerprint()

    async def totals(self) -> Totals:
        return await self._read(lambda statements, _: tables.rankings_and_counts.totals(statements))

    async def count_external(self) -> int:
        return await self._read(lambda statements, _: tables.rankings_and_counts.count_external(statements))

    async def known_ids(self, ids: Iterable[ImageId]) -> set[ImageId]:
        id_list = list(ids)  # a retry reads them again
        return await self._read(lambda statements, _: tables.images.known_ids(statements, id_list))

    async def put(self, images: Sequence[ImageRecord], vectors: Vectors) -> None:
        def change(statements: Statements, entries: Entries) -> None:
            check_report_reader(entries.reader_version, self.location)
            tables.images.put(statements, entries.fingerprint, images, vectors)

        await self._write(change)

    async def put_studies(self, studies: Sequence[Study]) -> int:
        def change(statements: Statements, entries: Entries) -> int:
            check_report_reader(entries.reader_version, self.location)
            return tables.studies.put_studies(statements, studies)

        return await self._write(change)

    async def get(self, ids: Sequence[ImageId], *, with_vectors: bool = False) -> dict[ImageId, StoredImage]:
        return await self._read(lambda statements, _: tables.images.get(statements, ids, with_vectors))

    async def nearest(self, vector: Vector, where: Filter, *, limit: int) -> list[RankedImage]:
        return await self._read(
            lambda statements, entries: tables.rankings_and_counts.nearest(statements, entries, vector, where, limit)
        )

    async def match(
        self, terms: Sequence[str], where: Filter, *, limit: int, by_presence: bool = False
    ) -> list[RankedImage]:
        return await self._read(
            lambda statements, _: tables.rankings_and_counts.match(
                statements, terms, where, limit, by_presence=by_presence
            )
        )

    async def browse(self, where: Filter, *, limit: int) -> list[RankedImage]:
        return await self._read(lambda statements, _: tables.rankings_and_counts.browse(statements, where, limit))

    async def count(self, where: Filter, *, distinct: Literal["study", "subject"] | None = None) -> int:
        return await self._read(lambda statements, _: tables.rankings_and_counts.count(statements, where, distinct))

    async def count_study_facts(self, study_ids: Collection[StudyId]) -> dict[StudyFact, int]:
        return await self._read(
            lambda statements, _: tables.rankings_and_counts.count_study_facts(statements, study_ids)
        )

    async def term_counts(self, terms: Sequence[str]) -> dict[str, int]:
        return await self._read(lambda statements, _: tables.rankings_and_counts.term_counts(statements, terms))

    async def result_facts(
        self,
        ids: Sequence[ImageId],
        where: Filter,
        *,
        distinct: Literal["study", "subject"] | None = None,
        with_vectors: bool = False,
        also_count: Sequence[Filter] = (),
    ) -> ResultFacts:
        def query(statements: Statements, entries: Entries) -> tuple[ResultFacts, CachedSample | None]:
            row = self._facts.read(statements, ids, where, distinct, with_vectors, also_count)
            if not entries.match(row.schema, row.fingerprint, row.reader):  # another process has recreated the archive
                self._cached_entries = entries = schema.read_entries(statements, self.location)
            made_with = entries.fingerprint
            cached = (
                tables.rankings_and_counts.reference_sample(
                    statements, made_with, self._cached_sample, row.sample_checksum
                )
                if with_vectors
                else None
            )
            sample = cached and cached.sample
            return ResultFacts(made_with, row.total, row.external, row.stored, sample, row.counts), cached

        result, cached = await self._read(query)
        self._cached_sample = cached or self._cached_sample
        return result

    async def reference_sample(self) -> ReferenceSample:
        def query(statements: Statements, entries: Entries) -> CachedSample:
            return tables.rankings_and_counts.reference_sample(statements, entries.fingerprint, self._cached_sample)

        self._cached_sample = cached = await self._read(query)
        return cached.sample

    async def images_after(self, after: ImageId | None, *, limit: int) -> list[StoredImage]:
        return await self._read(lambda statements, _: tables.images.images_after(statements, after, limit))

    async def outcomes(self, paths: Collection[str]) -> dict[str, Outcome]:
        return await self._read(lambda statements, _: tables.files.outcomes(statements, paths))

    async def unchanged_files(self, files: Mapping[str, tuple[int, int]]) -> dict[str, ImageId | None]:
        return await self._read(lambda statements, _: tables.files.unchanged_files(statements, files))

    async def refused_files(self) -> list[Outcome]:
        return await self._read(lambda statements, _: tables.files.refused_files(statements))

    async def files_of(self, ids: Collection[ImageId]) -> list[Outcome]:
        return await self._read(lambda statements, _: tables.files.files_of(statements, ids))

    async def files_named(self, name: str) -> list[Outcome]:
        return await self._read(lambda statements, _: tables.files.files_named(statements, name))

    async def record_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        await self._write(lambda statements, _: tables.files.record_outcomes(statements, outcomes))

    async def count_empty_studies(self, *, remove: bool = False) -> int:
        run = self._write if remove else self._read
        return await run(lambda statements, _: tables.studies.count_empty(statements, remove=remove))

    async def rebuild_documents(self) -> int:
        def change(statements: Statements, entries: Entries) -> int:
            if not entries.has_later_columns:
                schema.add_later_columns(statements)
            documents = tables.studies.reindex_all(statements)
            schema.record_report_reader(statements)
            return documents

        self._cached_entries = None
        documents = await self._write(change)
        self._pool.replace_all()
        return documents

    async def require_current_reader(self) -> None:
        if not (self._cached_entries and self._cached_entries.reader_version == READER_VERSION):
            await super().require_current_reader()

    async def forget(self, where: Filter) -> int:
        check_not_empty(where)
        return await self._write(lambda statements, _: tables.images.forget(statements, where), idempotent=False)

    async def _read(self, query: Callable[[Statements, Entries], T]) -> T:
        def work(connection: Connection) -> T:
            statements, cached_entries = Statements(connection, self._table), self._cached_entries
            if cached_entries:
                statements.has_later_columns = cached_entries.has_later_columns
                try:
                    return query(statements, cached_entries)
                except (StoreMissing, DimensionMismatch):
                    self._cached_entries = None  # another process may have dropped or recreated it
            self._cached_entries = entries = schema.read_entries(statements, self.location)
            statements.has_later_columns = entries.has_later_columns
            return query(statements, entries)

        return await self._pool.run(work)

    async def _write(self, change: Callable[[Statements, Entries], T], *, idempotent: bool = True) -> T:
        def write(statements: Statements) -> T:
            entries = schema.read_entries(statements, self.location)
            statements.has_later_columns = entries.has_later_columns
            result = change(statements, entries)
            statements.connection.commit()
            return result

        def work(connection: Connection) -> T:
            statements = Statements(connection, self._table, has_nolock=self._has_nolock)
            try:
                return write(statements)
            except PrivilegeMissing:
                if not statements.nolock_refused:
                    raise
            connection.rollback()
            result = write(Statements(connection, self._table, has_nolock=False))
            self._has_nolock = False
            _log.warning("%s", _NO_NOLOCK.format(location=self.location))
            return result

        return await self._pool.run(work, idempotent=idempotent)
