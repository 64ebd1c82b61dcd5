"""Finds dates, ages and sexes of a subject that cannot be right, or not together."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

from mcp_cxr.research.data_check._result import CheckEntry, CheckList, cut

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mcp_cxr.research.data_check._facts import ArchiveFacts, StudyFacts

_FIRST_RADIOGRAPH = dt.date(1895, 11, 8)
_OLDEST_PATIENT = 120
_AGES_CUT_FROM = 85
"""Some tables give one number for all ages from here on: such ages are not compared with dates."""
_YEARS_OF_TOLERANCE = 1
"""Ages are rounded, and tables take them from another day of the year."""
_SHIFTED_SHARE = 0.5
"""If more of the dates lie after today, they were shifted to hide the true ones, and today says nothing about them."""
_DAYS_PER_YEAR = 365.25
_PRECISION = 3  # digits of a score


def list_dates(facts: ArchiveFacts, *, today: dt.date, most: int) -> CheckList:
    """Return the subjects whose dates, ages or sexes cannot be right.

    Args:
        facts: Of the archive.
        today: A study after it lies in the future.
        most: Entries to return.
    """
    recorded = [study for study in facts.studies if study.date or study.age is not None or study.sex]
    if not recorded:
        return CheckList("dates", not_made="No study has a date, an age or a sex.")
    dated = [day for study in recorded if (day := _day(study)) is not None]
    shifted = sum(day > today for day in dated) > _SHIFTED_SHARE * max(1, len(dated))
    by_subject: dict[int, list[StudyFacts]] = defaultdict(list)
    for study in recorded:
        by_subject[study.subject].append(study)
    entries: list[CheckEntry] = []
    for studies in by_subject.values():
        entries += _of_one_study(facts, studies, None if shifted else today)
        entries += _of_several(facts, studies)
    notes = ["Most dates lie after today: they were shifted, and are not compared with today."] if shifted else []
    if not dated:
        notes.append("No study has a date: ages and sexes alone were compared.")
    return CheckList("dates", cut(entries, most), len(entries), notes=tuple(notes))


def _of_one_study(facts: ArchiveFacts, studies: Sequence[StudyFacts], today: dt.date | None) -> Iterator[CheckEntry]:
    """Yield what cannot be right whatever else is known of the subject."""
    for study in studies:
        day = _day(study)
        if study.date and day is None:
            yield _entry(facts, [study], "date", f"The study date {study.date} is no date.", 3)
        elif day and day < _FIRST_RADIOGRAPH:
            yield _entry(facts, [study], "date", f"The study date {day} lies before the first radiograph, of 1895.", 3)
        elif day and today and day > today:
            yield _entry(facts, [study], "date", f"The study date {day} lies in the future.", 3)
        if study.age is not None and not 0 <= study.age <= _OLDEST_PATIENT:
            yield _entry(facts, [study], "age", f"An age of {study.age} years is not possible.", 3)


def _of_several(facts: ArchiveFacts, studies: Sequence[StudyFacts]) -> Iterator[CheckEntry]:
    """Yield what does not go together in studies of one subject."""
    first = {study.sex: study for study in reversed(studies) if study.sex}
    if len(first) > 1:
        both = [first[sex] for sex in sorted(first, key=str)]
        yield _entry(facts, both, "sex", "Studies of one patient have different sexes: perhaps two patients.", 2)
    dated = [(day, study) for study in studies if (day := _day(study)) and study.age is not None]
    dated.sort(key=lambda pair: (pair[0], pair[1].time or "", pair[1].study_id))
    for (day, study), (later_day, later) in pairwise(dated):
        ages = (study.age or 0, later.age or 0)
        if max(ages) >= _AGES_CUT_FROM:
            continue
        years = (later_day - day).days / _DAYS_PER_YEAR
        off = abs(ages[1] - ages[0] - years) - 1 - _YEARS_OF_TOLERANCE
        if off > 0:
            reason = (
                f"Ages {ages[0]} and {ages[1]} do not fit the dates {day} and {later_day}, {years:.1f} years apart."
            )
            yield _entry(facts, [study, later], "age", reason, 1 + off / (1 + off))


def _entry(facts: ArchiveFacts, studies: Sequence[StudyFacts], kind: str, reason: str, score: float) -> CheckEntry:
    return CheckEntry(
        key="|".join(["dates", kind, *(study.study_id for study in studies)]),
        images=tuple(map(facts.shown_image_of, studies)),
        studies=tuple(study.study_id for study in studies),
        subjects=(facts.subject_of_study(studies[0]),),
        reason=reason,
        score=round(score, _PRECISION),
    )


def _day(study: StudyFacts) -> dt.date | None:
    try:
        return dt.date.fromisoformat(study.date) if study.date else None
    except ValueError:
        return None
