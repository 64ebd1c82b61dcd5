"""What can be asked of the images as a whole, without comparing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from mcp_cxr.records import ImageId, Sample, Totals
from mcp_cxr.stores._base import SAMPLE_SIZE
from mcp_cxr.stores.iris._cells import stack
from mcp_cxr.stores.iris._documents import HOLDS_TERMS
from mcp_cxr.stores.iris._filter import OURS, any_of, compose
from mcp_cxr.stores.iris._scored import scored

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import LiteralString

    from mcp_cxr.records import Filter, Fingerprint, Scored
    from mcp_cxr.stores.iris._session import Session

_BROWSED = """
SELECT TOP :limit i.ImageID, i.StudyID, i.SubjectID, 0
FROM {table} AS i LEFT JOIN {table}Studies AS s ON s.StudyID = i.StudyID"""
_NEWEST = " ORDER BY s.StudyDate DESC, i.ImageID"  # NULL is below every date

_IMAGES = "SELECT COUNT(*) FROM {table} AS i"
_STUDIES = "SELECT COUNT(DISTINCT i.StudyID) FROM {table} AS i"
_SUBJECTS = "SELECT COUNT(DISTINCT i.SubjectID) FROM {table} AS i"
_COUNTED: dict[str | None, LiteralString] = {None: _IMAGES, "study": _STUDIES, "subject": _SUBJECTS}

_TOTALS = """
SELECT COUNT(*), COUNT(DISTINCT COALESCE(i.StudyID, '')), COUNT(DISTINCT COALESCE(i.SubjectID, '')),
    SUM(CASE WHEN i.Metadata LIKE :mark THEN 0 ELSE 1 END)
FROM {table} AS i"""
_BY_VIEW = "SELECT i.ViewPosition, COUNT(*) FROM {table} AS i GROUP BY i.ViewPosition"
_BY_LABEL = """
SELECT l.LabelName, COUNT(*) FROM {table}Labels AS l
WHERE l.LabelValue = 1 AND l.StudyID IN (SELECT i.StudyID FROM {table} AS i) GROUP BY l.LabelName"""

_SAMPLE = """
SELECT TOP :limit k.ImageID, i.Vector FROM {table}Sample AS k JOIN {table} AS i ON i.ImageID = k.ImageID
WHERE i.Metadata LIKE :mark ORDER BY k.SampleKey, k.ImageID"""


def browse(session: Session, where: Filter, limit: int) -> list[Scored]:
    """Return images, newest study first."""
    statement, bound = compose(_BROWSED, where, OURS, then=_NEWEST, joins_study=True)
    return scored(session.rows(statement, {**bound, "limit": limit}))


def count(session: Session, where: Filter, terms: Sequence[str], distinct: Literal["study", "subject"] | None) -> int:
    """Count images, studies or subjects."""
    words: list[LiteralString] = [HOLDS_TERMS] if terms else []
    statement, bound = compose(_COUNTED[distinct], where, OURS, *words)
    ((number,),) = session.rows(statement, {**bound, "terms": any_of(terms)})
    return int(number)


def totals(session: Session) -> Totals:
    """Return how much there is."""
    ((images, studies, subjects, foreign),) = session.rows(_TOTALS)
    by_view = {str(view) if view else "UNKNOWN": int(number) for view, number in session.rows(_BY_VIEW)}
    by_label = {str(label): int(number) for label, number in session.rows(_BY_LABEL)}
    return Totals(int(images), int(studies), int(subjects), int(foreign or 0), by_view, by_label)


def sample(session: Session, fingerprint: Fingerprint | None) -> Sample:
    """Return the reference sample."""
    if fingerprint is None:
        return Sample((), np.empty((0, 0), np.float32))
    rows = session.rows(_SAMPLE, {"limit": SAMPLE_SIZE})
    return Sample(
        tuple(ImageId(str(image)) for image, _ in rows), stack([cell for _, cell in rows], fingerprint.dimension)
    )
