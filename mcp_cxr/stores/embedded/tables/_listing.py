"""Lists and totals of all images, and the reference sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.records import Filter, ImageId, RankedImage, ReferenceSample, StudyId, SubjectId, Totals
from mcp_cxr.stores._base import SAMPLE_SIZE
from mcp_cxr.stores.embedded.database import NOT_EXTERNAL, compose, fingerprint_of, stack_blobs

if TYPE_CHECKING:
    from sqlite3 import Connection
    from typing import LiteralString

_BROWSED = "SELECT i.image_id, i.study_id, i.subject_id FROM images AS i"
_NEWEST = """
ORDER BY (SELECT study_date FROM studies WHERE studies.study_id = i.study_id) DESC NULLS LAST, i.image_id
LIMIT :limit"""
# If nearly all images pass, they are read in the order of their dates until there are enough.
_BY_DATE = """
SELECT i.image_id, i.study_id, i.subject_id
FROM studies AS dated INDEXED BY studies_by_date CROSS JOIN images AS i ON i.study_id = dated.study_id"""
_IS_DATED = "dated.study_date IS NOT NULL"
_IS_UNDATED = """NOT EXISTS (
    SELECT 1 FROM studies WHERE studies.study_id = i.study_id AND study_date IS NOT NULL)"""
_BY_ID = " ORDER BY i.image_id LIMIT :limit"
_LATEST = " ORDER BY dated.study_date DESC, i.image_id LIMIT :limit"

_TOTALS = """
SELECT (SELECT count(*) FROM images), (SELECT count(DISTINCT study_id) FROM images),
    (SELECT count(DISTINCT subject_id) FROM images), (SELECT count(*) FROM images WHERE made_by IS NULL)"""
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


def browse(connection: Connection, where: Filter, limit: int) -> list[RankedImage]:
    """Return images, newest study first."""
    if where == Filter(view=where.view, split=where.split, has_report=where.has_report):
        rows = _listed(connection, where, limit, _BY_DATE, _IS_DATED, then=_LATEST)
        rows += _listed(connection, where, limit - len(rows), _BROWSED, _IS_UNDATED, then=_BY_ID)
    else:
        rows = _listed(connection, where, limit, _BROWSED, then=_NEWEST)
    return [RankedImage(ImageId(image), StudyId(study), SubjectId(subject), 0.0) for image, study, subject in rows]


def _listed(
    connection: Connection,
    where: Filter,
    limit: int,
    select: LiteralString,
    *more: LiteralString,
    then: LiteralString,
) -> list[tuple[str, str, str]]:
    if not limit:
        return []
    statement, bound = compose(select, where, NOT_EXTERNAL, *more, then=then)
    return connection.execute(statement, {**bound, "limit": limit}).fetchall()


def totals(connection: Connection) -> Totals:
    """Return the numbers of images, studies, subjects, views and labels."""
    images, studies, subjects, external = connection.execute(_TOTALS).fetchone()
    by_view = dict(connection.execute(_BY_VIEW).fetchall())
    by_label = dict(connection.execute(_BY_LABEL).fetchall())
    return Totals(images, studies, subjects, external, by_view, by_label)


def count_external(connection: Connection) -> int:
    """Return the number of external rows."""
    return connection.execute(_EXTERNAL).fetchone()[0]


def reference_sample(connection: Connection) -> ReferenceSample:
    """Return the reference sample."""
    fingerprint = fingerprint_of(connection)
    if fingerprint is None:
        return ReferenceSample((), np.empty((0, 0), np.float32))
    rows = connection.execute(_SAMPLE_OF_LOWEST, (SAMPLE_SIZE,)).fetchall()
    if len(rows) < SAMPLE_SIZE:
        rows = connection.execute(_SAMPLE, (SAMPLE_SIZE,)).fetchall()
    return ReferenceSample(
        tuple(ImageId(image) for image, _ in rows), stack_blobs([blob for _, blob in rows], fingerprint.dimension)
    )
