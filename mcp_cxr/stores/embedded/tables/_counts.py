"""Counts images, studies or subjects that pass a filter, in the columns of the int8 copy if there is one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

import numpy as np

from mcp_cxr.records import VIEWS, Filter
from mcp_cxr.stores.embedded.database import CONTAINS_TERMS, NOT_EXTERNAL, Changes, compose, terms_parameter
from mcp_cxr.stores.embedded.fulltext import bm25_scores, selects_few, study_conditions, study_mask
from mcp_cxr.stores.embedded.vectors import StaleCopy

if TYPE_CHECKING:
    from collections.abc import Sequence
    from sqlite3 import Connection
    from typing import LiteralString

    from numpy.typing import NDArray

    from mcp_cxr.stores.embedded.database import ResultCache
    from mcp_cxr.stores.embedded.vectors import Int8Copy, Int8Snapshot

_IMAGES = "SELECT count(*) FROM images AS i"
STUDIES = "SELECT count(DISTINCT i.study_id) FROM images AS i"
_SUBJECTS = "SELECT count(DISTINCT i.subject_id) FROM images AS i"
_COUNTED: dict[str | None, LiteralString] = {None: _IMAGES, "study": STUDIES, "subject": _SUBJECTS}

_AFTER = """
SELECT i.slot, (SELECT number FROM studies WHERE studies.study_id = i.study_id)
FROM (SELECT slot FROM images WHERE slot > :covered) AS these CROSS JOIN images AS i ON i.slot = these.slot"""
_EXCLUDED = "SELECT slot FROM images WHERE subject_id = ? OR image_id IN (SELECT value FROM json_each(?))"
_THERE = "SELECT json_group_array(slot) FROM images WHERE made_by IS NOT NULL"
_SUBJECTS_OF = """
SELECT count(DISTINCT subject_id) FROM json_each(?) AS these CROSS JOIN images ON images.slot = these.value"""


def count(
    connection: Connection,
    where: Filter,
    terms: Sequence[str],
    distinct: Literal["study", "subject"] | None,
    int8_copy: Int8Copy | None = None,
    results: ResultCache | None = None,
    max_lag: int | None = None,
) -> int:
    """Count images, studies or subjects; with `terms`, only those whose study contains one.

    Args:
        int8_copy: None counts in SQLite alone.
        results: Which studies a filter lets through, from before.
        max_lag: Slots that the copy may lag behind.

    Raises:
        Stale: The copy does not fit this state of the database.
    """
    is_counted = (
        int8_copy and not selects_few(where) and set(where.view) <= set(VIEWS)
    )  # the copy does not distinguish other views
    copy, _ = int8_copy.snapshot(connection, max_lag=max_lag) if int8_copy and is_counted else (None, 0)
    if copy is None or results is None:
        return _count_in_sqlite(connection, where, terms, distinct)
    slots, numbers = _images(connection, where, terms, copy, results)
    if copy.was_wiped:
        raise StaleCopy
    if distinct == "study":
        return int(np.count_nonzero(np.bincount(numbers)))
    if distinct == "subject":
        return connection.execute(_SUBJECTS_OF, (json.dumps(slots.tolist()),)).fetchone()[0]
    return len(slots)


def _count_in_sqlite(
    connection: Connection, where: Filter, terms: Sequence[str], distinct: Literal["study", "subject"] | None
) -> int:
    words: list[LiteralString] = [CONTAINS_TERMS] if terms else []
    statement, bound = compose(_COUNTED[distinct], where, NOT_EXTERNAL, *words)
    return connection.execute(statement, {**bound, "terms": terms_parameter(terms)}).fetchone()[0]


def _images(
    connection: Connection, where: Filter, terms: Sequence[str], copy: Int8Snapshot, results: ResultCache
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the slots of the images that pass, and the numbers of their studies."""
    rows, passing = copy.rows, _existing_rows(connection, copy, results)
    if where.view:
        passing &= rows.view_mask(where.view)
    if (facts := study_conditions(where)) != Filter():
        passing &= rows.study_mask(results.get(study_mask, connection, facts))
    if terms:
        passing &= rows.study_mask(bm25_scores(connection, terms) > 0)
    excluded = connection.execute(_EXCLUDED, (where.exclude_subject, json.dumps(where.exclude_images))).fetchall()
    places, here = rows.find(np.array([slot for (slot,) in excluded], np.int64))
    passing[places[here]] = False
    words: list[LiteralString] = [CONTAINS_TERMS] if terms else []
    statement, bound = compose(_AFTER, where, NOT_EXTERNAL, *words, few=True)
    new = connection.execute(
        statement, {**bound, "terms": terms_parameter(terms), "covered": copy.header.covered}
    ).fetchall()
    not_covered = np.array(new, np.int64).reshape(-1, 2)
    return (
        np.concatenate((rows.slots[passing], not_covered[:, 0])),
        np.concatenate((rows.studies[passing].astype(np.int64), not_covered[:, 1])),
    )


def _existing_rows(connection: Connection, copy: Int8Snapshot, results: ResultCache) -> NDArray[np.bool_]:
    """Return which rows are of images that still exist: all, unless some were removed since the copy was made."""
    if copy.header.compacted == Changes.of(connection).removed:
        return np.ones(len(copy.rows.slots), np.bool_)
    return np.isin(copy.rows.slots, results.get(_slots, connection))


def _slots(connection: Connection) -> NDArray[np.int64]:
    (slots,) = connection.execute(_THERE).fetchone()
    return np.fromstring(slots[1:-1], np.int64, sep=",")
