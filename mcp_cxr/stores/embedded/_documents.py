"""The words index: one document for each study that has an image of ours."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING

from mcp_cxr.language import document
from mcp_cxr.records import ImageId, Scored, Study, StudyId, SubjectId
from mcp_cxr.stores.embedded._filter import OURS, any_of, compose

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from sqlite3 import Connection
    from typing import Any

    from mcp_cxr.records import Filter

HOLDS_TERMS = """i.study_id IN (
    SELECT study_id FROM studies WHERE number IN (SELECT rowid FROM words WHERE words MATCH :terms))"""

# bm25() is computed where the index is read, once for each study; FTS5 gives it negated. Only the best studies, and all
# that tie with the last of them, are looked up and put in order: a common word stands in a hundred thousand. CROSS JOIN
# keeps SQLite from beginning with the images.
_MATCH = """
WITH found AS MATERIALIZED (SELECT rowid AS number, -bm25(words) AS score FROM words WHERE words MATCH :terms),
    best AS MATERIALIZED (SELECT score FROM found ORDER BY score DESC LIMIT :depth)
SELECT i.image_id, i.study_id, i.subject_id, found.score
FROM found CROSS JOIN studies AS holder ON holder.number = found.number
    CROSS JOIN images AS i ON i.study_id = holder.study_id"""
_AMONG_BEST = "found.score >= (SELECT min(score) FROM best)"
_BEST = " ORDER BY found.score DESC, i.image_id LIMIT :limit"
_DEPTH = 4  # studies looked up for each image wanted: a study has an image or two, and filters let half of them through
_ALL = -1

_STUDIES = """
SELECT s.number, s.study_id, s.subject_id, s.report,
    (SELECT json_group_object(label, value) FROM labels WHERE study = s.number), words.terms
FROM studies AS s LEFT JOIN words ON words.rowid = s.number
WHERE s.study_id IN (SELECT value FROM json_each(?))"""
_IMAGES = """
SELECT study_id, view_position, metadata FROM images
WHERE made_by IS NOT NULL AND study_id IN (SELECT value FROM json_each(?))"""
_REMOVE = "DELETE FROM words WHERE rowid = ?"
_ADD = "INSERT INTO words (rowid, terms) VALUES (?, ?)"


def reindex(connection: Connection, study_ids: Iterable[str]) -> None:
    """Bring the documents of these studies up to date with their reports, labels and images."""
    ids = json.dumps(sorted(set(study_ids)))
    images: dict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for study_id, view, metadata in connection.execute(_IMAGES, (ids,)):
        images[study_id].append((view, json.loads(metadata)["tags"]))
    for number, study_id, subject_id, report, labels, indexed in connection.execute(_STUDIES, (ids,)).fetchall():
        study = Study(StudyId(study_id), SubjectId(subject_id), labels=json.loads(labels), report=report)
        seen = images.get(study_id)
        now = " ".join(document(study, seen)) if seen else None
        if now == indexed:
            continue
        if indexed is not None:
            connection.execute(_REMOVE, (number,))
        if now is not None:
            connection.execute(_ADD, (number, now))


def match(connection: Connection, terms: Sequence[str], where: Filter, limit: int) -> list[Scored]:
    """Rank images by the BM25 of their study."""
    if not terms:
        return []
    statement, bound = compose(_MATCH, where, OURS, _AMONG_BEST, then=_BEST)
    bound = {**bound, "terms": any_of(terms), "limit": limit}
    rows = connection.execute(statement, {**bound, "depth": _DEPTH * limit}).fetchall()
    if len(rows) < limit:
        rows = connection.execute(statement, {**bound, "depth": _ALL}).fetchall()
    return [Scored(ImageId(image), StudyId(study), SubjectId(subject), score) for image, study, subject, score in rows]
