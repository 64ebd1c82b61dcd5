"""Image to image, by label: example images rank the studies of other patients, which should share their labels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from anyio import to_thread

from mcp_cxr.evaluate.inputs import NO_LABELS
from mcp_cxr.evaluate.metrics import (
    ProtocolResult,
    Ranking,
    figures_by_label,
    mean_then_rows,
    measured_result,
    random_ranking,
    skipped_result,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mcp_cxr.evaluate.inputs import Dataset, EvaluationContext
    from mcp_cxr.evaluate.metrics import Floats, Integers, Mask
    from mcp_cxr.records import Vector

_DEPTHS = (1, 5, 10)
_MOST_RESULTS = 100
"""Results kept of each query: in a resample, some occur several times and others not at all."""
_REMOVED = [
    "all images of the example's patient, whose vectors are alike",
    "all data except the image vectors",
]


async def measure_similar(context: EvaluationContext) -> ProtocolResult:
    """Rank the studies of other patients by each of some example images."""
    labels = context.labels()
    if not labels:
        return skipped_result("similar", NO_LABELS)
    if context.dataset.subjects < 2:  # noqa: PLR2004 - there must be another one
        return skipped_result("similar", "All images are of one patient.")
    return await to_thread.run_sync(_result, context, labels)


def _result(context: EvaluationContext, labels: list[str]) -> ProtocolResult:
    dataset = context.dataset
    truth = [dataset.label_truth(label) for label in labels]
    rows = _examples(context, truth)
    rng = context.rng()
    queries = [
        query
        for study, scores in zip(dataset.study_of[rows], dataset.study_scores(dataset.vectors[rows]), strict=True)
        for query in _queries_of(study, scores, dataset, truth, rng)
    ]
    label_of = np.array([query.label for query in queries])
    means = partial(_means_by_label, label_of, len(labels))
    return measured_result(
        "similar",
        figures_by_label(
            [f"P@{k}" for k in _DEPTHS],
            labels,
            per_label=("P@10",),
            values=means(np.array([query.precisions for query in queries])),
            ends=context.bootstrap(dataset.subject_of).intervals(_resampled(queries, means)),
            chance=means(np.array([query.chances for query in queries])),
            n=[len(rows), *np.bincount(label_of, minlength=len(labels)).tolist()],
            counted=("images", "queries"),
        ),
        _REMOVED,
        ["A result is relevant if its study also has the label; figures are averaged per label, then over labels."],
        left_out=context.labels_left_out(),
    )


def _examples(context: EvaluationContext, truth: list[tuple[Integers, Mask]]) -> Integers:
    """Return the rows of randomly drawn images, one of each study, whose study has any of the labels."""
    dataset, rng = context.dataset, context.rng()
    with_label = np.unique(np.concatenate([studies[has] for studies, has in truth]))
    shuffled = rng.permutation(len(dataset.image_ids))
    studies, first = np.unique(dataset.study_of[shuffled], return_index=True)
    rows = shuffled[first][np.isin(studies, with_label)]
    return np.sort(rng.permutation(rows)[: context.plan.queries])


@dataclass(frozen=True, slots=True)
class _Query:
    """A query by an example image for one of its labels, with its first results."""

    study: int
    """The example's."""
    label: int
    precisions: list[float]
    """P@k at each depth."""
    chances: list[float]
    results: Integers
    """The first studies, for the resamples; padded with a number that no study has."""
    relevant: Mask


def _queries_of(
    study: int, scores: Vector, dataset: Dataset, truth: list[tuple[Integers, Mask]], rng: np.random.Generator
) -> Iterator[_Query]:
    """Rank other patients' studies by the example image of a study, and yield a query for each label it has."""
    others = dataset.subject_of != dataset.subject_of[study]
    for label, (studies, has) in enumerate(truth):
        if not has[studies == study].any():
            continue
        of_others = others[studies]
        candidates, relevant = studies[of_others], has[of_others]
        near = scores[candidates]
        top = near >= _kth_score(near, _MOST_RESULTS)
        groups, chance = Ranking(near[top], relevant[top]).groups(), random_ranking(relevant)
        order = np.lexsort((rng.random(int(top.sum())), -near[top]))[:_MOST_RESULTS]  # ties in random order
        missing = 0, _MOST_RESULTS - len(order)
        yield _Query(
            study,
            label,
            [groups.precision(k) for k in _DEPTHS],
            [chance.precision(k) for k in _DEPTHS],
            np.pad(candidates[top][order], missing, constant_values=len(dataset.study_ids)),
            np.pad(relevant[top][order], missing),
        )


def _means_by_label(label_of: Integers, labels: int, values: Floats, weights: Integers | None = None) -> Floats:
    """Return the mean over labels at each depth, then each label's."""
    total = np.bincount(label_of, weights, labels)
    weighted = values if weights is None else values * weights[:, None]
    sums = [np.bincount(label_of, column, labels) for column in weighted.T]
    by_label = np.divide(sums, total, out=np.full((len(_DEPTHS), labels), np.nan), where=total > 0)
    return mean_then_rows(by_label.T)


def _resampled(queries: Sequence[_Query], means: Callable[[Floats, Integers], Floats]) -> Callable[[Integers], Floats]:
    """Return a function of how often each study counts, as example and as result, that gives all figures."""
    results, relevant = np.stack([query.results for query in queries]), np.stack([query.relevant for query in queries])
    examples = np.array([query.study for query in queries])

    def figures(counts: Integers) -> Floats:
        drawn = np.append(counts, 0)[results]
        before = np.cumsum(drawn, axis=1) - drawn
        found = [(np.clip(k - before, 0, drawn) * relevant).sum(axis=1) / k for k in _DEPTHS]
        return means(np.stack(found, axis=1), counts[examples])

    return figures


def _kth_score(scores: Vector, k: int) -> float:
    """Return the k-th best score, so that all scores tied with it can be kept."""
    return float(np.partition(scores, -k)[-k]) if len(scores) > k else -np.inf
