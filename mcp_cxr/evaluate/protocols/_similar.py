"""Image to image, by label: example images rank the studies of other patients, which should share their labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from anyio import to_thread

from mcp_cxr.evaluate.metrics import (
    ProtocolResult,
    Ranking,
    figures_by_label,
    mean_then_rows,
    random_ranking,
    skipped_result,
)
from mcp_cxr.evaluate.truth import NO_LABELS

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp_cxr.evaluate.metrics import Floats, Integers, Mask
    from mcp_cxr.evaluate.truth import Dataset, EvaluationContext
    from mcp_cxr.records import Vector

PROTOCOL, TITLE = "similar", "Image to image, by label, among other patients"
_DEPTHS = (1, 5, 10)
_KEPT = 100
"""Results kept of each query: in a resample, some occur several times and others not at all."""
_REMOVED = [
    "all images of the example's patient, whose vectors are alike",
    "reports, labels and their words: only vectors of images are compared",
]


async def measure_similar(context: EvaluationContext) -> ProtocolResult:
    """Rank the studies of other patients by each of some example images."""
    labels = context.labels()
    if not labels:
        return skipped_result(PROTOCOL, TITLE, NO_LABELS)
    if context.dataset.subjects < 2:  # noqa: PLR2004 - there must be another one
        return skipped_result(PROTOCOL, TITLE, "All images are of one patient.")
    return await to_thread.run_sync(_result, context, labels)


def _result(context: EvaluationContext, labels: list[str]) -> ProtocolResult:
    dataset = context.dataset
    truth = [dataset.label_truth(label) for label in labels]
    rows = _examples(context, truth)
    queries, rng = _Queries(len(labels), dataset.study_of[rows], len(dataset.study_ids)), context.rng()
    for number, scores in enumerate(dataset.study_scores(dataset.vectors[rows])):
        _add_queries(queries, number, dataset, scores, truth, rng)
    return ProtocolResult(
        PROTOCOL,
        TITLE,
        figures_by_label(
            [f"P@{k}" for k in _DEPTHS],
            labels,
            per_label=("P@10",),
            values=queries.means(np.array(queries.precisions)),
            ends=context.bootstrap(dataset.subject_of).intervals(queries.resampled()),
            chance=queries.means(np.array(queries.chances)),
            n=[len(rows), *np.bincount(queries.labels, minlength=len(labels)).tolist()],
        ),
        _REMOVED,
        ["A result is relevant for a label if it has it, too; each figure is the mean of the labels' means."],
    )


def _examples(context: EvaluationContext, truth: list[tuple[Integers, Mask]]) -> Integers:
    """Return the rows of randomly drawn images, one of each study, whose study has any of the labels."""
    dataset, rng = context.dataset, context.rng()
    with_label = np.unique(np.concatenate([studies[has] for studies, has in truth]))
    shuffled = rng.permutation(len(dataset.image_ids))
    studies, first = np.unique(dataset.study_of[shuffled], return_index=True)
    rows = shuffled[first][np.isin(studies, with_label)]
    return np.sort(rng.permutation(rows)[: context.plan.queries])


class _Queries:
    """The queries, one for each example image and label it has, with their first results.

    Args:
        labels: Number of labels.
        studies: Each example's study.
        study_count: Number of studies in the dataset.
    """

    def __init__(self, labels: int, studies: Integers, study_count: int) -> None:
        self.studies = studies
        self.labels: list[int] = []
        self.precisions: list[list[float]] = []
        """P@k at each depth, for each query."""
        self.chances: list[list[float]] = []
        self._label_count = labels
        self._padding = study_count
        self._examples: list[int] = []
        self._results: list[Integers] = []
        self._relevant: list[Mask] = []

    def add(self, example: int, label: int, results: Integers, relevant: Mask) -> None:
        """Keep the first results of a query, for the resamples."""
        self._examples.append(example)
        self.labels.append(label)
        self._results.append(np.pad(results, (0, _KEPT - len(results)), constant_values=self._padding))
        self._relevant.append(np.pad(relevant, (0, _KEPT - len(relevant))))

    def means(self, values: Floats, weights: Integers | None = None) -> Floats:
        """Return the mean over labels at each depth, then each label's."""
        total = np.bincount(self.labels, weights, self._label_count)
        weighted = values if weights is None else values * weights[:, None]
        sums = [np.bincount(self.labels, column, self._label_count) for column in weighted.T]
        by_label = np.divide(sums, total, out=np.full((len(_DEPTHS), self._label_count), np.nan), where=total > 0)
        return mean_then_rows(by_label.T)

    def resampled(self) -> Callable[[Integers], Floats]:
        """Return a function of how often each study counts, as example and as result, that gives all figures."""
        results, relevant = np.stack(self._results), np.stack(self._relevant)
        examples = self.studies[self._examples]

        def figures(counts: Integers) -> Floats:
            drawn = np.append(counts, 0)[results]
            before = np.cumsum(drawn, axis=1) - drawn
            found = [(np.clip(k - before, 0, drawn) * relevant).sum(axis=1) / k for k in _DEPTHS]
            return self.means(np.stack(found, axis=1), counts[examples])

        return figures


def _add_queries(
    queries: _Queries,
    example: int,
    dataset: Dataset,
    scores: Vector,
    truth: list[tuple[Integers, Mask]],
    rng: np.random.Generator,
) -> None:
    """Rank other patients' studies by one example image, for each label it has."""
    study = queries.studies[example]
    others = dataset.subject_of != dataset.subject_of[study]
    for label, (studies, has) in enumerate(truth):
        if not has[studies == study].any():
            continue
        of_others = others[studies]
        candidates, relevant = studies[of_others], has[of_others]
        near = scores[candidates]
        chance = random_ranking(relevant)
        top = near >= _kth_score(near, _KEPT)
        groups = Ranking(near[top], relevant[top]).groups()
        queries.precisions.append([groups.precision(k) for k in _DEPTHS])
        queries.chances.append([chance.precision(k) for k in _DEPTHS])
        order = np.lexsort((rng.random(int(top.sum())), -near[top]))[:_KEPT]  # ties in random order
        queries.add(example, label, candidates[top][order], relevant[top][order])


def _kth_score(scores: Vector, k: int) -> float:
    """Return the k-th best score, so that all scores tied with it can be kept."""
    return float(np.partition(scores, -k)[-k]) if len(scores) > k else -np.inf
