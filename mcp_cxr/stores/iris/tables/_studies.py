"""Studies: what is new of them is merged into what is stored."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mcp_cxr.records import Study, StudyId, SubjectId
from mcp_cxr.stores._merge import changed
from mcp_cxr.stores.iris.driver import several, to_text
from mcp_cxr.stores.iris.tables._documents import reindex, remove_postings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from mcp_cxr.stores.iris.driver import Row, Statements

_LOCK = """
UPDATE {table}Studies SET UpdatedAt = CURRENT_TIMESTAMP WHERE StudyID %INLIST $LISTFROMSTRING(:studies, :separator)"""
_STUDIES = """
SELECT StudyID, SubjectID, StudyDate, DataSplit, Labels, Report FROM {table}Studies
WHERE StudyID %INLIST $LISTFROMSTRING(:studies, :separator)"""
_KNOWN = "SELECT StudyID FROM {table}Studies WHERE StudyID %INLIST $LISTFROMSTRING(:studies, :separator)"
_MAKE = "INSERT OR UPDATE INTO {table}Studies (StudyID, SubjectID) VALUES (?, ?)"
_WRITE = """
INSERT OR UPDATE INTO {table}Studies (StudyID, SubjectID, StudyDate, DataSplit, Labels, Report, UpdatedAt)
VALUES (?, ?, ?, ?, ?, ?, CURRENT_TIMESTAMP)"""
_CLEAR_LABELS = "DELETE %NOLOCK FROM {table}Labels WHERE StudyID %INLIST $LISTFROMSTRING(:studies, :separator)"
_LABEL = "INSERT %NOLOCK INTO {table}Labels (StudyID, LabelName, LabelValue) VALUES (?, ?, ?)"

_NAMED = "SELECT StudyID FROM {table}Studies WHERE SubjectID = :subject"
_NAMED_BOTH = "SELECT StudyID FROM {table}Studies WHERE StudyID = :study AND SubjectID = :subject"
_USED = "SELECT DISTINCT StudyID FROM {table} WHERE StudyID %INLIST $LISTFROMSTRING(:studies, :separator)"
_FORGET = "DELETE FROM {table}Studies WHERE StudyID %INLIST $LISTFROMSTRING(:studies, :separator)"


def put_studies(session: Statements, studies: Sequence[Study]) -> int:
    """Merge studies into those stored; return how many changed."""
    if not studies:
        return 0
    ids = several(study.study_id for study in studies)
    session.run(_LOCK, {"studies": ids})
    before = {study.study_id: study for study in map(study_of, session.rows(_STUDIES, {"studies": ids}))}
    new = changed(before, studies)
    _write(session, new)
    reindex(session, [study.study_id for study in new])
    return len(new)


def lock(session: Statements, study_ids: Iterable[str]) -> None:
    """Keep others from changing these studies, and their postings, until the end of the transaction."""
    session.run(_LOCK, {"studies": several(study_ids)})


def make_missing(session: Statements, subject_of: dict[str, str]) -> None:
    """Make studies that are not there, empty."""
    known = {str(study_id) for (study_id,) in session.rows(_KNOWN, {"studies": several(subject_of)})}
    session.run_many(_MAKE, [row for row in subject_of.items() if row[0] not in known])


def named(session: Statements, study_id: str | None, subject_id: str | None) -> set[str]:
    """Return the studies that are named by study or subject, whether they have images or not."""
    if subject_id is None:
        return {study_id} if study_id else set()
    rows = session.rows(_NAMED_BOTH if study_id else _NAMED, {"study": study_id, "subject": subject_id})
    return {str(found) for (found,) in rows}


def forget_unused(session: Statements, study_ids: Collection[str]) -> None:
    """Remove those of these studies that have no image left; bring the documents of the others up to date."""
    if not study_ids:
        return
    lock(session, study_ids)
    used = {str(study_id) for (study_id,) in session.rows(_USED, {"studies": several(study_ids)})}
    if gone := set(study_ids) - used:
        remove_postings(session, gone)
        session.run(_CLEAR_LABELS, {"studies": several(gone)})
        session.run(_FORGET, {"studies": several(gone)})
    reindex(session, used)


def study_of(row: Row) -> Study:
    """Return a study from a row of id, subject, date, split, labels and report."""
    study_id, subject_id, study_date, split, labels, report = (to_text(cell) for cell in row)
    return Study(
        StudyId(study_id or ""), SubjectId(subject_id or ""), study_date, split, json.loads(labels or "{}"), report
    )


def _write(session: Statements, studies: Sequence[Study]) -> None:
    if not studies:
        return
    session.run_many(_WRITE, [_cells(study) for study in studies])
    session.run(_CLEAR_LABELS, {"studies": several(study.study_id for study in studies)})
    session.run_many(_LABEL, list(_labels(studies)), small=True)


def _labels(studies: Iterable[Study]) -> Iterable[Row]:
    for study in studies:
        for label, value in study.labels.items():
            yield study.study_id, label, value


def _cells(study: Study) -> Row:
    labels = json.dumps(dict(study.labels))
    return study.study_id, study.subject_id, study.study_date, study.split, labels, study.report
