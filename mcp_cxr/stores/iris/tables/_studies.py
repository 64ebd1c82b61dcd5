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
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from mcp_cxr.stores.iris.driver import Row, Statements

_LOCK_STUDIES = """
UPDATE {table}Studies SET UpdatedAt = CURRENT_TIMESTAMP WHERE StudyID %INLIST $LISTFROMSTRING(:studies, :separator)"""
_SELECT_STUDIES = """
SELECT StudyID, SubjectID, StudyDate, DataSplit, Labels, Report,
    {LabelsBy}, {PositivesOnly}, {Sex}, {Age}, {ReportLanguage}, DocHash FROM {table}Studies
WHERE StudyID %INLIST $LISTFROMSTRING(:studies, :separator)"""
_SELECT_FIRST = "SELECT TOP :limit StudyID FROM {table}Studies ORDER BY StudyID"
_SELECT_NEXT = "SELECT TOP :limit StudyID FROM {table}Studies WHERE StudyID > :after ORDER BY StudyID"
_SELECT_SIZES = """
SELECT StudyID, CHAR_LENGTH(Report) AS ReportLength, CHAR_LENGTH(Labels) AS LabelsLength, DocLength FROM {table}Studies
WHERE StudyID %INLIST $LISTFROMSTRING(:ids, :separator)"""
_INSERT_EMPTY = "INSERT OR UPDATE INTO {table}Studies (StudyID, SubjectID) VALUES (?, ?)"
_UPSERT = """
INSERT OR UPDATE INTO {table}Studies (StudyID, SubjectID, StudyDate, DataSplit, Labels, Report, LabelsBy,
    PositivesOnly, Sex, Age, ReportLanguage, UpdatedAt)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, CURRENT_TIMESTAMP)"""
_DELETE_LABELS = "DELETE FROM {table}Labels WHERE StudyID %INLIST $LISTFROMSTRING(:studies, :separator)"
_INSERT_LABEL = "INSERT INTO {table}Labels (StudyID, LabelName, LabelValue) VALUES (?, ?, ?)"

_SELECT_OF_SUBJECT = "SELECT StudyID FROM {table}Studies WHERE SubjectID = :subject"
_SELECT_STUDY_OF_SUBJECT = "SELECT StudyID FROM {table}Studies WHERE StudyID = :study AND SubjectID = :subject"
_SELECT_WITH_IMAGES = "SELECT StudyID FROM {table} WHERE StudyID %INLIST $LISTFROMSTRING(:studies, :separator)"
_SELECT_EMPTY = """
SELECT s.StudyID FROM {table}Studies AS s LEFT JOIN {table} AS i ON i.StudyID = s.StudyID WHERE i.ImageID IS NULL"""
_DELETE_STUDIES = "DELETE FROM {table}Studies WHERE StudyID %INLIST $LISTFROMSTRING(:studies, :separator)"

_SELECT_IMAGES = """
SELECT i.StudyID, i.ViewPosition, i.Metadata FROM {table} AS i
WHERE i.StudyID %INLIST $LISTFROMSTRING(:studies, :separator) AND i.Metadata LIKE :own_row"""
_DELETE_POSTINGS = "DELETE FROM {table}Terms WHERE StudyID %INLIST $LISTFROMSTRING(:studies, :separator)"
_INSERT_POSTING = "INSERT INTO {table}Terms (Term, StudyID, Occurrences) VALUES (?, ?, ?)"
_SET_DOCUMENT = "UPDATE {table}Studies SET DocLength = ?, DocHash = ? WHERE StudyID = ?"

_MAX_ROWS = 900
"""Rows of one table in a transaction: after 1,000, IRIS locks the whole table, and other writers wait or fail."""
_ROWS_OF_A_STUDY = 3  # its own row, which is locked, written, and gets its document
_CHARACTERS_FOR_A_TERM = 5  # of a report; short ones have more terms, hence:
_TERMS_OF_A_SHORT_REPORT = 10
_CHARACTERS_OF_A_LABEL = 8  # at least, in the cell of all labels


@dataclass(frozen=True, slots=True)
class _Document:
    study_id: str
    terms: list[str] | None
    """None: the study has no image, or only external ones."""
    stored_digest: str | None

    @property
    def digest(self) -> str | None:
        terms = self.terms
        return None if terms is None else "d" + blake2b(" ".join(terms).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class StudySize:
    """How many rows of the side tables a stored study has, about."""

    report_length: int = 0
    labels: int = 0
    terms: int = 0
    """0: it has no document."""
    has_document: bool = False

    def new_terms(self, report_length: int = 0) -> int:
        """Return about how many terms its next document has, with a new report of this length or the stored one."""
        length = report_length or self.report_length
        return self.labels + (length // _CHARACTERS_FOR_A_TERM + _TERMS_OF_A_SHORT_REPORT if length else 0)


def sizes(statements: Statements, study_ids: Iterable[str]) -> dict[str, StudySize]:
    """Return the sizes of the studies that are stored."""
    return {
        str(study_id): StudySize(
            int(report or 0), int(labels or 0) // _CHARACTERS_OF_A_LABEL, int(terms or 0), terms is not None
        )
        for study_id, report, labels, terms in statements.fetch_by_ids(_SELECT_SIZES, sorted(set(study_ids)))
    }


def transactions(rows: Mapping[str, int]) -> list[list[str]]:
    """Split studies so that a transaction for each part stays below the number of rows at which IRIS locks a table.

    Args:
        rows: For each study, the most rows of one table that are written for it.
    """
    parts: list[list[str]] = []
    total = 0
    for study_id, count in rows.items():
        total += max(count, _ROWS_OF_A_STUDY)
        if not parts or total > _MAX_ROWS:
            parts.append([])
            total = max(count, _ROWS_OF_A_STUDY)
        parts[-1].append(study_id)
    return parts


def put_studies(statements: Statements, studies: Sequence[Study]) -> int:
    """Merge studies into the stored ones, in transactions that are committed here; return how many changed."""
    given: dict[str, list[Study]] = defaultdict(list)
    for study in studies:
        given[study.study_id].append(study)
    stored = sizes(statements, given)
    rows = {study_id: _rows(stored.get(study_id, StudySize()), same) for study_id, same in given.items()}
    changed = 0
    for part in transactions(rows):
        changed += _put_studies(statements, [study for study_id in part for study in given[study_id]])
        statements.connection.commit()
    return changed


def _rows(size: StudySize, studies: Sequence[Study]) -> int:
    """Return the most rows of one table that are written for these forms of one study: the old ones are deleted."""
    labels = size.labels + max(len(study.labels) for study in studies)
    terms = size.terms + size.new_terms(max(len(study.report or "") for study in studies)) + labels
    return max(labels, terms if size.has_document else 0)


def _put_studies(statements: Statements, studies: Sequence[Study]) -> int:
    ids = to_list_cell(study.study_id for study in studies)
    statements.execute(_LOCK_STUDIES, {"studies": ids})
    before = {study.study_id: study for study in map(to_study, statements.fetch_all(_SELECT_STUDIES, {"studies": ids}))}
    new = merge_studies(before, studies)
    _write_studies(statements, new, [study_id for study_id, study in before.items() if study.labels])
    reindex(statements, [study.study_id for study in new])
    return len(new)


def lock(statements: Statements, study_ids: Iterable[str]) -> None:
    """Lock these studies and their postings until the end of the transaction."""
    statements.execute(_LOCK_STUDIES, {"studies": to_list_cell(study_ids)})


def insert_empty(statements: Statements, subject_of: Mapping[StudyId, SubjectId]) -> None:
    """Insert studies, empty."""
    statements.execute_many(_INSERT_EMPTY, list(subject_of.items()))


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
    folded = {study_id.upper() for study_id in used}  # the original program's columns ignore case
    if gone := {study_id for study_id in study_ids if study_id.upper() not in folded}:
        delete_postings(statements, gone)
        statements.execute(_DELETE_LABELS, {"studies": to_list_cell(gone)})
        statements.execute(_DELETE_STUDIES, {"studies": to_list_cell(gone)})
    reindex(statements, set(study_ids) - gone)


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
        terms = document_terms(study, study_images) if study_images else None
        current = _Document(study.study_id, terms, stored_digest=to_text(row[-1]))
        if current.digest != current.stored_digest:
            changed.append(current)
    _write_documents(statements, changed)
    return len(images)


def delete_postings(statements: Statements, study_ids: Iterable[str]) -> None:
    """Delete the postings of these studies."""
    statements.execute(_DELETE_POSTINGS, {"studies": to_list_cell(study_ids)})


def _write_studies(statements: Statements, studies: Sequence[Study], labelled: Collection[str]) -> None:
    """Write studies and their labels; those in `labelled` have some already."""
    if not studies:
        return
    statements.execute_many(_UPSERT, [_cells(study) for study in studies])
    if replaced := {study.study_id for study in studies} & set(labelled):
        statements.execute(_DELETE_LABELS, {"studies": to_list_cell(replaced)})
    labels = [(study.study_id, label, value) for study in studies for label, value in study.labels.items()]
    statements.execute_many(_INSERT_LABEL, labels, small=True)


def _cells(study: Study) -> Row:
    labels = json.dumps(dict(study.labels))
    source = study.labels_by, 1 if study.positives_only else None, study.sex, study.age, study.report_language
    return study.study_id, study.subject_id, study.study_date, study.split, labels, study.report, *source


def _write_documents(statements: Statements, documents: Sequence[_Document]) -> None:
    if not documents:
        return
    if replaced := [document.study_id for document in documents if document.stored_digest is not None]:
        delete_postings(statements, replaced)
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
