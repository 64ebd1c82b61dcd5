"""Merges new facts about studies with the stored ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_cxr.records import Study

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mcp_cxr.records import StudyId


def merge_studies(before: Mapping[StudyId, Study], given: Sequence[Study]) -> list[Study]:
    """Return the studies that change, each once, as they are to be stored.

    Args:
        before: The stored ones among `given`.
        given: In order; a later one of the same study overrides an earlier one.
    """
    after = dict(before)
    for study in given:
        after[study.study_id] = _merged(after.get(study.study_id, study), study)
    return [study for study_id, study in after.items() if study != before.get(study_id)]


def _merged(old: Study, new: Study) -> Study:
    """Return `old` with every field that `new` fills; what is empty in both is None."""
    return Study(
        old.study_id,
        new.subject_id or old.subject_id,
        study_date=new.study_date or old.study_date or None,
        split=new.split or old.split or None,
        labels=dict(new.labels or old.labels),
        report=new.report or old.report or None,
    )
