"""Exact search by vector: an int8 copy says what each cosine cannot exceed, and SQLite's float32 what it is.

Images are looked up from the highest bound down, until the last of the best so far is above every bound that is left:
then no other image can be among the best. Where there is no copy, every vector the filter lets through is read.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.errors import StoreError
from mcp_cxr.records import Filter, RankedImage
from mcp_cxr.stores._ranking import best_first
from mcp_cxr.stores._unit_rows import unit_rows
from mcp_cxr.stores.embedded.database import OURS, compose, fingerprint_of
from mcp_cxr.stores.embedded.fulltext import is_narrow, of_images, of_studies, studies
from mcp_cxr.stores.embedded.vectors._blobs import stack
from mcp_cxr.stores.embedded.vectors._candidates import Candidates
from mcp_cxr.stores.embedded.vectors._int8_copy import Stale

if TYPE_CHECKING:
    from sqlite3 import Connection, Cursor

    from numpy.typing import NDArray

    from mcp_cxr.records import ImageId, StudyId, SubjectId, Vector
    from mcp_cxr.stores.embedded.database import KeptAnswers
    from mcp_cxr.stores.embedded.vectors._int8_copy import Cache
    from mcp_cxr.stores.embedded.vectors._int8_file import Copy

_BLOCK = 1024  # vectors held at once: 4 MiB of 1,024 numbers
_FEW = 256  # images that are read from SQLite at once: that takes about a millisecond
_MARGIN = 4  # images beyond those wanted that are looked up at first: bounds are in nearly the same order as cosines

_SCAN = """
SELECT i.image_id, i.study_id, i.subject_id, (SELECT vector FROM vectors AS v WHERE v.slot = i.slot)
FROM images AS i"""
_WHOLE_SCAN = _SCAN + " NOT INDEXED"  # in an index's order each vector would be looked for
_SLOTS = "SELECT i.slot FROM images AS i"
# CROSS JOIN keeps the order: the slots first, then their rows, whatever index the filter might suggest.
_THESE = """
SELECT i.image_id, i.study_id, i.subject_id, (SELECT vector FROM vectors AS v WHERE v.slot = i.slot)
FROM json_each(:slots) AS these CROSS JOIN images AS i ON i.slot = these.value"""
_AFTER = """
SELECT i.image_id, i.study_id, i.subject_id, (SELECT vector FROM vectors AS v WHERE v.slot = i.slot)
FROM (SELECT slot FROM images WHERE slot > :covered) AS these CROSS JOIN images AS i ON i.slot = these.slot"""


def nearest(
    connection: Connection,
    vector: Vector,
    where: Filter,
    limit: int,
    cache: Cache | None = None,
    kept: KeptAnswers | None = None,
    max_lag: int | None = None,
) -> list[RankedImage]:
    """Rank images by cosine, best first; ties by image id.

    Args:
        cache: Whose copy to use; None reads SQLite alone.
        kept: Which slots a filter lets through, from before.
        max_lag: How many slots the copy may lag behind.

    Raises:
        Stale: The copy does not fit this state of the database.
    """
    fingerprint = fingerprint_of(connection)
    query = unit_rows(vector[None, :], fingerprint.dimension if fingerprint else vector.size)[0]
    best = _Best(query, limit)
    if cache is None or kept is None:
        best.add(_all(connection, where))
    else:
        _search(connection, where, best, cache, kept, max_lag)
    return best.hits()


class _Best:
    """The best of the images looked at so far, and all that tie with the last of them: only ids tell these apart."""

    def __init__(self, query: Vector, limit: int) -> None:
        self.query = query
        self.limit = limit
        self.floor = -np.inf
        """What an image must reach to be among them."""
        self._images: list[tuple[ImageId, StudyId, SubjectId]] = []
        self._scores: Vector = np.empty(0, np.float32)

    def add(self, rows: Cursor) -> None:
        """Compare more images, a block at a time.

        `vecdot` takes row by row: equal vectors score equal wherever they stand, which a matrix product does not
        promise.
        """
        while block := rows.fetchmany(_BLOCK):
            scores = np.vecdot(stack([row[-1] for row in block], self.query.size), self.query)
            if np.isnan(scores).any():
                raise StoreError("A stored vector is damaged. Run `mcp-cxr table verify`.")
            self._images += [row[:-1] for row in block]
            self._scores = np.concatenate((self._scores, scores.clip(-1, 1)))
            self._cut()

    def hits(self) -> list[RankedImage]:
        """Return them in their final order."""
        found = zip(self._images, self._scores.tolist(), strict=True)
        return best_first((RankedImage(*ids, score) for ids, score in found), self.limit)

    def _cut(self) -> None:
        if len(self._scores) < self.limit:
            return
        self.floor = float(np.partition(self._scores, -self.limit)[-self.limit])
        (kept,) = (self._scores >= self.floor).nonzero()
        self._images, self._scores = [self._images[place] for place in kept.tolist()], self._scores[kept]


def _search(
    connection: Connection, where: Filter, best: _Best, cache: Cache, kept: KeptAnswers, max_lag: int | None
) -> None:
    """Fill `best` by way of the copy, where there is one."""
    slots = kept.to(_slots, connection, where) if is_narrow(where) else None
    if slots is not None and len(slots) <= _FEW:
        best.add(_these(connection, slots, Filter()))
        return
    copy, lag = cache.copy(connection, max_lag=max_lag)
    if copy is None:
        best.add(_all(connection, where))
        return
    if slots is not None:
        _search_these(connection, slots, best, copy)
    else:
        if lag:
            statement, bound = compose(_AFTER, where, OURS, few=True)
            best.add(connection.execute(statement, {**bound, "covered": copy.header.covered}))
        _search_all(connection, where, best, copy, kept)
    if copy.was_wiped:
        raise Stale


def _search_all(connection: Connection, where: Filter, best: _Best, copy: Copy, kept: KeptAnswers) -> None:
    """Search the images of the views and studies let through; what else is filtered is seen when they are looked up."""
    passing = copy.rows.of_views(where.view) if where.view else None
    if (facts := of_studies(where)) != Filter():
        of_these = copy.rows.of_studies(kept.to(studies, connection, facts))
        passing = of_these if passing is None else passing & of_these
    _look_up(connection, of_images(where), best, Candidates.passing(copy.rows, best.query, passing))


def _search_these(connection: Connection, slots: NDArray[np.int64], best: _Best, copy: Copy) -> None:
    """Search these images; the copy may not have all of them yet."""
    places, here = copy.rows.find(slots)
    best.add(_these(connection, slots[~here], Filter()))
    _look_up(connection, Filter(), best, Candidates.at(copy.rows, best.query, places[here]))


def _look_up(connection: Connection, where: Filter, best: _Best, candidates: Candidates) -> None:
    """Compare images with the highest bounds, until no bound that is left reaches the best.

    Once there are enough to set a floor, all that may reach it are looked up at once. While there are not enough (a
    filter, or images that SQLite has no more), it is tried deeper.
    """
    depth = best.limit + _MARGIN
    while (highest := candidates.take_highest(depth)).size:
        best.add(_these(connection, highest, where))
        if best.floor > -np.inf:
            left = candidates.take_reaching(best.floor)
            if left.size:
                best.add(_these(connection, left, where))
            return
        depth *= 4


def _all(connection: Connection, where: Filter) -> Cursor:
    """Return every image that is let through."""
    is_wide = not is_narrow(where) and of_studies(where) == Filter()
    return connection.execute(*compose(_WHOLE_SCAN if is_wide else _SCAN, where, OURS))


def _slots(connection: Connection, where: Filter) -> NDArray[np.int64]:
    rows = connection.execute(*compose(_SLOTS, where, OURS))
    return np.sort(np.fromiter((slot for (slot,) in rows), np.int64))


def _these(connection: Connection, slots: NDArray[np.int64], where: Filter) -> Cursor:
    """Return these images, as far as they are still there, ours, and let through."""
    statement, bound = compose(_THESE, where, OURS)
    return connection.execute(statement, {**bound, "slots": json.dumps(np.sort(slots).tolist())})
