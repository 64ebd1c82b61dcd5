"""Studies: what is new of them is merged into what is stored."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from mcp_cxr.records import Study, StudyId, SubjectId
from mcp_cxr.stores.embedded._documents import reindex

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
    after = dict(before)
    for study in studies:
        after[study.study_id] = _merged(after.get(study.study_id), study)
    changed = [study for study_id, study in after.items() if study != before.get(study_id)]
    for study in changed:
        _write(connection, study)
    reindex(connection, [study.study_id for study in changed])
    return len(changed)


def _merged(old: Study | None, new: Study) -> Study:
    """Return `old` with every field that `new` fills."""
    if old is None:
        return replace(new, labels=dict(new.labels), report=new.report or None)
    return Study(
        old.study_id,
        new.subject_id or old.subject_id,
        study_date=new.study_date or old.study_date,
        split=new.split or old.split,
        labels=dict(new.labels or old.labels),
        report=new.report or old.report,
    )


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
