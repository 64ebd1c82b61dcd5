"""Writes studies, merged with the stored ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mcp_cxr.records import Study, StudyId, SubjectId
from mcp_cxr.stores._merge import merge_studies
from mcp_cxr.stores.embedded.fulltext import reindex

if TYPE_CHECKING:
    from collections.abc import Sequence
    from sqlite3 import Connection

_STUDIES = """
SELECT study_id, subject_id, study_date, split,
    (SELECT json_group_object(label, value) FROM labels WHERE study = number), report
FROM studies WHERE study_id IN (SELECT value FROM json_each(?))"""
_WRITE = """
INSERT INTO studies (study_id, subject_id, study_date, split, report) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (study_id) DO UPDATE SET
    subject_id = excluded.subject_id, study_date = excluded.study_date, split = excluded.split, report = excluded.report
RETURNING number"""
_CLEAR_LABELS = "DELETE FROM labels WHERE study = ?"
_LABEL = "INSERT INTO labels (study, label, value) VALUES (?, ?, ?)"


def put_studies(connection: Connection, studies: Sequence[Study]) -> int:
    """Merge studies into those stored; return how many changed."""
    before = _read(connection, studies)
    new = merge_studies(before, studies)
    for study in new:
        _write(connection, study)
    reindex(connection, [study.study_id for study in new])
    return len(new)


def _read(connection: Connection, studies: Sequence[Study]) -> dict[StudyId, Study]:
    ids = json.dumps([study.study_id for study in studies])
    return {
        StudyId(study_id): Study(
            StudyId(study_id), SubjectId(subject_id), study_date, split, json.loads(labels), report
        )
        for study_id, subject_id, study_date, split, labels, report in connection.execute(_STUDIES, (ids,))
    }


def _write(connection: Connection, study: Study) -> None:
    row = (study.study_id, study.subject_id, study.study_date, study.split, study.report)
    (number,) = connection.execute(_WRITE, row).fetchone()
    connection.execute(_CLEAR_LABELS, (number,))
    connection.executemany(_LABEL, [(number, label, value) for label, value in study.labels.items()])
