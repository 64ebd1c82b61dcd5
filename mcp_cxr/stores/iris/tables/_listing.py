"""What can be asked of the images as a whole, without comparing anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from mcp_cxr.records import ImageId, ReferenceSample, Totals
from mcp_cxr.stores._base import SAMPLE_SIZE
from mcp_cxr.stores.iris.driver import stack
from mcp_cxr.stores.iris.tables._documents import HOLDS_TERMS
from mcp_cxr.stores.iris.tables._filter import OURS, any_of, compose
from mcp_cxr.stores.iris.tables._ranked import scored

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import LiteralString

    from mcp_cxr.records import Filter, Fingerprint, RankedImage
    from mcp_cxr.stores.iris.driver import Bound, Row, Statements

_BROWSED = """
SELECT TOP :limit i.ImageID, i.StudyID, i.SubjectID, 0
FROM {table} AS i LEFT JOIN {table}Studies AS s ON s.StudyID = i.StudyID"""
_NEWEST = " ORDER BY s.StudyDate DESC, i.ImageID"  # NULL is below every date

_IMAGES = "SELECT COUNT(*) AS Number FROM {table} AS i"
_STUDIES = "SELECT COUNT(DISTINCT i.StudyID) AS Number FROM {table} AS i"
_SUBJECTS = "SELECT COUNT(DISTINCT i.SubjectID) AS Number FROM {table} AS i"
_COUNTED: dict[str | None, LiteralString] = {None: _IMAGES, "study": _STUDIES, "subject": _SUBJECTS}

FOREIGN: LiteralString = """
SELECT COUNT(*) AS Others FROM {table} AS o WHERE o.Metadata IS NULL OR NOT (o.Metadata LIKE :mark)"""

# In one question: each is a way to the server and back.
_TOTALS = """
SELECT 'all' AS Kind, '' AS Name, COUNT(*) AS Images, COUNT(DISTINCT COALESCE(i.StudyID, '')) AS Studies,
    COUNT(DISTINCT COALESCE(i.SubjectID, '')) AS Subjects,
    SUM(CASE WHEN i.Metadata LIKE :mark THEN 0 ELSE 1 END) AS Others
FROM {table} AS i
UNION ALL SELECT 'view', i.ViewPosition, COUNT(*), 0, 0, 0 FROM {table} AS i GROUP BY i.ViewPosition
UNION ALL SELECT 'label', l.LabelName, COUNT(*), 0, 0, 0 FROM {table}Labels AS l
WHERE l.LabelValue = 1 AND l.StudyID IN (SELECT i.StudyID FROM {table} AS i) GROUP BY l.LabelName"""

_SAMPLE = """
SELECT TOP :limit k.ImageID, i.Vector FROM {table}Sample AS k JOIN {table} AS i ON i.ImageID = k.ImageID
WHERE i.Metadata LIKE :mark ORDER BY k.SampleKey, k.ImageID"""
SAMPLE_MARK: LiteralString = """
SELECT COUNT(*) AS Images, SUM(one.VectorMark) AS Marks FROM (
    SELECT TOP :limit k.VectorMark AS VectorMark FROM {table}Sample AS k JOIN {table} AS i ON i.ImageID = k.ImageID
    WHERE i.Metadata LIKE :mark ORDER BY k.SampleKey, k.ImageID) AS one"""


@dataclass(frozen=True, slots=True)
class KeptSample:
    """A reference sample that was read: 50 MB of text, for 1,024 numbers, that is not read twice."""

    mark: Row
    sample: ReferenceSample


def browse(session: Statements, where: Filter, limit: int) -> list[RankedImage]:
    """Return images, newest study first."""
    statement, bound = compose(_BROWSED, where, OURS, then=_NEWEST, joins_study=True)
    return scored(session.rows(statement, {**bound, "limit": limit}))


def count(
    session: Statements, where: Filter, terms: Sequence[str], distinct: Literal["study", "subject"] | None
) -> int:
    """Count images, studies or subjects."""
    ((number,),) = session.rows(*counted(where, terms, distinct))
    return int(number)


def counted(
    where: Filter, terms: Sequence[str], distinct: Literal["study", "subject"] | None
) -> tuple[LiteralString, Bound]:
    """Return the statement of `count`, and its values."""
    words: list[LiteralString] = [HOLDS_TERMS] if terms else []
    statement, bound = compose(_COUNTED[distinct], where, OURS, *words)
    return statement, {**bound, "terms": any_of(terms)}


def external(session: Statements) -> int:
    """Count the rows that other programs wrote."""
    ((number,),) = session.rows(FOREIGN)
    return int(number)


def totals(session: Statements) -> Totals:
    """Return how much there is."""
    rows = session.rows(_TOTALS)
    ((images, studies, subjects, external),) = (row[2:] for row in rows if row[0] == "all")
    by_view = {str(row[1]) if row[1] else "UNKNOWN": int(row[2]) for row in rows if row[0] == "view"}
    by_label = {str(row[1]): int(row[2]) for row in rows if row[0] == "label"}
    return Totals(int(images), int(studies), int(subjects), int(external or 0), by_view, by_label)


def sample(
    session: Statements, fingerprint: Fingerprint | None, kept: KeptSample | None, mark: Row | None = None
) -> KeptSample:
    """Return the reference sample: `kept`, where it still is.

    Args:
        session: Where it is.
        fingerprint: What made the vectors.
        kept: The sample that was read last.
        mark: Of the sample as it is; None: it is asked for.
    """
    if fingerprint is None:
        return KeptSample((), ReferenceSample((), np.empty((0, 0), np.float32)))
    if mark is None:  # before the sample: what is written between is read next time
        (mark,) = session.rows(SAMPLE_MARK, {"limit": SAMPLE_SIZE})
    if kept and kept.mark == mark:
        return kept
    rows = session.rows(_SAMPLE, {"limit": SAMPLE_SIZE})
    vectors = stack([cell for _, cell in rows], fingerprint.dimension)
    vectors.setflags(write=False)  # all who ask share it
    return KeptSample(mark, ReferenceSample(tuple(ImageId(str(image)) for image, _ in rows), vectors))
