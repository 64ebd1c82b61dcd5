"""How many images are let through, or their studies or subjects: counted in the copy's columns, where there is one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

import numpy as np

from mcp_cxr.records import VIEWS, Filter
from mcp_cxr.stores.embedded.database import HOLDS_TERMS, OURS, Changes, any_of, compose
from mcp_cxr.stores.embedded.fulltext import is_narrow, of_studies, scores, studies
from mcp_cxr.stores.embedded.vectors import Stale

if TYPE_CHECKING:
    from collections.abc import Sequence
    from sqlite3 import Connection
    from typing import LiteralString

    from numpy.typing import NDArray

    from mcp_cxr.stores.embedded.database import KeptAnswers
    from mcp_cxr.stores.embedded.fulltext._study_filter import Mask
    from mcp_cxr.stores.embedded.vectors import Cache, Copy

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
    cache: Cache | None = None,
    kept: KeptAnswers | None = None,
    max_lag: int | None = None,
) -> int:
    """Count images, studies or subjects; `terms`: only those whose study holds one.

    Args:
        cache: Whose copy to use; None asks SQLite alone.
        kept: Which studies a filter lets through, from before.
        max_lag: How many slots the copy may lag behind.

    Raises:
        Stale: The copy does not fit this state of the database.
    """
    is_counted = cache and not is_narrow(where) and set(where.view) <= set(VIEWS)  # the copy knows no other views
    copy, _ = cache.copy(connection, max_lag=max_lag) if cache and is_counted else (None, 0)
    if copy is None or kept is None:
        return _plainly(connection, where, terms, distinct)
    slots, numbers = _images(connection, where, terms, copy, kept)
    if copy.was_wiped:
        raise Stale
    if distinct == "study":
        return int(np.count_nonzero(np.bincount(numbers)))
    if distinct == "subject":
        return connection.execute(_SUBJECTS_OF, (json.dumps(slots.tolist()),)).fetchone()[0]
    return len(slots)


def _plainly(
    connection: Connection, where: Filter, terms: Sequence[str], distinct: Literal["study", "subject"] | None
) -> int:
    words: list[LiteralString] = [HOLDS_TERMS] if terms else []
    statement, bound = compose(_COUNTED[distinct], where, OURS, *words)
    return connection.execute(statement, {**bound, "terms": any_of(terms)}).fetchone()[0]


def _images(
    connection: Connection, where: Filter, terms: Sequence[str], copy: Copy, kept: KeptAnswers
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the slots of the images that are let through, and their studies' numbers."""
    rows, passing = copy.rows, _there(connection, copy, kept)
    if where.view:
        passing &= rows.of_views(where.view)
    if (facts := of_studies(where)) != Filter():
        passing &= rows.of_studies(kept.to(studies, connection, facts))
    if terms:
        passing &= rows.of_studies(scores(connection, terms) > 0)
    excluded = connection.execute(_EXCLUDED, (where.exclude_subject, json.dumps(where.exclude_images))).fetchall()
    places, here = rows.find(np.array([slot for (slot,) in excluded], np.int64))
    passing[places[here]] = False
    words: list[LiteralString] = [HOLDS_TERMS] if terms else []
    statement, bound = compose(_AFTER, where, OURS, *words, few=True)
    new = connection.execute(statement, {**bound, "terms": any_of(terms), "covered": copy.header.covered}).fetchall()
    behind = np.array(new, np.int64).reshape(-1, 2)
    return (
        np.concatenate((rows.slots[passing], behind[:, 0])),
        np.concatenate((rows.studies[passing].astype(np.int64), behind[:, 1])),
    )


def _there(connection: Connection, copy: Copy, kept: KeptAnswers) -> Mask:
    """Return which rows are of images that are still there: all, unless some were removed since the copy was made."""
    if copy.header.compacted == Changes.of(connection).removed:
        return np.ones(len(copy.rows.slots), np.bool_)
    return np.isin(copy.rows.slots, kept.to(_slots, connection))


def _slots(connection: Connection) -> NDArray[np.int64]:
    (slots,) = connection.execute(_THERE).fetchone()
    return np.fromstring(slots[1:-1], np.int64, sep=",")
