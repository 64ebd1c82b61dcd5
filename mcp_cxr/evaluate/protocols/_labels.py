"""Text to image, by label: the prompts of each label rank all studies by their vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from anyio import to_thread

from mcp_cxr.evaluate.inputs import NO_LABELS
from mcp_cxr.evaluate.metrics import (
    ProtocolResult,
    Ranking,
    TieGroups,
    figures_by_label,
    mean_then_rows,
    measured_result,
    skipped_result,
)

if TYPE_CHECKING:
    from mcp_cxr.evaluate.inputs import EvaluationContext
    from mcp_cxr.evaluate.metrics import Floats, Integers
    from mcp_cxr.records import Vectors

_NAMES = ("P@1", "P@5", "P@10", "mAP", "nDCG@10")
_REMOVED = ["everything but the vectors of images and prompts"]


async def measure_labels(context: EvaluationContext) -> ProtocolResult:
    """Rank all studies by each label's prompts."""
    if not context.embedder.embeds_text:
        return skipped_result("labels", f"The embedder {context.embedder.name} cannot embed text.")
    labels = context.labels()
    if not labels:
        return skipped_result("labels", NO_LABELS)
    vectors = await label_vectors(context, labels)
    return await to_thread.run_sync(_result, context, labels, vectors)


async def label_vectors(context: EvaluationContext, labels: list[str]) -> Vectors:
    """Return each label's vector: the mean of its prompts (Radford et al., CLIP, ICML 2021, 3.1.4)."""
    prompts = context.plan.prompts
    vectors = await context.embed_texts([prompt for label in labels for prompt in prompts[label]])
    ends = np.cumsum([len(prompts[label]) for label in labels])
    means = np.stack([part.mean(axis=0) for part in np.split(vectors, ends[:-1])])
    return means / np.linalg.norm(means, axis=1, keepdims=True)


def _result(context: EvaluationContext, labels: list[str], vectors: Vectors) -> ProtocolResult:
    dataset = context.dataset
    truth = [dataset.label_truth(label) for label in labels]
    rankings = [
        Ranking(scores[studies], has)
        for scores, (studies, has) in zip(dataset.study_scores(vectors), truth, strict=True)
    ]

    def figures(counts: Integers | None) -> Floats:
        weights = (None if counts is None else counts[studies] for studies, _ in truth)
        return mean_then_rows(
            np.stack([_figures(ranking.groups(each)) for ranking, each in zip(rankings, weights, strict=True)])
        )

    return measured_result(
        "labels",
        figures_by_label(
            _NAMES,
            labels,
            per_label=("P@10", "mAP"),
            values=figures(None),
            ends=context.bootstrap(dataset.subject_of).intervals(figures),
            chance=mean_then_rows(np.stack([_figures(ranking.chance()) for ranking in rankings])),
            n=[len(labels), *(int(has.sum()) for _, has in truth)],
            counted=("labels", "studies with it"),
        ),
        _REMOVED,
        [f"The first figures are means of {len(labels)} labels; uncertain and unlabeled studies are left out."],
        left_out=context.labels_left_out(),
    )


def _figures(ranking: TieGroups) -> Floats:
    return np.array(
        [*(ranking.precision(k) for k in (1, 5, 10)), ranking.average_precision(), ranking.ndcg(10)], np.float64
    )
