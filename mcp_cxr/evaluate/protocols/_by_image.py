"""Image to image, by label: films of other patients that have what the example has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from anyio import to_thread

from mcp_cxr.evaluate.metrics import Measured, Ranking, sampled, skipped, unordered, with_means

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp_cxr.evaluate.metrics._ranking import Counts, Floats, Mask
    from mcp_cxr.evaluate.truth import Gallery, Ground
    from mcp_cxr.records import Vector

PROTOCOL, TITLE = "similar", "Image to image, by label, among other patients"
_DEPTHS = (1, 5, 10)
_HELD = 100
"""Answers kept for the resamples, in which some come often and others not at all."""
_REMOVED = [
    "all films of the example's patient: vectors tell patients apart",
    "reports, labels and their words: only vectors of pixels are compared",
]


async def by_image(ground: Ground) -> Measured:
    """Rank the studies of other patients by each of some films."""
    labels = ground.labels()
    if not labels:
        return skipped(PROTOCOL, TITLE, "No label is there ten times, and missing elsewhere; see --truth.")
    if ground.gallery.subjects < 2:  # noqa: PLR2004 - there must be another one
        return skipped(PROTOCOL, TITLE, "All films are of one patient.")
    return await to_thread.run_sync(_measured, ground, labels)


def _measured(ground: Ground, labels: list[str]) -> Measured:
    gallery = ground.gallery
    known = [gallery.label(label) for label in labels]
    rows = _examples(ground, known)
    asked, rng = _Asked(len(labels), gallery.study_of[rows], len(gallery.study_ids)), ground.rng()
    for number, scores in enumerate(gallery.scored(gallery.vectors[rows])):
        _ask(asked, number, gallery, scores, known, rng)
    ends = ground.bootstrap(gallery.subject_of).intervals(asked.resampled())
    shown = [
        (row * len(_DEPTHS) + column, row, (f"P@{k}", of))
        for row, of in enumerate(["", *labels])
        for column, k in enumerate(_DEPTHS)
        if not of or k == _DEPTHS[-1]
    ]
    at = [place for place, _, _ in shown]
    counts = [len(rows), *np.bincount(asked.labels, minlength=len(labels)).tolist()]
    return Measured(
        PROTOCOL,
        TITLE,
        sampled(
            [named for _, _, named in shown],
            asked.means(np.array(asked.values))[at],
            ends[:, at],
            chance=asked.means(np.array(asked.chances))[at].tolist(),
            n=[counts[row] for _, row, _ in shown],
        ),
        _REMOVED,
        ["An answer is right for a label when it has it too; each figure is the mean of the labels' means."],
    )


def _examples(ground: Ground, known: list[tuple[Counts, Mask]]) -> Counts:
    """Return the rows of some films, one a study, that have any of the labels."""
    gallery, rng = ground.gallery, ground.rng()
    asked = np.unique(np.concatenate([studies[has] for studies, has in known]))
    shuffled = rng.permutation(len(gallery.image_ids))
    studies, first = np.unique(gallery.study_of[shuffled], return_index=True)
    rows = shuffled[first][np.isin(studies, asked)]
    return np.sort(rng.permutation(rows)[: ground.plan.queries])


class _Asked:
    """What each film brings for each label it has.

    Args:
        labels: How many labels there are.
        studies: Each film's study.
        of_all: How many studies the gallery has.
    """

    def __init__(self, labels: int, studies: Counts, of_all: int) -> None:
        self.studies = studies
        self.labels: list[int] = []
        self.values: list[list[float]] = []
        """P@k at each depth, for each question."""
        self.chances: list[list[float]] = []
        self._of_labels = labels
        self._nobody = of_all
        self._films: list[int] = []
        self._answers: list[Counts] = []
        self._right: list[Mask] = []

    def add(self, film: int, label: int, answers: Counts, right: Mask) -> None:
        """Keep the first answers of a question, for the resamples."""
        self._films.append(film)
        self.labels.append(label)
        self._answers.append(np.pad(answers, (0, _HELD - len(answers)), constant_values=self._nobody))
        self._right.append(np.pad(right, (0, _HELD - len(right))))

    def means(self, values: Floats, weights: Counts | None = None) -> Floats:
        """Return the mean over labels of each depth, then each label's."""
        total = np.bincount(self.labels, weights, self._of_labels)
        weighted = values if weights is None else values * weights[:, None]
        sums = [np.bincount(self.labels, column, self._of_labels) for column in weighted.T]
        by_label = np.divide(sums, total, out=np.full((len(_DEPTHS), self._of_labels), np.nan), where=total > 0)
        return with_means(by_label.T)

    def resampled(self) -> Callable[[Counts], Floats]:
        """Return what computes all figures from how often each study counts, as an example and as an answer."""
        answers, right = np.stack(self._answers), np.stack(self._right)
        examples = self.studies[self._films]

        def figures(counts: Counts) -> Floats:
            drawn = np.append(counts, 0)[answers]
            before = np.cumsum(drawn, axis=1) - drawn
            found = [(np.clip(k - before, 0, drawn) * right).sum(axis=1) / k for k in _DEPTHS]
            return self.means(np.stack(found, axis=1), counts[examples])

        return figures


def _ask(
    asked: _Asked,
    film: int,
    gallery: Gallery,
    scores: Vector,
    known: list[tuple[Counts, Mask]],
    rng: np.random.Generator,
) -> None:
    """Rank other patients' studies by one film, for each label it has."""
    study = asked.studies[film]
    others = gallery.subject_of != gallery.subject_of[study]
    for label, (studies, has) in enumerate(known):
        if not has[studies == study].any():
            continue
        there = others[studies]
        answers, right = studies[there], has[there]
        near = scores[answers]
        chance = unordered(right)
        top = near >= _last_of(near, _HELD)
        counted = Ranking(near[top], right[top]).counted()
        asked.values.append([counted.precision(k) for k in _DEPTHS])
        asked.chances.append([chance.precision(k) for k in _DEPTHS])
        order = np.lexsort((rng.random(int(top.sum())), -near[top]))[:_HELD]  # those that tie in no order of ours
        asked.add(film, label, answers[top][order], right[top][order])


def _last_of(scores: Vector, k: int) -> float:
    """Return the score of the k-th; all that tie with it are looked at."""
    return float(np.partition(scores, -k)[-k]) if len(scores) > k else -np.inf
