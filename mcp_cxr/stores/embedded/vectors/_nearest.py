"""Exact search by vector: the int8 copy gives upper bounds of the cosines, SQLite's float32 vectors the cosines.

Images are read in descending order of their bounds, until no remaining bound reaches the worst of the best so far: then
no other image can be among the best. Without a copy, every vector that passes the filter is read.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from mcp_cxr.records import VIEW_POSITIONS, Filter
from mcp_cxr.stores._shared import damaged_vector_error, unit_rows
from mcp_cxr.stores.embedded.database import (
    NOT_EXTERNAL,
    Changes,
    StaleCopy,
    compose,
    fingerprint_of,
    numbers_from_json,
    ranked_images,
    stack_blobs,
)
from mcp_cxr.stores.embedded.fulltext import cached_study_mask, image_conditions, selects_few, study_conditions
from mcp_cxr.stores.embedded.vectors._candidates import Candidates
from mcp_cxr.stores.embedded.vectors._uncovered_images import uncovered_images

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from sqlite3 import Connection, Cursor
    from typing import LiteralString

    from numpy.typing import NDArray

    from mcp_cxr.records import RankedImage, Vector, Vectors
    from mcp_cxr.stores.embedded.database import ResultCache
    from mcp_cxr.stores.embedded.vectors._int8_copy import Int8Copy
    from mcp_cxr.stores.embedded.vectors._int8_file import Int8Snapshot

    Slots: TypeAlias = NDArray[np.int64]
    _Block: TypeAlias = tuple[Slots, Vectors]

_BLOCK = 256  # vectors held at once: 1 MiB of 1,024 numbers, which stays in a core's cache
_MAX_DIRECT_READS = 256  # images that are read from SQLite at once, in about a millisecond
_MARGIN = 4  # images read beyond the limit at first: bounds are in nearly the same order as cosines

_SCAN = """
SELECT i.slot, (SELECT vector FROM vectors AS v WHERE v.slot = i.slot)
FROM images AS i"""
_WHOLE_SCAN = _SCAN + " NOT INDEXED"  # in the order of an index, each vector would be a random read
_SLOTS = "SELECT i.slot FROM images AS i"
# All rows come as one: Python's driver takes and releases the interpreter's lock for each row, and searches would wait
# in turn.
_JOINED: LiteralString = """
SELECT json_group_array(wanted.value), min(coalesce(length(v.vector), 0)), max(length(v.vector)),
    CAST(group_concat(v.vector, '') AS BLOB)
FROM json_each(:slots) AS wanted """
_BY_SLOT: LiteralString = _JOINED + "LEFT JOIN vectors AS v ON v.slot = wanted.value"
# CROSS JOIN fixes the order: the slots first, then their rows, whatever index the filter might suggest.
_OF_PASSING: LiteralString = (
    _JOINED + "CROSS JOIN images AS i ON i.slot = wanted.value LEFT JOIN vectors AS v ON v.slot = i.slot"
)
_VECTORS_BETWEEN = "SELECT slot, vector FROM vectors WHERE slot BETWEEN ? AND ? ORDER BY slot"
_VECTORS_OF = """
SELECT v.slot, v.vector FROM json_each(?) AS wanted CROSS JOIN vectors AS v ON v.slot = wanted.value"""
_MOST_READ_ONE_BY_ONE = 0.8  # of the slots between the first and the last; from here on reading all of them is cheaper


def nearest(
    connection: Connection,
    vector: bytes,
    where: Filter,
    *,
    limit: int,
    int8_copy: Int8Copy | None = None,
    mask_cache: ResultCache | None = None,
    max_lag: int | None = None,
) -> list[RankedImage]:
    """Rank images by cosine, best first; ties by image id.

    Args:
        vector: float32, as bytes, by which a ranking can be cached.
        int8_copy: None reads the vectors in SQLite.
        mask_cache: Cached slots and studies that pass a filter; None reads every image with its vector.
        max_lag: Slots that the copy may lag behind.

    Raises:
        StaleCopy: The copy does not fit this state of the database.
    """
    fingerprint = fingerprint_of(connection)
    numbers = np.frombuffer(vector, np.float32)
    query = unit_rows(numbers[None, :], fingerprint.dimension if fingerprint else numbers.size)[0]
    if mask_cache is None:
        best = _Best(query, limit)
        best.add(_read_all(connection, where, query.size))
        return best.hits(connection)
    hits: list[RankedImage] = []
    for checked in (False, True):  # another program may have removed images without a trace
        best = _Best(query, limit)
        _search(connection, where, best, int8_copy, mask_cache, max_lag, checked=checked)
        hits = best.hits(connection)
        if len(hits) == min(limit, best.count):
            break
    return hits


class _Best:
    """The best images read so far, and all that tie with the last of them, which only their ids can order."""

    def __init__(self, query: Vector, limit: int) -> None:
        self.query = query
        self.limit = limit
        self.floor = -np.inf
        """The score that an image must reach to be among them."""
        self._slots: Slots = np.empty(0, np.int64)
        self._scores: Vector = np.empty(0, np.float32)

    @property
    def count(self) -> int:
        """The number of these images."""
        return len(self._slots)

    def add(self, blocks: Iterable[_Block]) -> None:
        """Compare more images.

        `vecdot` scores each row alone: equal vectors tie exactly, which a matrix product does not promise.
        """
        for slots, vectors in blocks:
            scores = np.vecdot(vectors, self.query)
            if np.isnan(scores).any():
                raise damaged_vector_error()
            self._slots = np.concatenate((self._slots, slots))
            self._scores = np.concatenate((self._scores, scores.clip(-1, 1)))
            if len(self._scores) >= 2 * self.limit:
                self._cut()
        self._cut()

    def hits(self, connection: Connection) -> list[RankedImage]:
        """Return the best images read so far, best first; ties by image id."""
        return ranked_images(connection, self._slots, self._scores, limit=self.limit)

    def _cut(self) -> None:
        if len(self._scores) < self.limit:
            return
        self.floor = float(np.partition(self._scores, -self.limit)[-self.limit])
        kept = self._scores >= self.floor
        self._slots, self._scores = self._slots[kept], self._scores[kept]


def _search(
    connection: Connection,
    where: Filter,
    best: _Best,
    int8_copy: Int8Copy | None,
    mask_cache: ResultCache,
    max_lag: int | None,
    *,
    checked: bool,
) -> None:
    """Fill `best` with the help of the int8 copy, if there is one.

    Args:
        checked: Whether it is checked that each image exists.
    """
    slots = mask_cache.get(_slots, connection, where) if selects_few(where) else None
    if slots is not None and len(slots) <= _MAX_DIRECT_READS:
        best.add(_read_slots(connection, slots, best.query.size))
        return
    copy, lag = int8_copy.snapshot(connection, max_lag=max_lag) if int8_copy else (None, 0)
    if slots is not None:
        if copy is None:
            best.add(_read_slots(connection, slots, best.query.size))
        else:
            _search_slots(connection, slots, best, copy)
    else:
        if copy is None or lag:
            _search_uncovered(connection, where, best, copy.header.covered if copy else 0, mask_cache)
        if copy is not None:
            _search_all(connection, where, best, copy, mask_cache, checked=checked)
    if copy is not None and copy.was_wiped:
        raise StaleCopy


def _search_uncovered(
    connection: Connection, where: Filter, best: _Best, covered: int, mask_cache: ResultCache
) -> None:
    """Search the images after this slot; of many, the vectors are read in order."""
    slots, _ = uncovered_images(connection, where, covered, mask_cache)
    read = _read_in_order if len(slots) > _MAX_DIRECT_READS + best.limit else _read_slots
    best.add(read(connection, slots, best.query.size))


def _read_in_order(connection: Connection, slots: Slots, dimension: int) -> Iterator[_Block]:
    """Read the vectors in these slots, ascending, and perhaps those between them: a vector takes three reads."""
    first, last = int(slots[0]), int(slots[-1])
    if len(slots) > _MOST_READ_ONE_BY_ONE * (last - first + 1):
        rows = connection.execute(_VECTORS_BETWEEN, (first, last))
    else:
        rows = connection.execute(_VECTORS_OF, (json.dumps(slots.tolist()),))
    missing = len(slots)
    while block := rows.fetchmany(_BLOCK):
        found = np.array([slot for slot, _ in block], np.int64)
        here = slots[np.minimum(np.searchsorted(slots, found), len(slots) - 1)] == found
        missing -= np.count_nonzero(here)
        blobs = [blob for (_, blob), wanted in zip(block, here.tolist(), strict=True) if wanted]
        yield found[here], stack_blobs(blobs, dimension)
    if missing:
        raise damaged_vector_error()


def _search_all(
    connection: Connection, where: Filter, best: _Best, copy: Int8Snapshot, mask_cache: ResultCache, *, checked: bool
) -> None:
    """Search the images whose views and studies pass; other conditions are checked when rows are read."""
    passing = copy.rows.view_mask(where.view) if where.view else None
    if (study_filter := study_conditions(where)) != Filter():
        mask = copy.rows.study_mask(cached_study_mask(connection, study_filter, mask_cache))
        passing = mask if passing is None else passing & mask
    conditions = image_conditions(where)
    are_all_met = conditions == Filter(view=where.view) and set(where.view) <= set(VIEW_POSITIONS)
    are_all_there = copy.header.compacted == Changes.of(connection).removed
    _compare_candidates(
        connection,
        None if are_all_met and are_all_there and not checked else conditions,
        best,
        Candidates.of_mask(copy.rows, best.query, passing),
    )


def _search_slots(connection: Connection, slots: Slots, best: _Best, copy: Int8Snapshot) -> None:
    """Search the images in these slots; the copy may not cover all of them yet."""
    positions, here = copy.rows.find(slots)
    best.add(_read_slots(connection, slots[~here], best.query.size))
    _compare_candidates(connection, None, best, Candidates.at_positions(copy.rows, best.query, positions[here]))


def _compare_candidates(connection: Connection, where: Filter | None, best: _Best, candidates: Candidates) -> None:
    """Compare images with the highest bounds, until no remaining bound reaches the best.

    As soon as `limit` images set a floor, all images whose bounds reach it are read at once. Until then (a filter, or
    deleted images), more are read.

    Args:
        where: Must hold of the images, which must exist; None if that is known.
    """
    depth = best.limit + _MARGIN
    while (highest := candidates.take_highest(depth)).size:
        best.add(_read_slots(connection, highest, best.query.size, where))
        if best.floor > -np.inf:
            left = candidates.take_reaching(best.floor)
            if left.size:
                best.add(_read_slots(connection, left, best.query.size, where))
            return
        depth *= 4


def _read_all(connection: Connection, where: Filter, dimension: int) -> Iterator[_Block]:
    """Read every image that passes the filter."""
    is_wide = not selects_few(where) and study_conditions(where) == Filter()
    return _blocks(connection.execute(*compose(_WHOLE_SCAN if is_wide else _SCAN, where, NOT_EXTERNAL)), dimension)


def _blocks(rows: Cursor, dimension: int) -> Iterator[_Block]:
    while block := rows.fetchmany(_BLOCK):
        yield np.array([slot for slot, _ in block], np.int64), stack_blobs([blob for _, blob in block], dimension)


def _slots(connection: Connection, where: Filter) -> Slots:
    rows = connection.execute(*compose(_SLOTS, where, NOT_EXTERNAL))
    return np.sort(np.fromiter((slot for (slot,) in rows), np.int64))


def _read_slots(connection: Connection, slots: Slots, dimension: int, where: Filter | None = None) -> Iterator[_Block]:
    """Read the vectors in these slots; with `where`, of images that still exist, are not external, and pass."""
    checked = None if where is None else compose(_OF_PASSING, where, NOT_EXTERNAL)
    statement, bound = checked or (_BY_SLOT, dict[str, str]())
    slots = np.sort(slots)
    for start in range(0, len(slots), _BLOCK):
        these = json.dumps(slots[start : start + _BLOCK].tolist())
        found, shortest, longest, joined = connection.execute(statement, {**bound, "slots": these}).fetchone()
        if shortest is None:  # none exists
            continue
        if {shortest, longest} != {dimension * np.dtype(np.float32).itemsize}:
            raise damaged_vector_error()
        yield numbers_from_json(found), np.frombuffer(joined, "<f4").reshape(-1, dimension)
