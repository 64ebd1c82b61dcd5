"""Search by vector: by the HNSW index where its answer is beyond doubt, else every vector the filter lets through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_cxr.records import Filter, RankedImage
from mcp_cxr.stores._unit_rows import unit_rows
from mcp_cxr.stores.iris.driver import to_vector_cell
from mcp_cxr.stores.iris.tables._filter import OURS, compose
from mcp_cxr.stores.iris.tables._ranked import scored

if TYPE_CHECKING:
    from mcp_cxr.records import Vector
    from mcp_cxr.stores.iris.collection import Entries
    from mcp_cxr.stores.iris.driver import Row, Statements

_EXACT = """
SELECT TOP :limit i.ImageID, i.StudyID, i.SubjectID, VECTOR_COSINE(i.Vector, TO_VECTOR(:query, DOUBLE)) AS Score
FROM {table} AS i"""
_BEST = " ORDER BY Score DESC, i.ImageID"

# The one form an HNSW index serves: no condition, and ordered by the score alone.
_BY_INDEX = """
SELECT TOP :limit i.ImageID, i.StudyID, i.SubjectID, VECTOR_COSINE(i.Vector, TO_VECTOR(:query, DOUBLE)) AS Score,
    CASE WHEN i.Metadata LIKE :mark THEN 1 ELSE 0 END AS IsOurs
FROM {table} AS i ORDER BY Score DESC"""
_MOST_BY_INDEX = 200  # beyond, such an index is no faster than it is inexact


def nearest(session: Statements, entries: Entries, vector: Vector, where: Filter, limit: int) -> list[RankedImage]:
    """Rank images by cosine, best first; ties by image id."""
    fingerprint = entries.fingerprint
    query = unit_rows(vector[None, :], fingerprint.dimension if fingerprint else vector.size)[0]
    if fingerprint is None:
        return []
    bound = {"query": to_vector_cell(query), "limit": limit}
    if entries.has_hnsw and where == Filter() and limit <= _MOST_BY_INDEX:
        rows = session.rows(_BY_INDEX, {**bound, "limit": limit + 1})
        if _beyond_doubt(rows, limit):
            return _ranked([row[:4] for row in rows])[:limit]
    statement, filtered = compose(_EXACT, where, OURS, then=_BEST)
    return _ranked(session.rows(statement, {**filtered, **bound}))


def _beyond_doubt(rows: list[Row], limit: int) -> bool:
    """Whether the best `limit` of these are the answer: all asked for, all ours, and no tie at the end."""
    scores = sorted((row[3] for row in rows if row[3] is not None), reverse=True)
    return len(scores) == limit + 1 and all(row[4] for row in rows) and scores[-1] < scores[-2]


def _ranked(rows: list[Row]) -> list[RankedImage]:
    """Return the hits in their final order; rounding may have put a cosine just beyond 1."""
    bounded = [(image, study, subject, max(-1.0, min(1.0, score))) for image, study, subject, score in rows]
    return sorted(scored(bounded), key=lambda hit: (-hit.score, hit.image_id))
