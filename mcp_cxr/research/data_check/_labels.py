"""Compares labels with finding scores, each of a probe that saw no image of the patient."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.research.data_check._result import CheckEntry, CheckList, cut
from mcp_cxr.research.probes import MIN_POSITIVES, MIN_SUBJECTS, fit_linear_probes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mcp_cxr.research.data_check._facts import ArchiveFacts
    from mcp_cxr.research.probes import Examples

    Integers = NDArray[np.int64]
    Floats = NDArray[np.float64]

_LEAST = 1e-6  # probabilities nearer to 0 or 1 count as this near
_AGAINST = float(np.log(3))
"""Evidence from which on a label is listed: images like it are three times as frequent without, or with, the label."""
_NEEDED = f"each needs {MIN_POSITIVES} images of {MIN_SUBJECTS} patients that have it, and as many that do not"


def list_labels(facts: ArchiveFacts, examples: Examples, *, most: int) -> CheckList:
    """Return the labels of studies that their images speak against, most suspicious first.

    The evidence against a label is the logarithm of the factor by which the images change the odds of the label: it is
    near 0 for a label that images do not show, and such labels are not listed. The order is by the mean of evidence and
    log odds. If a share of values is inverted, the log odds find more of them; if values of other patients took their
    place, the evidence does. Of 600 and 200 wrong values of 12,000 (5 %), 182 and 110 were among the first 200 by the
    mean, 190 and 105 by log odds, 158 and 98 by evidence; 10 and 3 by chance.

    Args:
        facts: Of the archive.
        examples: Its vectors and labels, in the order of `facts`.
        most: Entries to return.
    """
    if not examples.labels:
        return CheckList("labels", not_made="The archive has no labels.")
    too_few = examples.too_few()
    columns = [column for column, label in enumerate(examples.labels) if label not in too_few]
    if not columns:
        return CheckList("labels", not_made=f"No label can be learned: {_NEEDED}.")
    truth = examples.truth[:, columns]
    scores = fit_linear_probes(examples.vectors, truth, examples.folds).scores(examples.vectors, examples.folds)
    entries: list[CheckEntry] = []
    total = 0
    for place, column in enumerate(columns):
        found, count = _of_label(facts, examples.labels[column], truth[:, place], scores[:, place], most)
        entries += found
        total += count
    return CheckList("labels", cut(entries, most), total, notes=_notes(facts, examples, list(too_few)))


def _of_label(
    facts: ArchiveFacts, label: str, truth: NDArray[np.int8], scores: NDArray[np.float32], most: int
) -> tuple[list[CheckEntry], int]:
    """Return the most suspicious studies of one label, and how many there are."""
    known = np.flatnonzero(truth >= 0)
    studies, place, images = np.unique(facts.study_of[known], return_inverse=True, return_counts=True)
    first = facts.shown_image[studies]
    logits = np.bincount(place, weights=_logit(scores[known])) / images
    has = truth[first] == 1
    shift = logits - _logit(np.array([has.mean()]))
    against = np.where(has, -shift, shift)
    suspicion = (against + np.where(has, -logits, logits)) / 2
    suspicious = np.flatnonzero(against >= _AGAINST)
    order = suspicious[np.lexsort((suspicious, -suspicion[suspicious]))][:most]
    share = float(has.mean())
    entries = [
        _entry(facts, label, int(first[row]), float(1 / (1 + np.exp(-logits[row]))), share, float(suspicion[row]))
        for row in order
    ]
    return entries, len(suspicious)


def _logit(chances: NDArray[np.floating]) -> Floats:
    within = np.clip(chances.astype(np.float64), _LEAST, 1 - _LEAST)
    return np.log(within / (1 - within))


def _entry(facts: ArchiveFacts, label: str, image: int, chance: float, share: float, suspicion: float) -> CheckEntry:
    study = facts.study_of_image(image)
    value = study.labels.get(label)
    labeled = "present" if value == 1 else "absent" if value == 0 else "not mentioned, which counts as absent"
    return CheckEntry(
        key=f"labels|{label}|{study.study_id}",
        images=(facts.image_ids[image],),
        studies=(study.study_id,),
        subjects=(facts.subject_of_study(study),),
        reason=f"{label} is labeled {labeled}; its score is {chance:.2f}, and {share:.0%} of studies have it.",
        score=round(suspicion, 3),
        suggestion=f"{label} {'absent' if value == 1 else 'present'}",
    )


def _notes(facts: ArchiveFacts, examples: Examples, skipped: list[str]) -> tuple[str, ...]:
    notes = ["Scores are from probes that saw no image of the patient. A score may be wrong, and the label right."]
    if examples.positives_only:
        notes.append("Some tables name only what is present: what they do not name counts as absent.")
    if skipped:
        notes.append(f"Not checked: {', '.join(skipped)}; {_NEEDED}.")
    programs = sorted({one.labels_by for one in facts.studies if one.labels and one.labels_by} - {"people"})
    if programs:
        notes.append(
            f"Labels were read from reports by {', '.join(programs)}: a report may not mention all that an image shows."
        )
    return tuple(notes)
