"""Search by vector: with the HNSW index if its result is exact, else over all vectors that pass the filter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_cxr.records import Filter, RankedImage
from mcp_cxr.stores._unit_rows import unit_rows
from mcp_cxr.stores.iris.driver import to_vector_cell
from mcp_cxr.stores.iris.tables._select import NOT_EXTERNAL, select_where, to_ranked_images

if TYPE_CHECKING:
    from mcp_cxr.records import Vector
    from mcp_cxr.stores.iris.driver import Row, Statements
    from mcp_cxr.stores.iris.schema import Entries

_SELECT_EXACT = """
SELECT TOP :limit i.ImageID, i.StudyID, i.SubjectID, VECTOR_COSINE(i.Vector, TO_VECTOR(:query, DOUBLE)) AS Score
FROM {table} AS i"""
_BY_SCORE = " ORDER BY Score DESC, i.ImageID"

# The only form that uses an HNSW index: no condition, and ordered by the score alone.
_SELECT_BY_HNSW = """
SELECT TOP :limit i.ImageID, i.StudyID, i.SubjectID, VECTOR_COSINE(i.Vector, TO_VECTOR(:query, DOUBLE)) AS Score,
    CASE WHEN i.Metadata LIKE :own_row THEN 1 ELSE 0 END AS IsOwn
FROM {table} AS i ORDER BY Score DESC"""
_MAX_BY_HNSW = 200  # beyond this, the index is too inexact to be worth it


def nearest(statements: Statements, entries: Entries, vector: Vector, where: Filter, limit: int) -> list[RankedImage]:
    """Return images by cosine, best first; ties by image id."""
    fingerprint = entries.fingerprint
    query = unit_rows(vector[None, :], fingerprint.dimension if fingerprint else vector.size)[0]
    if fingerprint is None:
        return []
    parameters = {"query": to_vector_cell(query), "limit": limit}
    if entries.has_hnsw and where == Filter() and limit <= _MAX_BY_HNSW:
        rows = statements.fetch_all(_SELECT_BY_HNSW, {**parameters, "limit": limit + 1})
        if _is_exact(rows, limit):
            return _to_ranked([row[:4] for row in rows])[:limit]
    statement, filtered = select_where(_SELECT_EXACT, where, NOT_EXTERNAL, order=_BY_SCORE)
    return _to_ranked(statements.fetch_all(statement, {**filtered, **parameters}))


def _is_exact(rows: list[Row], limit: int) -> bool:
    """Whether the best `limit` rows are exact: `limit` + 1 were found, none external, and no tie at the end."""
    scores = sorted((row[3] for row in rows if row[3] is not None), reverse=True)
    return len(scores) == limit + 1 and all(row[4] for row in rows) and scores[-1] < scores[-2]


def _to_ranked(rows: list[Row]) -> list[RankedImage]:
    """Return ranked images in their final order; a cosine that rounding put beyond 1 becomes 1."""
    bounded = [(image, study, subject, max(-1.0, min(1.0, score))) for image, study, subject, score in rows]
    return sorted(to_ranked_images(bounded), key=lambda hit: (-hit.score, hit.image_id))
