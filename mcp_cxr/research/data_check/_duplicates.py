"""Lists near duplicates: first those in two splits, then of two patients, of two studies, within one study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.research.data_check._result import CheckEntry, CheckList
from mcp_cxr.research.vectors import near_duplicates

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mcp_cxr.records import Vector, Vectors
    from mcp_cxr.research.data_check._facts import ArchiveFacts

    Integers = NDArray[np.int64]

_OVER_SPLITS, _OVER_SUBJECTS, _OVER_STUDIES, _WITHIN_STUDY = 3, 2, 1, 0
_REASONS = {
    _OVER_SUBJECTS: "Two patients have nearly the same image: one may be stored under the wrong patient.",
    _OVER_STUDIES: "Two studies of one patient have nearly the same image: it may have been sent twice.",
    _WITHIN_STUDY: "A study has nearly the same image twice.",
}


def list_duplicates(facts: ArchiveFacts, vectors: Vectors, mean: Vector, *, least: float, most: int) -> CheckList:
    """Return pairs of near duplicates.

    Args:
        facts: Of the archive.
        vectors: float32, shape (images, dimension), unit length, in the order of `facts`; may be on disk.
        mean: float32, shape (dimension,): of the archive's images; cosines are measured from it.
        least: The embedder's `near_duplicate_cosine`.
        most: Entries to return.
    """
    pairs = near_duplicates(vectors, mean=mean, least=least)
    kinds = _kinds(facts, pairs.first, pairs.second)
    order = np.lexsort((pairs.second, pairs.first, -pairs.cosines, -kinds))[:most]
    entries = tuple(
        _entry(facts, int(pairs.first[row]), int(pairs.second[row]), int(kinds[row]), float(pairs.cosines[row]))
        for row in order
    )
    counts = [
        f"{int((kinds == kind).sum())} {where}"
        for kind, where in (
            (_OVER_SPLITS, "across two splits"),
            (_OVER_SUBJECTS, "of two patients"),
            (_OVER_STUDIES, "of two studies of a patient"),
            (_WITHIN_STUDY, "within a study"),
        )
        if (kinds == kind).any()
    ]
    notes = [f"Pairs: {', '.join(counts)}."] if counts else []
    if not any(study.split for study in facts.studies):
        notes.append("No study has a split: near duplicates across splits were not looked for.")
    return CheckList("duplicates", entries, pairs.total, notes=tuple(notes))


def _kinds(facts: ArchiveFacts, first: Integers, second: Integers) -> Integers:
    studies, subjects = facts.study_of, facts.subject_of
    splits = np.array([study.split or "" for study in facts.studies] or [""])
    one, other = splits[studies[first]], splits[studies[second]]
    is_over_splits = (one != other) & (one != "") & (other != "")
    kinds = np.where(studies[first] != studies[second], _OVER_STUDIES, _WITHIN_STUDY)
    kinds = np.where(subjects[first] != subjects[second], _OVER_SUBJECTS, kinds)
    return np.where(is_over_splits, _OVER_SPLITS, kinds)


def _entry(facts: ArchiveFacts, first: int, second: int, kind: int, cosine: float) -> CheckEntry:
    one, other = facts.study_of_image(first), facts.study_of_image(second)
    reason = _REASONS.get(kind) or (
        f"Nearly the same image is in {one.split} and in {other.split}, of "
        f"{'one patient' if one.subject == other.subject else 'two patients'}."
    )
    return CheckEntry(
        key=f"duplicates|{facts.image_ids[first]}|{facts.image_ids[second]}",
        images=(facts.image_ids[first], facts.image_ids[second]),
        studies=tuple(dict.fromkeys((one.study_id, other.study_id))),
        subjects=tuple(dict.fromkeys((facts.subject_of_study(one), facts.subject_of_study(other)))),
        reason=reason,
        score=round(kind + cosine, 5),
    )
