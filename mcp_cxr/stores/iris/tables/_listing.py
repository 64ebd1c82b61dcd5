"""Queries over all images that compare no vectors: by date, counts, totals, and the reference sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from mcp_cxr.records import ImageId, ReferenceSample, Totals
from mcp_cxr.stores._base import SAMPLE_SIZE
from mcp_cxr.stores.iris.driver import vectors_from_cells
from mcp_cxr.stores.iris.tables._documents import HOLDS_TERMS
from mcp_cxr.stores.iris.tables._select import NOT_EXTERNAL, select_where, terms_parameter, to_ranked_images

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import LiteralString

    from mcp_cxr.records import Filter, Fingerprint, RankedImage
    from mcp_cxr.stores.iris.driver import Parameters, Row, Statements

_SELECT_BY_DATE = """
SELECT TOP :limit i.ImageID, i.StudyID, i.SubjectID, 0
FROM {table} AS i LEFT JOIN {table}Studies AS s ON s.StudyID = i.StudyID"""
_NEWEST_FIRST = " ORDER BY s.StudyDate DESC, i.ImageID"  # NULL is below every date

_COUNT_IMAGES = "SELECT COUNT(*) AS Number FROM {table} AS i"
_COUNT_STUDIES = "SELECT COUNT(DISTINCT i.StudyID) AS Number FROM {table} AS i"
_COUNT_SUBJECTS = "SELECT COUNT(DISTINCT i.SubjectID) AS Number FROM {table} AS i"
_COUNT: dict[str | None, LiteralString] = {None: _COUNT_IMAGES, "study": _COUNT_STUDIES, "subject": _COUNT_SUBJECTS}

COUNT_EXTERNAL: LiteralString = """
SELECT COUNT(*) AS ExternalRows FROM {table} AS o WHERE o.Metadata IS NULL OR NOT (o.Metadata LIKE :own_row)"""

# In one statement, to save round trips.
_SELECT_TOTALS = """
SELECT 'all' AS Kind, '' AS Name, COUNT(*) AS Images, COUNT(DISTINCT COALESCE(i.StudyID, '')) AS Studies,
    COUNT(DISTINCT COALESCE(i.SubjectID, '')) AS Subjects,
    SUM(CASE WHEN i.Metadata LIKE :own_row THEN 0 ELSE 1 END) AS ExternalRows
FROM {table} AS i
UNION ALL SELECT 'view', i.ViewPosition, COUNT(*), 0, 0, 0 FROM {table} AS i GROUP BY i.ViewPosition
UNION ALL SELECT 'label', l.LabelName, COUNT(*), 0, 0, 0 FROM {table}Labels AS l
WHERE l.LabelValue = 1 AND l.StudyID IN (SELECT i.StudyID FROM {table} AS i) GROUP BY l.LabelName"""

_SELECT_SAMPLE = """
SELECT TOP :limit k.ImageID, i.Vector FROM {table}Sample AS k JOIN {table} AS i ON i.ImageID = k.ImageID
WHERE i.Metadata LIKE :own_row ORDER BY k.SampleKey, k.ImageID"""
SELECT_SAMPLE_CHECKSUM: LiteralString = """
SELECT COUNT(*) AS Images, SUM(one.VectorMark) AS Marks FROM (
    SELECT TOP :limit k.VectorMark AS VectorMark FROM {table}Sample AS k JOIN {table} AS i ON i.ImageID = k.ImageID
    WHERE i.Metadata LIKE :own_row ORDER BY k.SampleKey, k.ImageID) AS one"""


@dataclass(frozen=True, slots=True)
class CachedSample:
    """A reference sample that was read: 50 MB of text at 1,024 dimensions, read again only if the checksum changes."""

    checksum: Row
    sample: ReferenceSample


def browse(statements: Statements, where: Filter, limit: int) -> list[RankedImage]:
    """Return images, newest study first."""
    statement, parameters = select_where(_SELECT_BY_DATE, where, NOT_EXTERNAL, order=_NEWEST_FIRST, joins_study=True)
    return to_ranked_images(statements.fetch_all(statement, {**parameters, "limit": limit}))


def count(
    statements: Statements, where: Filter, terms: Sequence[str], distinct: Literal["study", "subject"] | None
) -> int:
    """Count images, studies or subjects."""
    ((number,),) = statements.fetch_all(*count_statement(where, terms, distinct))
    return int(number)


def count_statement(
    where: Filter, terms: Sequence[str], distinct: Literal["study", "subject"] | None
) -> tuple[LiteralString, Parameters]:
    """Return the statement of `count`, and its parameters."""
    words: list[LiteralString] = [HOLDS_TERMS] if terms else []
    statement, parameters = select_where(_COUNT[distinct], where, NOT_EXTERNAL, *words)
    return statement, {**parameters, "terms": terms_parameter(terms)}


def count_external(statements: Statements) -> int:
    """Count the external rows."""
    ((number,),) = statements.fetch_all(COUNT_EXTERNAL)
    return int(number)


def totals(statements: Statements) -> Totals:
    """Return the totals."""
    rows = statements.fetch_all(_SELECT_TOTALS)
    ((images, studies, subjects, external),) = (row[2:] for row in rows if row[0] == "all")
    by_view = {str(row[1]) if row[1] else "UNKNOWN": int(row[2]) for row in rows if row[0] == "view"}
    by_label = {str(row[1]): int(row[2]) for row in rows if row[0] == "label"}
    return Totals(int(images), int(studies), int(subjects), int(external or 0), by_view, by_label)


def reference_sample(
    statements: Statements, fingerprint: Fingerprint | None, cached: CachedSample | None, checksum: Row | None = None
) -> CachedSample:
    """Return the reference sample; `cached`, if that is still current.

    Args:
        statements: The connection.
        fingerprint: What made the vectors.
        cached: The sample that was read last.
        checksum: Checksum of the current sample; None: it is queried.
    """
    if fingerprint is None:
        return CachedSample((), ReferenceSample((), np.empty((0, 0), np.float32)))
    if checksum is None:  # before the sample: what is written in between is found next time
        (checksum,) = statements.fetch_all(SELECT_SAMPLE_CHECKSUM, {"limit": SAMPLE_SIZE})
    if cached and cached.checksum == checksum:
        return cached
    rows = statements.fetch_all(_SELECT_SAMPLE, {"limit": SAMPLE_SIZE})
    vectors = vectors_from_cells([cell for _, cell in rows], fingerprint.dimension)
    vectors.setflags(write=False)  # shared by all callers
    return CachedSample(checksum, ReferenceSample(tuple(ImageId(str(image)) for image, _ in rows), vectors))
