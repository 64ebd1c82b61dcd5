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
from mcp_cxr.stores.iris.driver import MAX_IDS_PER_QUERY, to_int, to_list_cell, to_text
from mcp_cxr.stores.iris.tables._select import MAX_TERM_LENGTH

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from mcp_cxr.stores.iris.driver import Row, Statements

_LOCK_STUDIES = """
UPDATE {table}Studies SET UpdatedAt = CURRENT_TIMESTAMP WHERE StudyID %INLIST $LISTFROMSTRING(:studies, :separator)"""
_SELECT_STUDIES = """
SELECT StudyID, SubjectID, StudyDate, DataSplit, Labels, Report,
    {LabelsBy}, {PositivesOnly}, {Sex}, {Age}, {ReportLanguage}, DocHash FROM {table}Studies
WHERE StudyID %INLIST $LISTFROMSTRING(:ids, :separator)"""
_SELECT_IDS = "SELECT StudyID FROM {table}Studies WHERE StudyID %INLIST $LISTFROMSTRING(:ids, :separator)"
_SELECT_FIRST = "SELECT TOP :limit StudyID FROM {table}Studies ORDER BY StudyID"
_SELECT_NEXT = "SELECT TOP :limit StudyID FROM {table}Studies WHERE StudyID > :after ORDER BY StudyID"
_INSERT_EMPTY = "INSERT OR UPDATE INTO {table}Studies (StudyID, SubjectID) VALUES (?, ?)"
_UPSERT = """
INSERT OR UPDATE INTO {table}Studies (StudyID, SubjectID, StudyDate, DataSplit, Labels, Report, LabelsBy,
    PositivesOnly, Sex, Age, ReportLanguage, UpdatedAt)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, CURRENT_TIMESTAMP)"""
# Without row locks: who writes the labels and postings of a study has locked its row.
_DELETE_LABELS = "DELETE {nolock} FROM {table}Labels WHERE StudyID %INLIST $LISTFROMSTRING(:studies, :separator)"
_INSERT_LABEL = "INSERT {nolock} INTO {table}Labels (StudyID, LabelName, LabelValue) VALUES (?, ?, ?)"

_SELECT_OF_SUBJECT = "SELECT StudyID FROM {table}Studies WHERE SubjectID = :subject"
_SELECT_STUDY_OF_SUBJECT = "SELECT StudyID FROM {table}Studies WHERE StudyID = :study AND SubjectID = :subject"
_SELECT_WITH_IMAGES = "SELECT StudyID FROM {table} WHERE StudyID %INLIST $LISTFROMSTRING(:studies, :separator)"
_SELECT_EMPTY = """
SELECT s.StudyID FROM {table}Studies AS s LEFT JOIN {table} AS i ON i.StudyID = s.StudyID WHERE i.ImageID IS NULL"""
_DELETE_STUDIES = "DELETE FROM {table}Studies WHERE StudyID %INLIST $LISTFROMSTRING(:studies, :separator)"

_SELECT_IMAGES = """
SELECT i.StudyID, i.ViewPosition, i.Metadata FROM {table} AS i
WHERE i.StudyID %INLIST $LISTFROMSTRING(:ids, :separator) AND i.Metadata LIKE :own_row"""
_DELETE_POSTINGS = "DELETE {nolock} FROM {table}Terms WHERE StudyID %INLIST $LISTFROMSTRING(:studies, :separator)"
_INSERT_POSTING = "INSERT {nolock} INTO {table}Terms (Term, StudyID, Occurrences) VALUES (?, ?, ?)"
_SET_DOCUMENT = "UPDATE {table}Studies SET DocLength = ?, DocHash = ? WHERE StudyID = ?"

_MAX_ROWS = 900
"""Rows of one table that a transaction locks: after 1,000, IRIS locks the whole table, and other writers wait."""
_ROWS_IF_STORED = 3  # of a study that changes: it is locked, written, and gets its document
_TRY_NOLOCK = "DELETE {nolock} FROM {table}Terms WHERE StudyID = ''"  # none has this id


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


def try_nolock(statements: Statements) -> int:
    """Delete nothing, without row locks; return the positive SQLCODE of a refusal, or 0."""
    code = statements.try_execute(_TRY_NOLOCK)
    statements.connection.rollback()
    return code


def transactions(statements: Statements, rows: Mapping[str, int]) -> list[list[str]]:
    """Split studies so that a transaction for each part stays below the number of rows at which IRIS locks a table.

    If the user lacks %NOLOCK, labels and postings are locked too, hundreds for a study: each has its own transaction.

    Args:
        statements: The connection.
        rows: For each study, the most rows of one table that are locked for it, beside labels and postings.
    """
    least = 0 if statements.has_nolock else _MAX_ROWS
    parts: list[list[str]] = []
    total = 0
    for study_id, count in rows.items():
        total += max(count, least)
        if not parts or total > _MAX_ROWS:
            parts.append([])
            total = max(count, least)
        parts[-1].append(study_id)
    return parts


def put_studies(statements: Statements, studies: Sequence[Study]) -> int:
    """Merge studies into the stored ones, in transactions that are committed here; return how many changed."""
    given: dict[str, list[Study]] = defaultdict(list)
    for study in studies:
        given[study.study_id].append(study)
    stored = {study.study_id: study for study, _ in _select(statements, given)}
    rows: dict[str, int] = {
        study.study_id: _ROWS_IF_STORED if study.study_id in stored else 1 for study in merge_studies(stored, studies)
    }
    changed = 0
    for part in transactions(statements, rows):
        existing = [study_id for study_id in part if study_id in stored]
        changed += _put_studies(statements, [study for study_id in part for study in given[study_id]], existing)
        statements.connection.commit()
    return changed


def _put_studies(statements: Statements, studies: Sequence[Study], existing: Sequence[str]) -> int:
    """Merge studies, those in `existing` with what is stored once their rows are locked; return how many changed."""
    lock(statements, existing)
    before = {study.study_id: study for study, _ in _select(statements, existing)}
    new = merge_studies(before, studies)
    _write_studies(statements, new)
    # Another process may have put images of new studies meanwhile.
    reindex(
        statements,
        [study.study_id for study in new],
        new=[study.study_id for study in new if study.study_id not in before],
    )
    return len(new)


def _select(statements: Statements, study_ids: Iterable[str]) -> list[tuple[Study, str | None]]:
    """Return the studies that are stored, with the digest of their document."""
    rows = statements.fetch_by_ids(_SELECT_STUDIES, sorted(set(study_ids)))
    return [(to_study(row), to_text(row[-1])) for row in rows]


def stored_ids(statements: Statements, study_ids: Iterable[str]) -> set[str]:
    """Return the ids among `study_ids` of studies that are stored."""
    return {str(study_id) for (study_id,) in statements.fetch_by_ids(_SELECT_IDS, sorted(set(study_ids)))}


def lock(
    statements: Statements, study_ids: Collection[str], missing: Mapping[StudyId, SubjectId] | None = None
) -> None:
    """Lock these studies, their labels and their postings until the end of the transaction.

    Args:
        statements: The connection.
        study_ids: Of all.
        missing: Those that are not stored: they are inserted, empty.
    """
    statements.execute_many(_INSERT_EMPTY, list((missing or {}).items()), small=True)
    if stored := set(study_ids) - set(missing or ()):
        statements.execute(_LOCK_STUDIES, {"studies": to_list_cell(stored)})


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
        positives_only is not None and to_int(positives_only) == 1,
        sex,
        to_int(age) if age else None,
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


def reindex(statements: Statements, study_ids: Collection[str], *, new: Collection[str] = ()) -> int:
    """Bring the documents of these studies up to date with their reports, labels and images; return how many there are.

    Args:
        statements: The connection.
        study_ids: The caller has locked their rows.
        new: Those that have no document unless they have images.
    """
    if not study_ids:
        return 0
    images: dict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for study_id, view, metadata in statements.fetch_by_ids(_SELECT_IMAGES, sorted(study_ids)):
        images[str(study_id)].append((str(view), json.loads(metadata)["tags"]))
    changed: list[_Document] = []
    for study, stored_digest in _select(statements, set(study_ids) - (set(new) - images.keys())):
        study_images = images.get(study.study_id)
        terms = document_terms(study, study_images) if study_images else None
        current = _Document(study.study_id, terms, stored_digest)
        if current.digest != current.stored_digest:
            changed.append(current)
    _write_documents(statements, changed)
    return len(images)


def delete_postings(statements: Statements, study_ids: Iterable[str]) -> None:
    """Delete the postings of these studies."""
    statements.execute(_DELETE_POSTINGS, {"studies": to_list_cell(study_ids)})


def _write_studies(statements: Statements, studies: Sequence[Study]) -> None:
    """Write studies and their labels."""
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
    statements.execute_many(_SET_DOCUMENT, lengths, small=True)
