"""The parts of the check that write, on scratch tables: all statements, letter case, load and index, two writers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Final
from zlib import crc32

import anyio

from mcp_cxr.errors import CxrError, StoreError
from mcp_cxr.records import Filter, ImageId
from mcp_cxr.server_check._record import (
    CasesFacts,
    Found,
    IrisFacts,
    LoadFacts,
    Part,
    SearchFacts,
    StatementsFacts,
    WritersFacts,
)
from mcp_cxr.server_check._timed_parts import failure_name
from mcp_cxr.server_check.iris import _letter_case_and_error_codes, _server_facts
from mcp_cxr.server_check.iris._reading_parts import record_reads
from mcp_cxr.server_check.iris._scratch_tables import scratch_tables
from mcp_cxr.server_check.iris._session import Session, create
from mcp_cxr.server_check.iris._store_calls import (
    drawn_fingerprint,
    drawn_vectors,
    made_images,
    made_studies,
    read_inputs,
    removals,
    writes,
)
from mcp_cxr.stores.iris.schema import create_vector_index, read_entries
from mcp_cxr.stores.iris.tables import images, rankings_and_counts, studies

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from mcp_cxr.records import Fingerprint, ImageRecord
    from mcp_cxr.server_check._timed_parts import Parts
    from mcp_cxr.server_check.iris._recorded_statements import RecordedStatements
    from mcp_cxr.stores.iris import IrisConfig

SHARES_S: Final = {"own tables": 180.0, "cases": 60.0, "load": 1200.0, "writers": 180.0}
"""Seconds of each part."""
_FEW = 200  # images on which each statement is run
_CHUNK = 500
_LIMITS = (10, 200, 1000)
_QUERIES = 5
_FEWEST_TO_FILTER = 1000  # of which ten are laterals
_EVERY = Filter(exclude_images=(ImageId("none"),))  # a filter that all pass, so that the store scans
_BYTES_PER_NUMBER = 8
_WITH_INDEXES_AND_JOURNAL = 2.5
_TOUCH: Final = "UPDATE {table} SET ViewPosition = 'PA' WHERE ImageID = 'i000001'"
_FILTERED: Final = """
SELECT TOP 10 ImageID, VECTOR_COSINE(Vector, TO_VECTOR(:query, DOUBLE)) AS Score FROM {table}
WHERE ViewPosition = 'LATERAL' ORDER BY Score DESC"""


@dataclass(frozen=True, slots=True)
class WriteSize:
    """How much is written."""

    rows: int = 20_000
    dimension: int = 1024
    studies: int = 2_000
    """Of the two writers together."""

    @property
    def all_rows(self) -> int:
        """Images of all parts."""
        return self.rows + self.rows // 20 + self.studies + _FEW

    @property
    def megabytes(self) -> int:
        """About, with indexes and journal."""
        size = self.all_rows * self.dimension * _BYTES_PER_NUMBER * _WITH_INDEXES_AND_JOURNAL
        return max(1, round(size / 1e6))

    @property
    def seconds(self) -> int:
        """At most."""
        return round(sum(SHARES_S.values()))


async def check_iris_by_writing(
    config: IrisConfig, facts: IrisFacts, size: WriteSize, folder: Path, parts: Parts
) -> IrisFacts:
    """Return the facts with those that need scratch tables, which are dropped before this returns.

    Args:
        config: The server.
        facts: What was found without writing.
        size: How much is written.
        folder: The data folder, which holds a note of the tables while they exist.
        parts: Runs each part.
    """
    if facts.server.round_trip_ms is None:
        return facts
    async with Session(config, config.table) as session, scratch_tables(session, folder, parts):

        async def run(part: type[Part], name: str, work: Callable[[Found], Awaitable[None]], **known: object) -> Part:
            return await parts.run(part, f"IRIS {name}", SHARES_S[name], work, **known)

        shape = {"rows": size.rows, "dimension": size.dimension}
        own = await run(StatementsFacts, "own tables", lambda found: _all_statements(session, size, found))
        cases = await run(
            CasesFacts, "cases", lambda found: _letter_case_and_error_codes.run(session, size.dimension, found)
        )
        load = await run(LoadFacts, "load", lambda found: _load(session, size, found), **shape)
        both = await run(
            WritersFacts, "writers", lambda found: _writers(config, session, size, found), studies=size.studies
        )
    return facts.model_copy(update={"own_tables": own, "cases": cases, "load": load, "writers": both})


async def _all_statements(session: Session, size: WriteSize, found: Found) -> None:
    found["calls"] = ()
    for call in writes(session.location, drawn_fingerprint(size.dimension), _FEW):
        found["calls"] += (await session.record(call, twice=False, may_write=True),)
        if call[0] == "create tables":
            session.has_nolock = found["has_nolock"] = await session.run(studies.try_nolock, may_write=True) == 0
    given = await session.run(lambda on: read_inputs(on, session.location))
    await record_reads(session, given, found)
    for call in removals():
        found["calls"] += (await session.record(call, twice=False, may_write=True),)


async def _load(session: Session, size: WriteSize, found: Found) -> None:
    fingerprint = drawn_fingerprint(size.dimension)
    await create(session, fingerprint)
    found["rows_per_s"] = await _put(session, fingerprint, made_images(size.rows))
    await _build_index(session, fingerprint, found)
    if found["index_sqlcode"]:
        return
    found["rows_per_s_with_index"] = await _put(session, fingerprint, made_images(max(1, size.rows // 20), prefix="j"))
    exact = await session.run(lambda on: _search(on, session.location, size.dimension, _EVERY))
    approximate = await session.run(lambda on: _search(on, session.location, size.dimension, Filter()))
    found["searches"] = tuple(
        SearchFacts(
            limit=limit,
            by_index_ms=round(approximate[limit][0], 2),
            by_scan_ms=round(exact[limit][0], 2),
            found=round(len(approximate[limit][1] & exact[limit][1]) / max(1, len(exact[limit][1])), 4),
        )
        for limit in _LIMITS
    )
    if size.rows >= _FEWEST_TO_FILTER:
        found["filtered_rows"] = await session.run(lambda on: _count_filtered(on, size.dimension))
    found["index_is_planned"] = await session.run(lambda on: _index_is_planned(on, session.location))


async def _put(session: Session, fingerprint: Fingerprint, records: list[ImageRecord]) -> float:
    """Put images in transactions of `_CHUNK`; return how many in a second."""
    seconds = 0.0
    for start in range(0, len(records), _CHUNK):
        part = records[start : start + _CHUNK]
        vectors = drawn_vectors(len(part), fingerprint.dimension, seed=crc32(part[0].image_id.encode()))
        started = time.monotonic()
        await session.run(partial(images.put, fingerprint=fingerprint, images=part, vectors=vectors), may_write=True)
        seconds += time.monotonic() - started
    return round(len(records) / max(seconds, 1e-3), 1)


async def _build_index(session: Session, fingerprint: Fingerprint, found: Found) -> None:
    """Build the index, then write at once: it is known to have left a lock."""

    def build(on: RecordedStatements) -> int:
        try:
            create_vector_index(on, session.location)
        except StoreError:
            if not any(run.sqlcode for run in on.runs):
                raise
        return next((run.sqlcode for run in on.runs if run.verb == "CREATE"), 0)

    started = time.monotonic()
    found["index_sqlcode"] = await session.run(build, may_write=True)
    session.reconnect()
    found["index_s"] = round(time.monotonic() - started, 2)
    found["update_sqlcode"] = await session.run(_touch, may_write=True)
    found["upsert_sqlcode"] = await session.run(lambda on: _upsert(on, fingerprint), may_write=True)


def _touch(on: RecordedStatements) -> int:
    code = on.try_execute(_TOUCH)
    on.connection.rollback() if code else on.connection.commit()
    return code


def _upsert(on: RecordedStatements, fingerprint: Fingerprint) -> int:
    try:
        images.put(on, fingerprint, made_images(2)[1:], drawn_vectors(1, fingerprint.dimension, seed=1))
    except StoreError:
        if not on.connection.sqlcode:
            raise
        code = on.connection.sqlcode
        on.connection.rollback()
        return code
    return 0


def _search(on: RecordedStatements, location: str, dimension: int, where: Filter) -> dict[int, tuple[float, set[str]]]:
    """Return for each limit the median time in ms, and what was found."""
    entries = read_entries(on, location)
    queries = drawn_vectors(_QUERIES, dimension, seed=7)
    results: dict[int, tuple[float, set[str]]] = {}
    for limit in _LIMITS:
        times: list[float] = []
        ids: set[str] = set()
        for number, query in enumerate(queries):
            started = time.perf_counter()
            ranked = rankings_and_counts.nearest(on, entries, query, where, limit)
            times.append((time.perf_counter() - started) * 1000)
            ids |= {f"{number} {one.image_id}" for one in ranked}
        results[limit] = median(times), ids
    return results


def _count_filtered(on: RecordedStatements, dimension: int) -> int:
    query = ",".join(f"{number:.9g}" for number in drawn_vectors(1, dimension, seed=7)[0].tolist())
    return len(on.fetch_all(_FILTERED, {"query": query}))


def _index_is_planned(on: RecordedStatements, location: str) -> bool:
    given = read_inputs(on, location)
    (plan, *_) = _server_facts.explain(on, given)
    return "ByVector" in plan.words


async def _writers(config: IrisConfig, session: Session, size: WriteSize, found: Found) -> None:
    """Let two connections write the same studies at once."""
    fingerprint = drawn_fingerprint(size.dimension)
    half = size.studies // 2
    failures: list[str] = []

    async def write(on: Session, prefix: str, seed: int) -> None:
        records, vectors = made_images(half, prefix=prefix), drawn_vectors(half, size.dimension, seed=seed)
        try:
            await on.run(lambda at: images.put(at, fingerprint, records, vectors), may_write=True)
            await on.run(lambda at: _put_studies(at, half), may_write=True)
        except CxrError as exc:
            failures.append(failure_name(exc))

    await create(session, fingerprint)
    before = await session.run(lambda on: rankings_and_counts.count(on, Filter(), None))
    async with Session(config, session.table) as other, anyio.create_task_group() as group:
        other.has_nolock = session.has_nolock
        group.start_soon(write, session, "v", 3)
        group.start_soon(write, other, "w", 4)
    found["failures"] = tuple(failures)
    found["stored"] = await session.run(lambda on: rankings_and_counts.count(on, Filter(), None)) - before


def _put_studies(on: RecordedStatements, count: int) -> None:
    studies.put_studies(on, made_studies(count))
    on.connection.commit()
