"""The words index: postings of the document of each study with an image that is not external."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from mcp_cxr.language import document_terms
from mcp_cxr.records import Study, StudyId, SubjectId
from mcp_cxr.stores.iris.driver import to_list_cell, to_text
from mcp_cxr.stores.iris.tables._select import (
    MAX_TERM_LENGTH,
    NOT_EXTERNAL,
    select_where,
    terms_parameter,
    to_ranked_images,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mcp_cxr.records import Filter, RankedImage
    from mcp_cxr.stores.iris.driver import Statements

HOLDS_TERMS = """i.StudyID IN (
    SELECT p.StudyID FROM {table}Terms AS p WHERE p.Term %INLIST $LISTFROMSTRING(:terms, :separator))"""

# BM25 as FTS5 counts it (SQLite documentation, fts5 section 5.1.1): k1 = 1.2, b = 0.75, an idf of at least 1e-6.
_SELECT_BY_BM25 = """
SELECT TOP :limit i.ImageID, i.StudyID, i.SubjectID, best.Score
FROM (
    SELECT p.StudyID AS StudyID,
        SUM(rare.Idf * p.Occurrences * 2.2
            / (p.Occurrences + 1.2 * (0.25 + 0.75 * d.DocLength / every.MeanLength))) AS Score
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
    ) AS rare ON rare.Term = p.Term
    JOIN {table}Studies AS d ON d.StudyID = p.StudyID
    CROSS JOIN (
        SELECT CAST(SUM(m.DocLength) AS DOUBLE) / COUNT(m.DocLength) AS MeanLength FROM {table}Studies AS m
    ) AS every
    WHERE p.Term %INLIST $LISTFROMSTRING(:terms, :separator)
    GROUP BY p.StudyID
) AS best
JOIN {table} AS i ON i.StudyID = best.StudyID"""
_BY_SCORE = " ORDER BY best.Score DESC, i.ImageID"

_SELECT_STUDIES = """
SELECT StudyID, SubjectID, Report, Labels, DocHash FROM {table}Studies
WHERE StudyID %INLIST $LISTFROMSTRING(:studies, :separator)"""
_SELECT_IMAGES = """
SELECT i.StudyID, i.ViewPosition, i.Metadata FROM {table} AS i
WHERE i.StudyID %INLIST $LISTFROMSTRING(:studies, :separator) AND i.Metadata LIKE :own_row"""
# Without row locks: a writer of a study's postings holds the lock of its row in ...Studies. A thousand row locks in one
# transaction would be escalated to a lock of the whole table.
_DELETE_POSTINGS = "DELETE %NOLOCK FROM {table}Terms WHERE StudyID %INLIST $LISTFROMSTRING(:studies, :separator)"
_INSERT_POSTING = "INSERT %NOLOCK INTO {table}Terms (Term, StudyID, Occurrences) VALUES (?, ?, ?)"
_SET_DOCUMENT = "UPDATE {table}Studies SET DocLength = ?, DocHash = ? WHERE StudyID = ?"


@dataclass(frozen=True, slots=True)
class _Document:
    study_id: str
    terms: list[str] | None
    """None: the study has no image, or only external ones."""

    @property
    def digest(self) -> str | None:
        if self.terms is None:
            return None
        return "d" + blake2b(" ".join(self.terms).encode(), digest_size=16).hexdigest()


def reindex(statements: Statements, study_ids: Iterable[str]) -> None:
    """Bring the documents of these studies up to date with their reports, labels and images.

    The caller has locked their rows.
    """
    ids = to_list_cell(study_ids)
    if not ids:
        return
    images: dict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for study_id, view, metadata in statements.fetch_all(_SELECT_IMAGES, {"studies": ids}):
        images[str(study_id)].append((str(view), json.loads(metadata)["tags"]))
    changed: list[_Document] = []
    for row in statements.fetch_all(_SELECT_STUDIES, {"studies": ids}):
        study_id, subject_id, report, labels = (to_text(cell) for cell in row[:4])
        study = Study(
            StudyId(study_id or ""), SubjectId(subject_id or ""), None, None, json.loads(labels or "{}"), report
        )
        study_images = images.get(study.study_id)
        current = _Document(study.study_id, document_terms(study, study_images) if study_images else None)
        if current.digest != to_text(row[4]):
            changed.append(current)
    _write(statements, changed)


def match(statements: Statements, terms: Sequence[str], where: Filter, limit: int) -> list[RankedImage]:
    """Return images by the BM25 of their study, best first."""
    query_terms = terms_parameter(terms)
    if not query_terms:
        return []
    statement, parameters = select_where(_SELECT_BY_BM25, where, NOT_EXTERNAL, order=_BY_SCORE)
    return to_ranked_images(statements.fetch_all(statement, {**parameters, "terms": query_terms, "limit": limit}))


def delete_postings(statements: Statements, study_ids: Iterable[str]) -> None:
    """Delete the postings of these studies."""
    statements.execute(_DELETE_POSTINGS, {"studies": to_list_cell(study_ids)})


def _write(statements: Statements, documents: Sequence[_Document]) -> None:
    if not documents:
        return
    delete_postings(statements, [one.study_id for one in documents])
    postings = [
        (term, one.study_id, occurrences)
        for one in documents
        for term, occurrences in Counter(term[:MAX_TERM_LENGTH] for term in one.terms or ()).items()
    ]
    statements.execute_many(_INSERT_POSTING, postings, small=True)
    lengths = [(None if one.terms is None else len(one.terms), one.digest, one.study_id) for one in documents]
    statements.execute_many(_SET_DOCUMENT, lengths)
