"""What can be asked of the images as a whole, without comparing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from mcp_cxr.records import ImageId, Sample, Scored, StudyId, SubjectId, Totals
from mcp_cxr.stores._base import SAMPLE_SIZE
from mcp_cxr.stores.embedded._collection import fingerprint_of
from mcp_cxr.stores.embedded._documents import HOLDS_TERMS
from mcp_cxr.stores.embedded._filter import OURS, any_of, compose
from mcp_cxr.stores.embedded._vectors import stack

if TYPE_CHECKING:
    from collections.abc import Sequence
    from sqlite3 import Connection
    from typing import LiteralString

    from mcp_cxr.records import Filter

_BROWSED = "SELECT i.image_id, i.study_id, i.subject_id FROM images AS i"
_NEWEST = """
ORDER BY (SELECT study_date FROM studies WHERE studies.study_id = i.study_id) DESC NULLS LAST, i.image_id
LIMIT :limit"""

_IMAGES = "SELECT count(*) FROM images AS i"
_STUDIES = "SELECT count(DISTINCT i.study_id) FROM images AS i"
_SUBJECTS = "SELECT count(DISTINCT i.subject_id) FROM images AS i"
_COUNTED: dict[str | None, LiteralString] = {None: _IMAGES, "study": _STUDIES, "subject": _SUBJECTS}

_TOTALS = """
SELECT count(*), count(DISTINCT study_id), count(DISTINCT subject_id),
    (SELECT count(*) FROM images WHERE made_by IS NULL)
FROM images"""
_BY_VIEW = "SELECT view_position, count(*) FROM images GROUP BY view_position"
_BY_LABEL = """
SELECT label, count(*) FROM labels JOIN studies ON studies.number = labels.study
WHERE value = 1 AND EXISTS (SELECT 1 FROM images WHERE images.study_id = studies.study_id) GROUP BY label"""

_SAMPLE = """
SELECT image_id, (SELECT vector FROM vectors AS v WHERE v.slot = images.slot) FROM images
WHERE made_by IS NOT NULL AND sample_key IS NOT NULL ORDER BY sample_key, image_id LIMIT ?"""


def browse(connection: Connection, where: Filter, limit: int) -> list[Scored]:
    """Return images, newest study first."""
    statement, bound = compose(_BROWSED, where, OURS, then=_NEWEST)
    rows = connection.execute(statement, {**bound, "limit": limit})
    return [Scored(ImageId(image), StudyId(study), SubjectId(subject), 0.0) for image, study, subject in rows]


def count(
    connection: Connection, where: Filter, terms: Sequence[str], distinct: Literal["study", "subject"] | None
) -> int:
    """Count images, studies or subjects."""
    words: list[LiteralString] = [HOLDS_TERMS] if terms else []
    statement, bound = compose(_COUNTED[distinct], where, OURS, *words)
    (number,) = connection.execute(statement, {**bound, "terms": any_of(terms)}).fetchone()
    return number


def totals(connection: Connection) -> Totals:
    """Return how much there is."""
    images, studies, subjects, foreign = connection.execute(_TOTALS).fetchone()
    by_view = dict(connection.execute(_BY_VIEW).fetchall())
    by_label = dict(connection.execute(_BY_LABEL).fetchall())
    return Totals(images, studies, subjects, foreign, by_view, by_label)


def sample(connection: Connection) -> Sample:
    """Return the reference sample."""
    fingerprint = fingerprint_of(connection)
    if fingerprint is None:
        return Sample((), np.empty((0, 0), np.float32))
    rows = connection.execute(_SAMPLE, (SAMPLE_SIZE,)).fetchall()
    return Sample(tuple(ImageId(image) for image, _ in rows), stack([blob for _, blob in rows], fingerprint.dimension))
