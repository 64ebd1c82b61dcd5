"""Queries over all images: by vector, words and date; counts, totals, and the reference sample.

Search by vector uses the HNSW index if its result is exact, else all vectors that pass the filter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from mcp_cxr.records import STUDY_FACTS, Filter, ImageId, RankedImage, ReferenceSample, Totals
from mcp_cxr.stores._base import SAMPLE_SIZE
from mcp_cxr.stores._shared import best_first, unit_rows
from mcp_cxr.stores.iris.driver import to_int, to_vector_cell, vectors_from_cells
from mcp_cxr.stores.iris.tables._select import (
    MAX_TERM_LENGTH,
    NOT_EXTERNAL,
    select_where,
    terms_parameter,
    to_ranked_images,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from typing import LiteralString

    from mcp_cxr.records import Fingerprint, StudyFact, StudyId, Vector
    from mcp_cxr.stores.iris.driver import Parameters, Row, Statements
    from mcp_cxr.stores.iris.schema import Entries

_SELECT_EXACT = """
SELECT TOP :limit i.ImageID, i.StudyID, i.SubjectID, VECTOR_COSINE(i.Vector, TO_VECTOR(:query, DOUBLE)) AS Score
FROM {table} AS i"""
_BY_COSINE = " ORDER BY Score DESC, i.ImageID"

# The only form that uses an HNSW index: no condition, and ordered by the score alone.
_SELECT_BY_HNSW = """
SELECT TOP :limit i.ImageID, i.StudyID, i.SubjectID, VECTOR_COSINE(i.Vector, TO_VECTOR(:query, DOUBLE)) AS Score,
    CASE WHEN i.Metadata LIKE :own_row THEN 1 ELSE 0 END AS IsOwn
FROM {table} AS i ORDER BY Score DESC"""
_MAX_BY_HNSW = 1000  # what a search asks for first

_COUNT_FACTS = """
SELECT COUNT(s.Report), SUM(CASE WHEN s.Labels <> '{}' THEN 1 ELSE 0 END) AS Labelled,
    (SELECT COUNT(DISTINCT %EXACT(i.StudyID)) FROM {table} AS i
     WHERE i.StudyID %INLIST $LISTFROMSTRING(:ids, :separator) AND i.ViewPosition <> 'UNKNOWN') AS Viewed,
    COUNT(s.StudyDate), COUNT(s.DataSplit)
FROM {table}Studies AS s WHERE s.StudyID %INLIST $LISTFROMSTRING(:ids, :separator)"""

_BEFORE_TERM = "t"
# With a letter before it, a term that looks like a number is returned as it is.
_COUNT_HOLDERS = """
SELECT 't' || p.Term AS Holding, COUNT(*) AS Holders FROM {table}Terms AS p
WHERE p.Term %INLIST $LISTFROMSTRING(:terms, :separator) GROUP BY p.Term"""

# BM25 as FTS5 counts it (SQLite documentation, fts5 section 5.1.1): k1 = 1.2, b = 0.75, an idf of at least 1e-6.
_POSTINGS_WITH_IDF: LiteralString = """
    FROM {table}Terms AS p
    JOIN (
        SELECT held.Term AS Term,
            CASE WHEN LOG((n.Documents - held.Holders + 0.5) / (held.Holders + 0.5)) > 0.000001
                THEN LOG((n.Documents - held.Holders + 0.5) / (held.Holders + 0.5)) ELSE 0.000001 END AS Idf
        FROM (
            SELECT t.Term AS Term, COUNT(*) AS Holders FROM {table}Terms AS t
            WHERE t.Term %INLIST $LISTFROMSTRING(:terms, :separator) GROUP BY t.Term
        ) AS held
        CROSS JOIN (SELECT COUNT(c.DocLength) AS Documents FROM {table}Studies AS c) AS n
    ) AS rare ON rare.Term = p.Term"""
_BEST_STUDIES: LiteralString = """
    WHERE p.Term %INLIST $LISTFROMSTRING(:terms, :separator)
    GROUP BY p.StudyID
) AS best
JOIN {table} AS i ON i.StudyID = best.StudyID"""
_SELECT_RANKED: LiteralString = """
SELECT TOP :limit i.ImageID, i.StudyID, i.SubjectID, best.Score
FROM (
    SELECT p.StudyID AS StudyID,"""
_BM25: LiteralString = """
        SUM(rare.Idf * p.Occurrences * 2.2
            / (p.Occurrences + 1.2 * (0.25 + 0.75 * d.DocLength / every.MeanLength))) AS Score"""
_WITH_LENGTHS: LiteralString = """
    JOIN {table}Studies AS d ON d.StudyID = p.StudyID
    CROSS JOIN (
        SELECT CAST(SUM(m.DocLength) AS DOUBLE) / NULLIF(COUNT(m.DocLength), 0) AS MeanLength FROM {table}Studies AS m
    ) AS every"""
# Rounded: the order of a sum's rows, which other terms of the table may change, changes its last digits.
_PRESENCE: LiteralString = " ROUND(SUM(rare.Idf), 9) AS Score"
_SELECT_BY_BM25: LiteralString = _SELECT_RANKED + _BM25 + _POSTINGS_WITH_IDF + _WITH_LENGTHS + _BEST_STUDIES
_SELECT_BY_PRESENCE: LiteralString = _SELECT_RANKED + _PRESENCE + _POSTINGS_WITH_IDF + _BEST_STUDIES
# `view_rank` in SQL.
_VIEW_RANK: LiteralString = """CASE WHEN i.ViewPosition IN ('PA', 'AP') THEN 0
    WHEN i.ViewPosition IN ('LATERAL', 'LL', 'RL') THEN 1 ELSE 2 END"""
_BY_BM25: LiteralString = " ORDER BY best.Score DESC, " + _VIEW_RANK + ", i.ImageID"

_SELECT_BY_DATE = """
SELECT TOP :limit i.ImageID, i.StudyID, i.SubjectID, 0
FROM {table} AS i LEFT JOIN {table}Studies AS s ON s.StudyID = i.StudyID"""
_NEWEST_FIRST: LiteralString = " ORDER BY s.StudyDate DESC, " + _VIEW_RANK + ", i.ImageID"  # NULL is below every date

# `...Sample` has one row for each image that is not external, so that no Metadata is read.
# %EXACT: the original program's columns ignore case.
_OWN_IMAGES: LiteralString = " FROM {table}Sample AS k JOIN {table} AS i ON i.ImageID = k.ImageID"
_COUNT_ALL: dict[str | None, LiteralString] = {
    None: "SELECT COUNT(*) AS Number FROM {table}Sample AS k",
    "study": "SELECT COUNT(s.DocLength) AS Number FROM {table}Studies AS s",  # those with an image have a document
    "subject": "SELECT COUNT(DISTINCT %EXACT(i.SubjectID)) AS Number" + _OWN_IMAGES,
}
_COUNT: dict[str | None, LiteralString] = {
    None: "SELECT COUNT(*) AS Number" + _OWN_IMAGES,
    "study": "SELECT COUNT(DISTINCT %EXACT(i.StudyID)) AS Number" + _OWN_IMAGES,
    "subject": _COUNT_ALL["subject"],
}

COUNT_EXTERNAL: LiteralString = """
SELECT anyone.Number - own.Number AS ExternalRows FROM (SELECT COUNT(*) AS Number FROM {table} AS o) AS anyone
CROSS JOIN (SELECT COUNT(*) AS Number FROM {table}Sample AS k) AS own"""

# In one statement, to save round trips.
_SELECT_TOTALS = """
SELECT 'all' AS Kind, '' AS Name, COUNT(*) AS Images, COUNT(DISTINCT %EXACT(COALESCE(i.StudyID, ''))) AS Studies,
    COUNT(DISTINCT %EXACT(COALESCE(i.SubjectID, ''))) AS Subjects,
    COUNT(*) - (SELECT COUNT(*) AS Number FROM {table}Sample AS k) AS ExternalRows
FROM {table} AS i
UNION ALL SELECT 'view', %EXACT(i.ViewPosition), COUNT(*), 0, 0, 0 FROM {table} AS i GROUP BY %EXACT(i.ViewPosition)
UNION ALL SELECT 'label', l.LabelName, COUNT(*), 0, 0, 0 FROM {table}Labels AS l
WHERE l.LabelValue = 1 AND l.StudyID IN (SELECT i.StudyID FROM {table} AS i) GROUP BY l.LabelName"""

_SELECT_SAMPLE = """
SELECT TOP :limit k.ImageID, i.Vector FROM {table}Sample AS k JOIN {table} AS i ON i.ImageID = k.ImageID
WHERE i.Metadata LIKE :own_row ORDER BY k.SampleKey, k.ImageID"""
SELECT_SAMPLE_CHECKSUM: LiteralString = """
SELECT COUNT(*) AS Images, SUM(one.VectorMark) AS Marks FROM (
    SELECT TOP :limit k.VectorMark AS VectorMark FROM {table}Sample AS k ORDER BY k.SampleKey, k.ImageID) AS one"""


@dataclass(frozen=True, slots=True)
class CachedSample:
    """A reference sample that was read: 50 MB of text at 1,024 dimensions, read again only if the checksum changes."""

    checksum: Row
    sample: ReferenceSample


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
    statement, filtered = select_where(_SELECT_EXACT, where, NOT_EXTERNAL, order=_BY_COSINE)
    return _to_ranked(statements.fetch_all(statement, {**filtered, **parameters}))


def match(
    statements: Statements, terms: Sequence[str], where: Filter, limit: int, *, by_presence: bool
) -> list[RankedImage]:
    """Return images by the BM25 of their study, or by which of the terms it has, best first."""
    query_terms = terms_parameter(terms)
    if not query_terms:
        return []
    select = _SELECT_BY_PRESENCE if by_presence else _SELECT_BY_BM25
    statement, parameters = select_where(select, where, NOT_EXTERNAL, order=_BY_BM25)
    return to_ranked_images(statements.fetch_all(statement, {**parameters, "terms": query_terms, "limit": limit}))


def browse(statements: Statements, where: Filter, limit: int) -> list[RankedImage]:
    """Return images, newest study first."""
    statement, parameters = select_where(_SELECT_BY_DATE, where, NOT_EXTERNAL, order=_NEWEST_FIRST, joins_study=True)
    return to_ranked_images(statements.fetch_all(statement, {**parameters, "limit": limit}))


def count(statements: Statements, where: Filter, distinct: Literal["study", "subject"] | None) -> int:
    """Count images, studies or subjects."""
    ((number,),) = statements.fetch_all(*count_statement(where, distinct))
    return to_int(number)


def count_statement(where: Filter, distinct: Literal["study", "subject"] | None) -> tuple[LiteralString, Parameters]:
    """Return the statement of `count`, and its parameters."""
    if where == Filter():
        return _COUNT_ALL[distinct], {}
    return select_where(_COUNT[distinct], where)


def term_counts(statements: Statements, terms: Sequence[str]) -> dict[str, int]:
    """Return the number of documents that contain each term, if there is one."""
    rows = statements.fetch_all(_COUNT_HOLDERS, {"terms": terms_parameter(terms)})
    holders = {str(term).removeprefix(_BEFORE_TERM): to_int(count) for term, count in rows}
    return {term: holders[stored] for term in terms if (stored := term[:MAX_TERM_LENGTH]) in holders}


def count_study_facts(statements: Statements, study_ids: Collection[StudyId]) -> dict[StudyFact, int]:
    """Return how many of these studies have each fact."""
    rows = statements.fetch_by_ids(_COUNT_FACTS, list(study_ids))
    return {fact: sum(to_int(row[number] or 0) for row in rows) for number, fact in enumerate(STUDY_FACTS)}


def count_external(statements: Statements) -> int:
    """Count the external rows."""
    ((number,),) = statements.fetch_all(COUNT_EXTERNAL)
    return to_external(number)


def to_external(cell: object) -> int:
    """Return a cell of `COUNT_EXTERNAL`, which is below zero if another program has deleted rows."""
    return max(0, to_int(cell))


def totals(statements: Statements) -> Totals:
    """Return the totals."""
    rows = statements.fetch_all(_SELECT_TOTALS)
    ((images, studies, subjects, external),) = (row[2:] for row in rows if row[0] == "all")
    by_view = {str(row[1]) if row[1] else "UNKNOWN": to_int(row[2]) for row in rows if row[0] == "view"}
    by_label = {str(row[1]): to_int(row[2]) for row in rows if row[0] == "label"}
    return Totals(to_int(images), to_int(studies), to_int(subjects), to_external(external), by_view, by_label)


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


def _is_exact(rows: list[Row], limit: int) -> bool:
    """Whether the best `limit` rows are exact: `limit` + 1 were found, none external, and no tie at the end."""
    scores = sorted((float(row[3]) for row in rows if row[3] is not None), reverse=True)
    return len(scores) == limit + 1 and all(to_int(row[4]) for row in rows) and scores[-1] < scores[-2]


def _to_ranked(rows: list[Row]) -> list[RankedImage]:
    """Return ranked images in their final order; a cosine that rounding put beyond 1 becomes 1."""
    bounded = [(image, study, subject, max(-1.0, min(1.0, float(score)))) for image, study, subject, score in rows]
    return best_first(to_ranked_images(bounded))
