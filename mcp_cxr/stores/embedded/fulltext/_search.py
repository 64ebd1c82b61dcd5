"""Indexes one document per study, and ranks images by the BM25 of their study; external images are left out."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from mcp_cxr.language import document_terms
from mcp_cxr.records import Filter, RankedImage, Study, StudyId, SubjectId
from mcp_cxr.stores.embedded.database import NOT_EXTERNAL, VIEW_RANK, archive_info, compose
from mcp_cxr.stores.embedded.fulltext import _postings
from mcp_cxr.stores.embedded.fulltext._postings import Documents, bm25_scores
from mcp_cxr.stores.embedded.fulltext._study_filter import (
    cached_study_mask,
    image_conditions,
    selects_few,
    study_conditions,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from sqlite3 import Connection
    from typing import Any, LiteralString

    from numpy.typing import NDArray

    from mcp_cxr.stores.embedded.database import ResultCache

_STUDIES = """
SELECT s.number, s.study_id, s.subject_id, s.report,
    (SELECT json_group_object(label, value) FROM labels WHERE study = s.number), s.labels_by, s.report_language,
    d.number, d.terms
FROM studies AS s LEFT JOIN documents AS d ON d.study = s.number
WHERE s.study_id IN (SELECT value FROM json_each(?))"""
_NEXT_STUDIES = "SELECT number, study_id FROM studies WHERE number > ? ORDER BY number LIMIT ?"
_BATCH = 1000  # studies whose reports are held at once: some megabytes
_COUNT_CHANGE = "UPDATE changes SET facts = facts + 1"  # cached results are of the documents before
_IMAGES = """
SELECT study_id, view_position, metadata FROM images
WHERE made_by IS NOT NULL AND study_id IN (SELECT value FROM json_each(?))"""

# CROSS JOIN fixes the order: the studies first, then their images. All rows in one, as `nearest` reads them, and column
# by column: Python makes a list of each array, and its garbage collector walks through lists.
_COLUMNS: LiteralString = (
    "SELECT json_group_array(holder.number), json_group_array("
    + VIEW_RANK
    + """), json_group_array(i.image_id), json_group_array(i.study_id), json_group_array(i.subject_id)
FROM json_each(:numbers) AS these """
)
_IMAGES_OF_STUDIES: LiteralString = (
    _COLUMNS
    + """CROSS JOIN studies AS holder ON holder.number = these.value
    CROSS JOIN images AS i ON i.study_id = holder.study_id"""
)
_IMAGES_BY_SLOT: LiteralString = (
    _COLUMNS
    + """CROSS JOIN images AS i ON i.slot = these.value
    CROSS JOIN studies AS holder ON holder.study_id = i.study_id"""
)
_MANY_TIED = 2000
"""Studies with one score, from which on not all of their images are read."""

FirstImages: TypeAlias = "Callable[[Connection, NDArray[np.bool_], Filter, int], NDArray[np.int64] | None]"
"""Returns the slots of the first images that pass a filter, of the studies that a mask by number names: frontal before
lateral before others, then by image id. None if all must be read to know."""


def reindex(connection: Connection, study_ids: Iterable[str]) -> int:
    """Bring the documents of these studies up to date with their reports, labels and images; return how many change."""
    ids = json.dumps(sorted(set(study_ids)))
    images: dict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for study_id, view, metadata in connection.execute(_IMAGES, (ids,)):
        images[study_id].append((view, json.loads(metadata)["tags"]))
    changed: list[int] = []
    gone: list[int] = []
    new: list[tuple[int, str]] = []
    rows = connection.execute(_STUDIES, (ids,)).fetchall()
    for number, study_id, subject_id, report, labels, labels_by, language, indexed, terms in rows:
        study = Study(
            StudyId(study_id),
            SubjectId(subject_id),
            labels=json.loads(labels),
            report=report,
            labels_by=labels_by,
            report_language=language,
        )
        seen = images.get(study_id)
        now = " ".join(document_terms(study, seen)) if seen else None
        if now == terms:
            continue
        if indexed is not None:
            (gone if now is None else changed).append(indexed)
        if now is not None:
            new.append((number, now))
    _postings.remove(connection, changed, gone)
    _postings.add(connection, new)
    return len(new)


def reindex_all(connection: Connection) -> int:
    """Derive every document again, in batches; record the version of the reader, and return how many there are."""
    archive_info.add_later_columns(connection)
    _postings.clear(connection)
    after = documents = 0
    while batch := connection.execute(_NEXT_STUDIES, (after, _BATCH)).fetchall():
        documents += reindex(connection, [study_id for _, study_id in batch])
        after = batch[-1][0]
    archive_info.record_report_reader(connection)
    connection.execute(_COUNT_CHANGE)
    return documents


def match(
    connection: Connection,
    terms: Sequence[str],
    where: Filter,
    by_presence: bool = False,
    *,
    limit: int,
    mask_cache: ResultCache,
    score_cache: ResultCache,
    first_images: FirstImages | None = None,
) -> list[RankedImage]:
    """Rank images by the BM25 of their study, or by which of the terms it has.

    Only the images of the best studies, and of those that tie with the last of them, are read; if too few pass, more.

    Args:
        first_images: Of many studies that tie; None reads all images of these studies.
    """
    score_of = score_cache.get(_scores, connection, tuple(terms), by_presence, unkeyed={"mask_cache": mask_cache})
    if (study_filter := where if selects_few(where) else study_conditions(where)) != Filter():
        score_of = score_of * cached_study_mask(connection, study_filter, mask_cache)
    these = where if selects_few(where) else image_conditions(where)
    depth = limit
    while True:
        best, floor = _best(score_of, depth)
        hits: list[RankedImage] = []
        if first_images and np.count_nonzero(is_tied := score_of == floor) >= _MANY_TIED and not selects_few(where):
            hits = _images(connection, _IMAGES_OF_STUDIES, best[score_of[best] > floor], score_of, these, limit)
            slots = first_images(connection, is_tied, these, max(limit - len(hits), 0))
            if slots is not None:
                hits += _images(connection, _IMAGES_BY_SLOT, slots, score_of, these, limit)
        if len(hits) < limit:
            hits = _images(connection, _IMAGES_OF_STUDIES, best, score_of, these, limit)
        if len(hits) >= limit or len(best) < depth:
            return hits[:limit]
        depth *= 4


def _scores(
    connection: Connection, terms: Sequence[str], by_presence: bool, *, mask_cache: ResultCache
) -> NDArray[np.float64]:
    return bm25_scores(connection, terms, mask_cache.get(Documents.read, connection), by_presence=by_presence)


def _best(score_of: NDArray[np.float64], count: int) -> tuple[NDArray[np.int64], float]:
    """Return the `count` studies with the highest scores and all that tie with the last of them, and its score."""
    holders = np.flatnonzero(score_of)
    found = score_of[holders]
    floor = float(np.partition(found, -count)[-count] if len(holders) > count else found.min(initial=np.inf))
    return holders[found >= floor], floor


def _images(
    connection: Connection,
    select: LiteralString,
    numbers: NDArray[np.int64],
    score_of: NDArray[np.float64],
    where: Filter,
    limit: int,
) -> list[RankedImage]:
    """Return the first `limit` images of these studies or slots that pass; ties frontal before lateral, then by id."""
    statement, bound = compose(select, where, NOT_EXTERNAL)
    row = connection.execute(statement, {**bound, "numbers": json.dumps(numbers.tolist())}).fetchone()
    holders, *columns = map(json.loads, row)
    negated = -score_of[np.array(holders, np.int64)]
    first = sorted(zip(negated.tolist(), *columns, strict=True))[:limit]
    return [RankedImage(image_id, study_id, subject_id, -score) for score, _, image_id, study_id, subject_id in first]
