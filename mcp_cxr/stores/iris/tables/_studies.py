"""Studies, merged with the stored ones, and the full-text index of their documents.

A study with an image that is not external has one document, whose terms are the postings.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from mcp_cxr.language import document_terms
from mcp_cxr.records import Study, StudyId, SubjectId
from mcp_cxr.stores._shared import merge_studies
from mcp_cxr.stores.iris.driver import MAX_IDS_PER_QUERY, to_list_cell, to_text
from mcp_cxr.stores.iris.tables._select import MAX_TERM_LENGTH

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from mcp_cxr.stores.iris.driver import Row, Statements

_LOCK_STUDIES = """
UPDATE {table}Studies SET UpdatedAt = CURRENT_TIMESTAMP WHERE StudyID %INLIST $LISTFROMSTRING(:studies, :separator)"""
_SELECT_STUDIES = """
SELECT StudyID, SubjectID, StudyDate, DataSplit, Labels, Report,
    {LabelsBy}, {PositivesOnly}, {Sex}, {Age}, {ReportLanguage}, DocHash FROM {table}Studies
WHERE StudyID %INLIST $LISTFROMSTRING(:studies, :separator)"""
_SELECT_FIRST = "SELECT TOP :limit StudyID FROM {table}Studies ORDER BY StudyID"
_SELECT_NEXT = "SELECT TOP :limit StudyID FROM {table}Studies WHERE StudyID > :after ORDER BY StudyID"
_SELECT_KNOWN = "SELECT StudyID FROM {table}Studies WHERE StudyID %INLIST $LISTFROMSTRING(:studies, :separator)"
_INSERT_EMPTY = "INSERT OR UPDATE INTO {table}Studies (StudyID, SubjectID) VALUES (?, ?)"
_UPSERT = """
INSERT OR UPDATE INTO {table}Studies (StudyID, SubjectID, StudyDate, DataSplit, Labels, Report, LabelsBy,
    PositivesOnly, Sex, Age, ReportLanguage, UpdatedAt)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, CURRENT_TIMESTAMP)"""
_DELETE_LABELS = "DELETE %NOLOCK FROM {table}Labels WHERE StudyID %INLIST $LISTFROMSTRING(:studies, :separator)"
_INSERT_LABEL = "INSERT %NOLOCK INTO {table}Labels (StudyID, LabelName, LabelValue) VALUES (?, ?, ?)"

_SELECT_OF_SUBJECT = "SELECT StudyID FROM {table}Studies WHERE SubjectID = :subject"
_SELECT_STUDY_OF_SUBJECT = "SELECT StudyID FROM {table}Studies WHERE StudyID = :study AND SubjectID = :subject"
_SELECT_WITH_IMAGES = "SELECT DISTINCT StudyID FROM {table} WHERE StudyID %INLIST $LISTFROMSTRING(:studies, :separator)"
_SELECT_EMPTY = """
SELECT s.StudyID FROM {table}Studies AS s LEFT JOIN {table} AS i ON i.StudyID = s.StudyID WHERE i.ImageID IS NULL"""
_DELETE_STUDIES = "DELETE FROM {table}Studies WHERE StudyID %INLIST $LISTFROMSTRING(:studies, :separator)"

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
        terms = self.terms
        return None if terms is None else "d" + blake2b(" ".join(terms).encode(), digest_size=16).hexdigest()


def put_studies(statements: Statements, studies: Sequence[Study]) -> int:
    """Merge studies into the stored ones; return how many changed."""
    if not studies:
        return 0
    ids = to_list_cell(study.study_id for study in studies)
    statements.execute(_LOCK_STUDIES, {"studies": ids})
    before = {study.study_id: study for study in map(to_study, statements.fetch_all(_SELECT_STUDIES, {"studies": ids}))}
    new = merge_studies(before, studies)
    _write_studies(statements, new)
    reindex(statements, [study.study_id for study in new])
    return len(new)


def lock(statements: Statements, study_ids: Iterable[str]) -> None:
    """Lock these studies and their postings until the end of the transaction."""
    statements.execute(_LOCK_STUDIES, {"studies": to_list_cell(study_ids)})


def insert_missing(statements: Statements, subject_of: dict[str, str]) -> None:
    """Insert the studies that are missing, empty."""
    known = {
        str(study_id) for (study_id,) in statements.fetch_all(_SELECT_KNOWN, {"studies": to_list_cell(subject_of)})
    }
    statements.execute_many(_INSERT_EMPTY, [row for row in subject_of.items() if row[0] not in known])


def select_named(statements: Statements, study_id: str | None, subject_id: str | None) -> set[str]:
    """Return the studies with this study id, of this subject, with or without images."""
    if subject_id is None:
        return {study_id} if study_id else set()
    statement = _SELECT_STUDY_OF_SUBJECT if study_id else _SELECT_OF_SUBJECT
    rows = statements.fetch_all(statement, {"study": study_id, "subject": subject_id})
    return {str(found) for (found,) in rows}


def delete_unused(statements: Statements, study_ids: Collection[str]) -> None:
    """Delete the studies that have no image left; update the documents of the others."""
    if not study_ids:
        return
    lock(statements, study_ids)
    used = {
        str(study_id) for (study_id,) in statements.fetch_all(_SELECT_WITH_IMAGES, {"studies": to_list_cell(study_ids)})
    }
    if gone := set(study_ids) - used:
        delete_postings(statements, gone)
        statements.execute(_DELETE_LABELS, {"studies": to_list_cell(gone)})
        statements.execute(_DELETE_STUDIES, {"studies": to_list_cell(gone)})
    reindex(statements, used)


def count_empty(statements: Statements, *, remove: bool) -> int:
    """Count the studies that have no image, and delete them if asked."""
    empty = [str(study_id) for (study_id,) in statements.fetch_all(_SELECT_EMPTY)]
    for start in range(0, len(empty) if remove else 0, MAX_IDS_PER_QUERY):
        delete_unused(statements, empty[start : start + MAX_IDS_PER_QUERY])
    return len(empty)


def to_study(row: Row) -> Study:
    """Return a study from a row that begins with the columns of a study, id and subject first, as `Study` has them."""
    cells = map(to_text, row[:11])
    study_id, subject_id, study_date, split, labels, report, labels_by, positives_only, sex, age, language = cells
    return Study(
        StudyId(study_id or ""),
        SubjectId(subject_id or ""),
        study_date,
        split,
        json.loads(labels or "{}"),
        report,
        labels_by,
        positives_only == "1",
        sex,
        int(age) if age else None,
        language,
    )


def reindex_all(statements: Statements) -> int:
    """Derive every document again, in batches; return how many there are.

    The server locks the whole table of studies after a thousand rows: no other process writes reports meanwhile.
    """
    documents = 0
    rows = statements.fetch_all(_SELECT_FIRST, {"limit": MAX_IDS_PER_QUERY})
    while rows:
        study_ids = [str(study_id) for (study_id,) in rows]
        lock(statements, study_ids)
        documents += reindex(statements, study_ids)
        rows = statements.fetch_all(_SELECT_NEXT, {"limit": MAX_IDS_PER_QUERY, "after": study_ids[-1]})
    return documents


def reindex(statements: Statements, study_ids: Iterable[str]) -> int:
    """Bring the documents of these studies up to date with their reports, labels and images; return how many there are.

    The caller has locked their rows.
    """
    ids = to_list_cell(study_ids)
    if not ids:
        return 0
    images: dict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for study_id, view, metadata in statements.fetch_all(_SELECT_IMAGES, {"studies": ids}):
        images[str(study_id)].append((str(view), json.loads(metadata)["tags"]))
    changed: list[_Document] = []
    for row in statements.fetch_all(_SELECT_STUDIES, {"studies": ids}):
        study = to_study(row)
        study_images = images.get(study.study_id)
        current = _Document(study.study_id, document_terms(study, study_images) if study_images else None)
        if current.digest != to_text(row[-1]):
            changed.append(current)
    _write_documents(statements, changed)
    return len(images)


def delete_postings(statements: Statements, study_ids: Iterable[str]) -> None:
    """Delete the postings of these studies."""
    statements.execute(_DELETE_POSTINGS, {"studies": to_list_cell(study_ids)})


def _write_studies(statements: Statements, studies: Sequence[Study]) -> None:
    if not studies:
        return
    statements.execute_many(_UPSERT, [_cells(study) for study in studies])
    statements.execute(_DELETE_LABELS, {"studies": to_list_cell(study.study_id for study in studies)})
    labels = [(study.study_id, label, value) for study in studies for label, value in study.labels.items()]
    statements.execute_many(_INSERT_LABEL, labels, small=True)


def _cells(study: Study) -> Row:
    labels = json.dumps(dict(study.labels))
    source = study.labels_by, 1 if study.positives_only else None, study.sex, study.age, study.report_language
    return study.study_id, study.subject_id, study.study_date, study.split, labels, study.report, *source


def _write_documents(statements: Statements, documents: Sequence[_Document]) -> None:
    if not documents:
        return
    delete_postings(statements, [document.study_id for document in documents])
    postings = [
        (term, document.study_id, occurrences)
        for document in documents
        for term, occurrences in Counter(term[:MAX_TERM_LENGTH] for term in document.terms or ()).items()
    ]
    statements.execute_many(_INSERT_POSTING, postings, small=True)
    lengths = [
        (None if document.terms is None else len(document.terms), document.digest, document.study_id)
        for document in documents
    ]
    statements.execute_many(_SET_DOCUMENT, lengths)
