"""Studies: new facts are merged into those stored."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mcp_cxr.records import Study, StudyId, SubjectId
from mcp_cxr.stores._merge import merge_studies
from mcp_cxr.stores.iris.driver import to_list_cell, to_text
from mcp_cxr.stores.iris.tables._documents import delete_postings, reindex

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from mcp_cxr.stores.iris.driver import Row, Statements

_LOCK_STUDIES = """
UPDATE {table}Studies SET UpdatedAt = CURRENT_TIMESTAMP WHERE StudyID %INLIST $LISTFROMSTRING(:studies, :separator)"""
_SELECT_STUDIES = """
SELECT StudyID, SubjectID, StudyDate, DataSplit, Labels, Report FROM {table}Studies
WHERE StudyID %INLIST $LISTFROMSTRING(:studies, :separator)"""
_SELECT_KNOWN = "SELECT StudyID FROM {table}Studies WHERE StudyID %INLIST $LISTFROMSTRING(:studies, :separator)"
_INSERT_EMPTY = "INSERT OR UPDATE INTO {table}Studies (StudyID, SubjectID) VALUES (?, ?)"
_UPSERT = """
INSERT OR UPDATE INTO {table}Studies (StudyID, SubjectID, StudyDate, DataSplit, Labels, Report, UpdatedAt)
VALUES (?, ?, ?, ?, ?, ?, CURRENT_TIMESTAMP)"""
_DELETE_LABELS = "DELETE %NOLOCK FROM {table}Labels WHERE StudyID %INLIST $LISTFROMSTRING(:studies, :separator)"
_INSERT_LABEL = "INSERT %NOLOCK INTO {table}Labels (StudyID, LabelName, LabelValue) VALUES (?, ?, ?)"

_SELECT_OF_SUBJECT = "SELECT StudyID FROM {table}Studies WHERE SubjectID = :subject"
_SELECT_STUDY_OF_SUBJECT = "SELECT StudyID FROM {table}Studies WHERE StudyID = :study AND SubjectID = :subject"
_SELECT_WITH_IMAGES = "SELECT DISTINCT StudyID FROM {table} WHERE StudyID %INLIST $LISTFROMSTRING(:studies, :separator)"
_DELETE_STUDIES = "DELETE FROM {table}Studies WHERE StudyID %INLIST $LISTFROMSTRING(:studies, :separator)"


def put_studies(statements: Statements, studies: Sequence[Study]) -> int:
    """Merge studies into those stored; return how many changed."""
    if not studies:
        return 0
    ids = to_list_cell(study.study_id for study in studies)
    statements.execute(_LOCK_STUDIES, {"studies": ids})
    before = {study.study_id: study for study in map(to_study, statements.fetch_all(_SELECT_STUDIES, {"studies": ids}))}
    new = merge_studies(before, studies)
    _write(statements, new)
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
    rows = statements.fetch_all(
        _SELECT_STUDY_OF_SUBJECT if study_id else _SELECT_OF_SUBJECT, {"study": study_id, "subject": subject_id}
    )
    return {str(found) for (found,) in rows}


def delete_unused(statements: Statements, study_ids: Collection[str]) -> None:
    """Delete those of these studies that have no image left; update the documents of the others."""
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


def to_study(row: Row) -> Study:
    """Return a study from a row of id, subject, date, split, labels and report."""
    study_id, subject_id, study_date, split, labels, report = (to_text(cell) for cell in row)
    return Study(
        StudyId(study_id or ""), SubjectId(subject_id or ""), study_date, split, json.loads(labels or "{}"), report
    )


def _write(statements: Statements, studies: Sequence[Study]) -> None:
    if not studies:
        return
    statements.execute_many(_UPSERT, [_cells(study) for study in studies])
    statements.execute(_DELETE_LABELS, {"studies": to_list_cell(study.study_id for study in studies)})
    statements.execute_many(_INSERT_LABEL, list(_labels(studies)), small=True)


def _labels(studies: Iterable[Study]) -> Iterable[Row]:
    for study in studies:
        for label, value in study.labels.items():
            yield study.study_id, label, value


def _cells(study: Study) -> Row:
    labels = json.dumps(dict(study.labels))
    return study.study_id, study.subject_id, study.study_date, study.split, labels, study.report
