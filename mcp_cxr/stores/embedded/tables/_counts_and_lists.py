"""Counts, lists and totals of images, and the reference sample; counts use the int8 copy if there is one."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from mcp_cxr.records import (
    STUDY_FACTS,
    VIEW_GROUPS,
    VIEW_POSITIONS,
    Filter,
    ImageId,
    RankedImage,
    ReferenceSample,
    StudyId,
    SubjectId,
    Totals,
)
from mcp_cxr.stores._base import SAMPLE_SIZE
from mcp_cxr.stores.embedded.database import (
    NOT_EXTERNAL,
    VIEW_RANK,
    Changes,
    StaleCopy,
    compose,
    fingerprint_of,
    numbers_from_json,
    stack_blobs,
)
from mcp_cxr.stores.embedded.fulltext import (
    cached_study_mask,
    image_conditions,
    mask_size,
    selects_few,
    study_conditions,
)
from mcp_cxr.stores.embedded.vectors import excluded_slots, uncovered_images

if TYPE_CHECKING:
    from collections.abc import Collection
    from sqlite3 import Connection
    from typing import Any, LiteralString

    from numpy.typing import NDArray

    from mcp_cxr.records import StudyFact
    from mcp_cxr.stores.embedded.database import ResultCache
    from mcp_cxr.stores.embedded.vectors import Int8Copy, Int8Snapshot

_BROWSED = "SELECT i.image_id, i.study_id, i.subject_id FROM images AS i"
_VIEW_THEN_ID: LiteralString = VIEW_RANK + ", i.image_id LIMIT :limit"
_NEWEST: LiteralString = (
    " ORDER BY (SELECT study_date FROM studies WHERE studies.study_id = i.study_id) DESC NULLS LAST, "  # noqa: S608  # constants
    + _VIEW_THEN_ID
)
# If nearly all images pass, they are read in the order of their dates until there are enough.
_BY_DATE = """
SELECT i.image_id, i.study_id, i.subject_id
FROM studies AS dated INDEXED BY studies_by_date CROSS JOIN images AS i ON i.study_id = dated.study_id"""
_IS_DATED = "dated.study_date IS NOT NULL"
_HAS_NO_DATE = "dated.study_date IS NULL"
# A byte of a blob is found at once, however long the blob is: no document is read.
_IN_MASK = "substr(:mask, dated.number + 1, 1) = x'01'"
_IS_UNDATED = """NOT EXISTS (
    SELECT 1 FROM studies WHERE studies.study_id = i.study_id AND study_date IS NOT NULL)"""
_BY_ID = " ORDER BY i.image_id LIMIT :limit"
_LATEST: LiteralString = " ORDER BY dated.study_date DESC, " + _VIEW_THEN_ID
_FRONTAL_FIRST: LiteralString = " ORDER BY " + _VIEW_THEN_ID
_ANY_UNDATED = "SELECT 1 FROM studies WHERE study_date IS NULL LIMIT 1"
# With the plus, images are read in the order of their ids until there are enough; without, all of a view are sorted.
_VIEW_GROUPS: tuple[tuple[LiteralString, LiteralString], ...] = tuple(
    ("SELECT 1 FROM images WHERE view_position " + views + " LIMIT 1", "+i.view_position " + views)  # noqa: S608  # constants
    for views in (
        "IN ('PA', 'AP')",
        "IN ('LATERAL', 'LL', 'RL')",
        "NOT IN ('PA', 'AP', 'LATERAL', 'LL', 'RL')",
    )
)

_TOTALS = """
SELECT (SELECT count(*) FROM images), (SELECT count(DISTINCT study_id) FROM images),
    (SELECT count(DISTINCT subject_id) FROM images), (SELECT count(*) FROM images WHERE made_by IS NULL)"""
_STUDY_FACTS = """
SELECT count(report), count(number) FILTER (WHERE EXISTS (SELECT 1 FROM labels WHERE labels.study = studies.number)),
    count(number) FILTER (WHERE EXISTS (
        SELECT 1 FROM images WHERE images.study_id = studies.study_id AND view_position <> 'UNKNOWN')),
    count(study_date), count(split)
FROM studies WHERE study_id IN (SELECT value FROM json_each(?))"""
_EXTERNAL = "SELECT count(*) FROM images INDEXED BY images_foreign WHERE made_by IS NULL"
_BY_VIEW = "SELECT view_position, count(*) FROM images GROUP BY view_position"
_BY_LABEL = """
WITH bare AS MATERIALIZED (
    SELECT number FROM studies WHERE NOT EXISTS (SELECT 1 FROM images WHERE images.study_id = studies.study_id))
SELECT label, count(*) FROM labels WHERE value = 1 AND study NOT IN bare GROUP BY label"""

_SAMPLE = """
SELECT image_id, (SELECT vector FROM vectors AS v WHERE v.slot = images.slot) FROM images
WHERE made_by IS NOT NULL AND sample_key IS NOT NULL ORDER BY sample_key, image_id LIMIT ?"""
_SAMPLE_OF_LOWEST = """
SELECT image_id, (SELECT vector FROM vectors AS v WHERE v.slot = images.slot) FROM images
WHERE made_by IS NOT NULL AND sample_key < 1152921504606846976 ORDER BY sample_key, image_id LIMIT ?"""

_READ_AT_ONCE = 256  # vectors

COUNT_OF: dict[str | None, LiteralString] = {
    None: "SELECT count(*) FROM images AS i",
    "study": "SELECT count(DISTINCT i.study_id) FROM images AS i",
    "subject": "SELECT count(DISTINCT i.subject_id) FROM images AS i",
}
_SLOTS_BY_ID = "SELECT json_group_array(slot) FROM (SELECT slot FROM images ORDER BY image_id)"
_ALL_SLOTS = "SELECT json_group_array(slot) FROM images WHERE made_by IS NOT NULL"
_SLOTS_AND_STUDIES = """
SELECT json_group_array(i.slot),
    json_group_array(coalesce((SELECT number FROM studies WHERE studies.study_id = i.study_id), 0))
FROM images AS i"""
_SUBJECTS_OF = """
SELECT count(DISTINCT subject_id) FROM json_each(?) AS these CROSS JOIN images ON images.slot = these.value"""

_VIEWS_IN_ORDER = [*VIEW_GROUPS.values(), set(VIEW_POSITIONS).difference(*VIEW_GROUPS.values())]


def browse(
    connection: Connection, where: Filter, limit: int, mask_cache: ResultCache | None = None
) -> list[RankedImage]:
    """Return images, newest study first.

    Args:
        mask_cache: Studies that pass a filter.
    """
    if (where.clauses or where.labels_absent or where.labels_blank) and mask_cache and not selects_few(where):
        mask = cached_study_mask(connection, where, mask_cache)
        these = image_conditions(where)
        rows = _listed(connection, these, limit, _BY_DATE, _IS_DATED, _IN_MASK, then=_LATEST, mask=mask.tobytes())
        rest = limit - len(rows)
        rows += _listed(
            connection, these, rest, _BY_DATE, _HAS_NO_DATE, _IN_MASK, then=_FRONTAL_FIRST, mask=mask.tobytes()
        )
    elif where == Filter(view=where.view, split=where.split, has_report=where.has_report):
        rows = _listed(connection, where, limit, _BY_DATE, _IS_DATED, then=_LATEST)
        rows += _undated(connection, where, limit - len(rows))
    else:
        rows = _listed(connection, where, limit, _BROWSED, then=_NEWEST)
    return [RankedImage(ImageId(image), StudyId(study), SubjectId(subject), 0.0) for image, study, subject in rows]


def _undated(connection: Connection, where: Filter, limit: int) -> list[tuple[str, str, str]]:
    """Return images whose study has no date: frontal before lateral before others, then by image id."""
    if not (limit and connection.execute(_ANY_UNDATED).fetchone()):
        return []
    if where.view:  # they come from the index of views, and must be sorted anyway
        return _listed(connection, where, limit, _BROWSED, _IS_UNDATED, then=_FRONTAL_FIRST)
    rows: list[tuple[str, str, str]] = []
    for any_image, is_in_group in _VIEW_GROUPS:
        if len(rows) < limit and connection.execute(any_image).fetchone():
            rows += _listed(connection, where, limit - len(rows), _BROWSED, _IS_UNDATED, is_in_group, then=_BY_ID)
    return rows


def _listed(
    connection: Connection,
    where: Filter,
    limit: int,
    select: LiteralString,
    *more: LiteralString,
    then: LiteralString,
    mask: bytes = b"",
) -> list[tuple[str, str, str]]:
    if not limit:
        return []
    statement, bound = compose(select, where, NOT_EXTERNAL, *more, then=then)
    return connection.execute(statement, {**bound, "limit": limit, "mask": mask}).fetchall()


def totals(connection: Connection) -> Totals:
    """Return the numbers of images, studies, subjects, views and labels."""
    images, studies, subjects, external = connection.execute(_TOTALS).fetchone()
    by_view = dict(connection.execute(_BY_VIEW).fetchall())
    by_label = dict(connection.execute(_BY_LABEL).fetchall())
    return Totals(images, studies, subjects, external, by_view, by_label)


def count_study_facts(connection: Connection, study_ids: Collection[StudyId]) -> dict[StudyFact, int]:
    """Return how many of these studies have each fact."""
    row = connection.execute(_STUDY_FACTS, (json.dumps(list(study_ids)),)).fetchone()
    return dict(zip(STUDY_FACTS, row, strict=True))


def count_external(connection: Connection) -> int:
    """Return the number of external rows."""
    return connection.execute(_EXTERNAL).fetchone()[0]


def reference_sample(connection: Connection) -> ReferenceSample:
    """Return the reference sample."""
    fingerprint = fingerprint_of(connection)
    if fingerprint is None:
        return ReferenceSample((), np.empty((0, 0), np.float32))
    found = _sampled(connection, _SAMPLE_OF_LOWEST, fingerprint.dimension)
    return found if len(found.ids) == SAMPLE_SIZE else _sampled(connection, _SAMPLE, fingerprint.dimension)


def _sampled(connection: Connection, statement: LiteralString, dimension: int) -> ReferenceSample:
    """Return the sample that a statement selects, read in blocks: a server keeps it, and should keep nothing beside."""
    ids: list[ImageId] = []
    vectors = np.empty((SAMPLE_SIZE, dimension), np.float32)
    rows = connection.execute(statement, (SAMPLE_SIZE,))
    while block := rows.fetchmany(_READ_AT_ONCE):
        vectors[len(ids) : len(ids) + len(block)] = stack_blobs([blob for _, blob in block], dimension)
        ids += [image_id for image_id, _ in block]
    return ReferenceSample(tuple(ids), vectors[: len(ids)])


def count(
    connection: Connection,
    where: Filter,
    distinct: Literal["study", "subject"] | None,
    int8_copy: Int8Copy | None = None,
    mask_cache: ResultCache | None = None,
    max_lag: int | None = None,
) -> int:
    """Count images, studies or subjects.

    Args:
        int8_copy: None counts in SQLite alone.
        mask_cache: Cached slots, and studies that pass a filter.
        max_lag: Slots that the copy may lag behind.

    Raises:
        StaleCopy: The copy does not fit this state of the database.
    """
    is_counted = not selects_few(where) and set(where.view) <= set(
        VIEW_POSITIONS
    )  # the copy does not distinguish other views
    copy, _ = int8_copy.snapshot(connection, max_lag=max_lag) if int8_copy and is_counted else (None, 0)
    if not is_counted or mask_cache is None or (int8_copy and copy is None):
        return _count_in_sqlite(connection, where, distinct)
    if distinct == "subject":
        slots, _ = _passing_images(connection, where, copy, mask_cache)
        if copy is not None and copy.was_wiped:
            raise StaleCopy
        return connection.execute(_SUBJECTS_OF, (json.dumps(slots.tolist()),)).fetchone()[0]
    images = mask_cache.get(
        _images_per_study, connection, image_conditions(where), unkeyed={"copy": copy, "mask_cache": mask_cache}
    )
    if (study_filter := study_conditions(where)) != Filter():
        images = images * cached_study_mask(connection, study_filter, mask_cache)
    return int(np.count_nonzero(images) if distinct == "study" else images.sum())


def images_of(
    connection: Connection,
    studies: NDArray[np.bool_],
    where: Filter,
    *,
    int8_copy: Int8Copy | None,
    mask_cache: ResultCache,
    max_lag: int | None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return slots and studies as `ImagesOf` says; the other arguments are those of `count`.

    Raises:
        StaleCopy: The copy does not fit this state of the database.
    """
    few = selects_few(where)
    if few or not set(where.view) <= set(VIEW_POSITIONS):  # the copy does not distinguish other views
        slots, numbers = mask_cache.get(_slots_and_studies, connection, where if few else image_conditions(where))
        passing = np.take(studies, numbers, mode="clip")
        return slots[passing], numbers[passing]
    copy, _ = int8_copy.snapshot(connection, max_lag=max_lag) if int8_copy else (None, 0)
    found = _passing_images(connection, image_conditions(where), copy, mask_cache, studies)
    if copy is not None and copy.was_wiped:
        raise StaleCopy
    return found


def first_images(
    connection: Connection,
    studies: NDArray[np.bool_],
    where: Filter,
    limit: int,
    *,
    int8_copy: Int8Copy | None,
    mask_cache: ResultCache,
    max_lag: int | None,
) -> NDArray[np.int64] | None:
    """Return the slots of the first images of some studies, ordered as `FirstImages` says; None without a copy.

    Args:
        studies: Which studies, by number.
        where: `image_conditions`.
        limit: How many images.
        int8_copy: Tells study and view of each slot.
        mask_cache: Cached order of ids.
        max_lag: Slots that the copy may lag behind.

    Raises:
        StaleCopy: The copy does not fit this state of the database.
    """
    copy, _ = int8_copy.snapshot(connection, max_lag=max_lag) if int8_copy else (None, 0)
    if copy is None or not set(where.view) <= set(VIEW_POSITIONS):
        return None
    rank_of = mask_cache.get(_id_ranks, connection)
    found = np.empty(0, np.int64)
    for views in _VIEWS_IN_ORDER:
        wanted = tuple(view for view in where.view or VIEW_POSITIONS if view in views)
        if not wanted or len(found) >= limit:
            continue
        slots, _ = _passing_images(connection, replace(where, view=wanted), copy, mask_cache, studies)
        found = np.concatenate((found, slots[np.argsort(rank_of[slots])][: limit - len(found)]))
    if copy.was_wiped:
        raise StaleCopy
    return found


def _count_in_sqlite(connection: Connection, where: Filter, distinct: Literal["study", "subject"] | None) -> int:
    return connection.execute(*compose(COUNT_OF[distinct], where, NOT_EXTERNAL)).fetchone()[0]


def _images_per_study(
    connection: Connection, where: Filter, *, copy: Int8Snapshot | None, mask_cache: ResultCache
) -> NDArray[np.unsignedinteger[Any]]:
    """Return how many images of each study pass `image_conditions`, by study number, as the least type that holds it.

    A search keeps one for each view that it was asked for.
    """
    _, numbers = _passing_images(connection, where, copy, mask_cache)
    if copy is not None and copy.was_wiped:
        raise StaleCopy
    size = mask_size(connection)
    counts = np.bincount(np.minimum(numbers, size - 1), minlength=size)
    return counts.astype(np.min_scalar_type(counts.max()))


def _passing_images(
    connection: Connection,
    where: Filter,
    copy: Int8Snapshot | None,
    mask_cache: ResultCache,
    of_studies: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the slots of the images that pass, and the numbers of their studies; perhaps of some studies alone."""
    slots, studies = uncovered_images(connection, where, copy.header.covered if copy else 0, mask_cache)
    if of_studies is not None:
        wanted = np.take(of_studies, studies, mode="clip")
        slots, studies = slots[wanted], studies[wanted]
    if copy is None:
        return slots, studies
    rows, passing = copy.rows, _existing_rows(connection, copy, mask_cache)
    if where.view:
        passing &= rows.view_mask(where.view)
    if (study_filter := study_conditions(where)) != Filter():
        passing &= rows.study_mask(cached_study_mask(connection, study_filter, mask_cache))
    if of_studies is not None:
        passing &= rows.study_mask(of_studies)
    positions, here = rows.find(excluded_slots(connection, where))
    passing[positions[here]] = False
    return np.concatenate((rows.slots[passing], slots)), np.concatenate(
        (rows.studies[passing].astype(np.int64), studies)
    )


def _existing_rows(connection: Connection, copy: Int8Snapshot, mask_cache: ResultCache) -> NDArray[np.bool_]:
    """Return which rows are of images that still exist: all, unless some were removed since the copy was made."""
    if copy.header.compacted == Changes.of(connection).removed:
        return np.ones(len(copy.rows.slots), np.bool_)
    return np.isin(copy.rows.slots, mask_cache.get(_slots, connection))


def _id_ranks(connection: Connection) -> NDArray[np.int32]:
    """Return the position of each image in the order of ids, by slot."""
    in_order = numbers_from_json(connection.execute(_SLOTS_BY_ID).fetchone()[0])
    ranks = np.zeros(in_order.max(initial=0) + 1, np.int32)
    ranks[in_order] = np.arange(len(in_order), dtype=np.int32)
    return ranks


def _slots_and_studies(connection: Connection, where: Filter) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    slots, studies = connection.execute(*compose(_SLOTS_AND_STUDIES, where, NOT_EXTERNAL)).fetchone()
    return numbers_from_json(slots), numbers_from_json(studies)


def _slots(connection: Connection) -> NDArray[np.int64]:
    return numbers_from_json(connection.execute(_ALL_SLOTS).fetchone()[0])
