"""Indexes one document per study, and ranks images by the BM25 of their study; external images are left out."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from mcp_cxr.language import document_terms
from mcp_cxr.records import Filter, Study, StudyId, SubjectId
from mcp_cxr.stores.embedded.database import StaleCopy, archive_info, ranked_images
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
    from typing import Any

    from numpy.typing import NDArray

    from mcp_cxr.records import RankedImage
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

_MANY_TIED = 2000
"""Images with one score, from which on not all of them are read."""

ImagesOf: TypeAlias = "Callable[[Connection, NDArray[np.bool_], Filter], tuple[NDArray[np.int64], NDArray[np.int64]]]"
"""Returns the slots of the images that pass `image_conditions`, or a filter that selects few, of the studies that a
mask by number names; and the numbers of their studies."""
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
    images_of: ImagesOf,
    first_images: FirstImages,
) -> list[RankedImage]:
    """Rank images by the BM25 of their study, or by which of the terms it has.

    Only the best images, and those that tie with the last of them, are read.

    Args:
        images_of: See `ImagesOf`.
        first_images: Of many images that tie.

    Raises:
        StaleCopy: The copy does not fit this state of the database.
    """
    score_of = score_cache.get(_scores, connection, tuple(terms), by_presence, unkeyed={"mask_cache": mask_cache})
    few = selects_few(where)
    if not few and (study_filter := study_conditions(where)) != Filter():
        score_of = score_of * cached_study_mask(connection, study_filter, mask_cache)
    (holders,) = (score_of > 0).nonzero()
    depth = len(holders) if few else limit
    slots, studies = images_of(connection, score_of >= _floor(score_of[holders], depth), where)
    while len(slots) < limit and depth < len(holders):
        depth *= 4
        slots, studies = images_of(connection, score_of >= _floor(score_of[holders], depth), where)
    scores = score_of[studies]
    floor = _floor(scores, limit)
    if not few and np.count_nonzero(scores == floor) >= _MANY_TIED:
        better = scores > floor
        first = first_images(connection, score_of == floor, image_conditions(where), limit - int(better.sum()))
        if first is not None:
            slots = np.concatenate((slots[better], first))
            scores = np.concatenate((scores[better], np.full(len(first), floor)))
    kept = scores >= floor
    hits = ranked_images(connection, slots[kept], scores[kept], limit=limit, frontal_first=True)
    if len(hits) < min(limit, int(kept.sum())):  # another program removed images without a trace
        raise StaleCopy
    return hits


def _scores(
    connection: Connection, terms: Sequence[str], by_presence: bool, *, mask_cache: ResultCache
) -> NDArray[np.float64]:
    return bm25_scores(connection, terms, mask_cache.get(Documents.read, connection), by_presence=by_presence)


def _floor(scores: NDArray[np.float64], count: int) -> float:
    """Return the lowest of the `count` highest scores."""
    return float(np.partition(scores, -count)[-count] if len(scores) > count else scores.min(initial=np.inf))
