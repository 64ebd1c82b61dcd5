"""The `Store` over one SQLite file: each method is one transaction."""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, Literal, ParamSpec, TypeVar

from anyio import to_thread

from mcp_cxr.records import Filter, ResultFacts
from mcp_cxr.stores._base import Store, check_report_reader
from mcp_cxr.stores._shared import check_not_empty
from mcp_cxr.stores.embedded import database, fulltext, tables
from mcp_cxr.stores.embedded.database import (
    Connections,
    LockBusy,
    RankingCache,
    ResultCache,
    StaleCopy,
    is_open_to_others,
    network_file_system,
)
from mcp_cxr.stores.embedded.vectors import LEAST_APPENDED, MAX_LAG_SLOTS, Int8Copy, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from sqlite3 import Connection
    from types import TracebackType
    from typing import Any, Self

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
        VectorAndFile,
        Vectors,
    )

P = ParamSpec("P")
T = TypeVar("T")

_log = logging.getLogger(__name__)

_ON_NETWORK = (
    "The archive's folder is on a network file system ({kind}), where SQLite cannot protect it from two machines that"
    " write at once. Set MCP_CXR_DATA_DIR to a folder on a local disk."
)
_OPEN_TO_OTHERS = (
    "Other users of this machine may read the data folder {folder}. Run chmod 700 {folder}, or set MCP_CXR_DATA_DIR to"
    " a folder for mcp-cxr alone."
)
FILE_NAME = "archive.sqlite3"
_MAX_LAGS = (MAX_LAG_SLOTS, None, None)  # of the int8 copy, tried in turn; if none succeeds, SQLite alone is read


class EmbeddedStore(Store):
    """An archive in one file, `archive.sqlite3`.

    Args:
        folder: Of the file, which `create` makes if it is missing.
        busy_timeout_s: Wait for another process that writes, before `StoreUnavailable`.
    """

    is_private = True

    def __init__(self, folder: Path, *, busy_timeout_s: float = 30.0) -> None:
        path = folder / FILE_NAME
        self.location: str = str(path)
        self._connections = Connections(path, busy_timeout_s=busy_timeout_s, on_other_file=self._remove_cached)
        self._int8_copy = Int8Copy(path)
        self._results = ResultCache(capacity=64)
        self._rankings = RankingCache()
        self._mask_cache = ResultCache(capacity=64)  # a byte for each study, up to several megabytes for slots
        self._score_cache = ResultCache(capacity=4)  # eight bytes for each study; the tiers of a search have one score
        self._busy_timeout_s = busy_timeout_s

    async def __aenter__(self) -> Self:
        for warning in await self.location_warnings():
            _log.warning("%s", warning)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._connections.close()

    async def create(
        self, fingerprint: Fingerprint | None = None, *, root: str | None = None, key_check: str | None = None
    ) -> bool:
        await self._connections.create_file()
        return await self._connections.write(
            lambda connection: database.archive_info.create(connection, self.location, fingerprint, root, key_check)
        )

    async def update_fingerprint(self, fingerprint: Fingerprint) -> None:
        await self._write(database.archive_info.update_fingerprint, fingerprint)

    async def drop(self) -> None:
        await self._connections.clear(within=self._int8_copy.removal(wait_s=self._busy_timeout_s))

    async def info(self) -> StoreInfo:
        return await self._read(database.archive_info.info)

    async def location_warnings(self) -> list[str]:
        folder = Path(self.location).parent
        kind = await to_thread.run_sync(network_file_system, folder)
        is_open = await to_thread.run_sync(is_open_to_others, folder)
        return [
            *([_ON_NETWORK.format(kind=kind)] if kind else []),
            *([_OPEN_TO_OTHERS.format(folder=folder)] if is_open else []),
        ]

    async def totals(self) -> Totals:
        return await self._read(partial(self._results.get, tables.counts_and_lists.totals))

    async def count_external(self) -> int:
        return await self._read(tables.counts_and_lists.count_external)

    async def known_ids(self, ids: Iterable[ImageId]) -> set[ImageId]:
        return await self._read(tables.images.known_ids, ids)

    async def put(self, images: Sequence[ImageRecord], vectors: Vectors) -> None:
        await self._write_documents(tables.images.put, images, vectors)
        await self._update_copy(LEAST_APPENDED)

    async def put_studies(self, studies: Sequence[Study]) -> int:
        return await self._write_documents(tables.images.put_studies, studies)

    async def get(self, ids: Sequence[ImageId], *, with_vectors: bool = False) -> dict[ImageId, StoredImage]:
        return await self._read(tables.images.get, ids, with_vectors)

    async def nearest(self, vector: Vector, where: Filter, *, limit: int) -> list[RankedImage]:
        def rank(connection: Connection, *by_copy: Any) -> list[RankedImage]:  # noqa: ANN401 - what `_read_with_copy` adds
            ways = _named(by_copy)
            return self._rankings.get(nearest, connection, vector.tobytes(), where, limit=limit, unkeyed=ways)

        return await self._read_with_copy(rank)

    async def match(
        self, terms: Sequence[str], where: Filter, *, limit: int, by_presence: bool = False
    ) -> list[RankedImage]:
        question = tuple(terms), where, by_presence

        def rank(connection: Connection, *by_copy: Any) -> list[RankedImage]:  # noqa: ANN401 - as in `nearest`
            with_help = {
                "mask_cache": self._mask_cache,
                "score_cache": self._score_cache,
                "images_of": partial(tables.counts_and_lists.images_of, **_named(by_copy)),
                "first_images": partial(tables.counts_and_lists.first_images, **_named(by_copy)),
            }
            return self._rankings.get(fulltext.match, connection, *question, limit=limit, unkeyed=with_help)

        return await self._read_with_copy(rank)

    async def browse(self, where: Filter, *, limit: int) -> list[RankedImage]:
        return await self._read(tables.counts_and_lists.browse, where, limit, self._mask_cache)

    async def count(self, where: Filter, *, distinct: Literal["study", "subject"] | None = None) -> int:
        return await self._read_with_copy(partial(self._results.get, tables.counts_and_lists.count), where, distinct)

    async def count_study_facts(self, study_ids: Collection[StudyId]) -> dict[StudyFact, int]:
        return await self._read(tables.counts_and_lists.count_study_facts, study_ids)

    async def term_counts(self, terms: Sequence[str]) -> dict[str, int]:
        return await self._read(fulltext.term_counts, terms)

    async def result_facts(
        self,
        ids: Sequence[ImageId],
        where: Filter,
        *,
        distinct: Literal["study", "subject"] | None = None,
        with_vectors: bool = False,
        also_count: Sequence[Filter] = (),
    ) -> ResultFacts:
        def query(connection: Connection, *by_copy: Any) -> ResultFacts:  # noqa: ANN401 - what `_read_with_copy` adds
            return ResultFacts(
                database.archive_info.fingerprint_of(connection),
                self._results.get(tables.counts_and_lists.count, connection, where, distinct, *by_copy),
                tables.counts_and_lists.count_external(connection),
                tables.images.get(connection, ids, with_vectors),
                self._results.get(tables.counts_and_lists.reference_sample, connection) if with_vectors else None,
                tuple(
                    self._results.get(tables.counts_and_lists.count, connection, one, distinct, *by_copy)
                    for one in also_count
                ),
                self._int8_copy.lag(connection) if with_vectors else 0,
            )

        return await self._read_with_copy(query)

    async def reference_sample(self) -> ReferenceSample:
        return await self._read(partial(self._results.get, tables.counts_and_lists.reference_sample))

    async def images_after(self, after: ImageId | None, *, limit: int) -> list[StoredImage]:
        return await self._read(tables.images.images_after, after, limit)

    async def vectors_and_files_after(self, after: ImageId | None, *, limit: int) -> list[VectorAndFile]:
        return await self._read(tables.images.vectors_and_files_after, after, limit)

    async def outcomes(self, paths: Collection[str]) -> dict[str, Outcome]:
        return await self._read(tables.files.outcomes, paths)

    async def unchanged_files(self, files: Mapping[str, tuple[int, int]]) -> dict[str, ImageId | None]:
        return await self._read(tables.files.unchanged_files, files)

    async def refused_files(self) -> list[Outcome]:
        return await self._read(tables.files.refused_files)

    async def files_of(self, ids: Collection[ImageId]) -> list[Outcome]:
        return await self._read(tables.files.files_of, ids)

    async def files_named(self, name: str) -> list[Outcome]:
        return await self._read(tables.files.files_named, name)

    async def record_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        await self._write(tables.files.record_outcomes, outcomes)

    async def count_orphans(self, *, remove: bool = False) -> int:
        return await (self._write if remove else self._read)(tables.images.count_orphans, remove=remove)

    async def count_empty_studies(self, *, remove: bool = False) -> int:
        count = await (self._write if remove else self._read)(tables.images.count_empty_studies, remove=remove)
        if remove and count:
            await self._connections.truncate_log()  # it holds their reports
        return count

    async def count_unused_roots(self, roots: Sequence[str], *, remove: bool = False) -> int:
        run = self._write if remove else self._read
        return await run(database.archive_info.count_unused_roots, roots, remove=remove)

    async def rebuild_documents(self) -> int:
        studies = await self._write(fulltext.reindex_all)
        await self._connections.truncate_log()  # it holds all documents
        return studies

    async def forget(self, where: Filter) -> int:
        check_not_empty(where)
        wiper = self._int8_copy.wiper(wait_s=self._busy_timeout_s)
        removed = await self._connections.write(
            self._after_schema_check(tables.images.forget, where, wiper), within=wiper
        )
        self._remove_cached()
        await self._connections.truncate_log()
        return removed

    def _remove_cached(self) -> None:
        for cache in (self._results, self._mask_cache, self._score_cache, self._rankings, self._int8_copy):
            cache.clear()

    async def _update_copy(self, least: int = 1) -> None:
        """Update the int8 copy if it lags by `least` slots, unless another process is updating it."""
        with suppress(LockBusy):
            await self._connections.read(
                self._after_schema_check(self._int8_copy.update, least), within=self._int8_copy.lock()
            )

    async def _read_with_copy(self, work: Callable[..., T], *args: object) -> T:
        """Run `work` with the int8 copy, the cached masks and the lag it may have; if that fails, without the copy."""
        for max_lag in _MAX_LAGS:
            try:
                return await self._read(work, *args, self._int8_copy, self._mask_cache, max_lag)
            except StaleCopy:
                await self._update_copy()
        return await self._read(work, *args, None, self._mask_cache, None)

    async def _read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._connections.read(self._after_schema_check(work, *args, **kwargs))

    async def _write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._connections.write(self._after_schema_check(work, *args, **kwargs))

    async def _write_documents(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Write, unless another version of the reader derived the documents."""

        def checked(connection: Connection) -> T:
            check_report_reader(database.archive_info.reader_version(connection), self.location)
            return work(connection, *args, **kwargs)

        return await self._write(checked)

    def _after_schema_check(
        self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Callable[[Connection], T]:
        """Return `work` preceded by a check that the archive exists and has this schema."""

        def checked(connection: Connection) -> T:
            database.archive_info.require_archive(connection, self.location)
            return work(connection, *args, **kwargs)

        return checked


def _named(by_copy: tuple[Any, ...]) -> dict[str, Any]:
    """Return what `_read_with_copy` adds, by name."""
    return dict(zip(("int8_copy", "mask_cache", "max_lag"), by_copy, strict=True))
