"""Compares the view positions of headers and tables with those that probes predict from the images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.research.data_check._result import CheckEntry, CheckList, ListName, cut
from mcp_cxr.research.probes import fit_linear_probes, fold_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from mcp_cxr.records import Vectors
    from mcp_cxr.research.data_check._facts import ArchiveFacts

    Floats = NDArray[np.float64]

_KINDS = ("PA", "AP", "LATERAL")
_FEWEST_IMAGES, _FEWEST_SUBJECTS = 20, 10
"""Of a view position, to be learned; views differ more than findings do, so fewer are enough than for a label."""
_SURE = 0.9
"""Share of the probability from which on another view is suspected, or a view suggested."""
VIEW_LISTS: tuple[ListName, ...] = ("views", "unknown_views")


def list_views(facts: ArchiveFacts, vectors: Vectors, *, most: int, most_unknown: int) -> list[CheckList]:
    """Return the images that look like another view than recorded, and those of unknown view with a suggestion.

    Args:
        facts: Of the archive.
        vectors: float32, shape (images, dimension), in the order of `facts`; may be on disk.
        most: Entries of the first list to return.
        most_unknown: Entries of the second.
    """
    views, subjects = np.array(facts.views), facts.subject_of
    kinds = [kind for kind in _KINDS if _is_enough(views == kind, subjects)]
    if len(kinds) < 2:  # noqa: PLR2004 - one alone says nothing
        reason = (
            f"Fewer than two view positions have {_FEWEST_IMAGES} images of {_FEWEST_SUBJECTS} patients: too few to"
            " learn from."
        )
        return [CheckList(name, not_made=reason) for name in VIEW_LISTS]
    is_known = np.isin(views, kinds)
    truth = np.where(is_known[:, None], views[:, None] == np.array(kinds), -1).astype(np.int8)
    folds = np.array([fold_of(subject) for subject in facts.subject_ids], np.int8)[subjects]
    scores = fit_linear_probes(vectors, truth, folds).scores(vectors, folds).astype(np.float64)
    chances = scores / np.maximum(scores.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return [
        _other_view(facts, kinds, truth, chances, most),
        _unknown_view(facts, kinds, np.flatnonzero(views == "UNKNOWN"), chances, most_unknown),
    ]


def _is_enough(has: NDArray[np.bool_], subjects: NDArray[np.int64]) -> bool:
    return int(has.sum()) >= _FEWEST_IMAGES and len(np.unique(subjects[has])) >= _FEWEST_SUBJECTS


def _other_view(
    facts: ArchiveFacts, kinds: Collection[str], truth: NDArray[np.int8], chances: Floats, most: int
) -> CheckList:
    best: list[int] = chances.argmax(axis=1).tolist()
    suspicious = (chances.max(axis=1) >= _SURE) & (truth[:, 0] >= 0) & (truth[np.arange(len(best)), best] == 0)
    names = list(kinds)
    entries = [
        _entry(
            facts,
            "views",
            image,
            names[best[image]],
            float(chances[image].max()),
        )
        for image in np.flatnonzero(suspicious).tolist()
    ]
    return CheckList("views", cut(entries, most), len(entries), notes=_notes(names))


def _unknown_view(
    facts: ArchiveFacts, kinds: Collection[str], unknown: NDArray[np.int64], chances: Floats, most: int
) -> CheckList:
    if not unknown.size:
        return CheckList("unknown_views", notes=("The view position of every image is known.",))
    names = list(kinds)
    best: list[int] = chances.argmax(axis=1).tolist()
    chance = chances.max(axis=1)
    entries = [
        _entry(facts, "unknown_views", image, names[best[image]], float(chance[image])) for image in map(int, unknown)
    ]
    unclear = int((chance[unknown] < _SURE).sum())
    notes = [
        *_notes(names),
        f"Of {len(unknown)} images, {unclear} have an uncertain suggestion: a score below {_SURE}.",
    ]
    return CheckList("unknown_views", cut(entries, most), len(entries), notes=tuple(notes))


def _notes(kinds: list[str]) -> tuple[str, ...]:
    return (f"Compared: {', '.join(kinds)}; left and right laterals count as one.",)


def _entry(facts: ArchiveFacts, name: ListName, image: int, view: str, chance: float) -> CheckEntry:
    recorded = facts.views[image]
    known = "Its view position is unknown; it" if recorded == "UNKNOWN" else f"It is recorded as {recorded}, and"
    study = facts.study_of_image(image)
    return CheckEntry(
        key=f"{name}|{facts.image_ids[image]}",
        images=(facts.image_ids[image],),
        studies=(study.study_id,),
        subjects=(facts.subject_of_study(study),),
        reason=f"{known} looks {'' if chance >= _SURE else 'most '}like {view}.",
        score=round(chance, 4),
        suggestion=view,
    )
