"""Report to study: the impression of each report is the query, and its own study the only relevant result."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from anyio import to_thread

from mcp_cxr.evaluate.inputs import report_query
from mcp_cxr.evaluate.metrics import (
    KnownItemRank,
    ProtocolResult,
    figures_with_intervals,
    measured_result,
    skipped_result,
)

if TYPE_CHECKING:
    from mcp_cxr.evaluate.inputs import EvaluationContext
    from mcp_cxr.evaluate.metrics import Floats, Integers
    from mcp_cxr.records import Vectors

_NAMES = ("recall@1", "recall@5", "recall@10", "recall@100", "MRR")
_REMOVED = ["everything but the vectors of images and of the report's text"]
_BATCH = 500


async def measure_reports(context: EvaluationContext) -> ProtocolResult:
    """Rank the studies with a report by the impressions of some of them."""
    if not context.embedder.embeds_text:
        return skipped_result("reports", f"The embedder {context.embedder.name} cannot embed text.")
    texts, studies = np.unique(context.dataset.text_of, return_index=True)
    studies = studies[texts >= 0]
    if len(studies) < 2:  # noqa: PLR2004 - there must be another one
        return skipped_result("reports", "Fewer than two studies have different reports.")
    drawn = context.rng().permutation(studies)[: context.plan.queries]
    queries = await _queries(context, drawn)
    vectors = await context.embed_texts(queries)
    long = sum(len(query.split()) > context.embedder.max_text_words for query in queries)
    return await to_thread.run_sync(_result, context, drawn, vectors, long)


async def _queries(context: EvaluationContext, studies: Integers) -> list[str]:
    """Return the query of each study."""
    dataset = context.dataset
    numbers, rows = np.unique(dataset.study_of, return_index=True)
    ids = dataset.ids(rows[np.searchsorted(numbers, studies)])
    found: list[str] = []
    for first in range(0, len(ids), _BATCH):
        stored = await context.store.get(ids[first : first + _BATCH])
        found += [report_query(image.study.english_report) for image in stored.values()]
    return found


def _result(context: EvaluationContext, drawn: Integers, vectors: Vectors, long: int) -> ProtocolResult:
    dataset = context.dataset
    with_text = np.flatnonzero(dataset.text_of >= 0)
    by_text = with_text[np.argsort(dataset.text_of[with_text], kind="stable")]
    texts, starts = np.unique(dataset.text_of[by_text], return_index=True)
    ranks: list[KnownItemRank] = []
    for study, scores in zip(drawn, dataset.study_scores(vectors), strict=True):
        best = np.maximum.reduceat(scores[by_text], starts)
        own = best[np.searchsorted(texts, dataset.text_of[study])]
        ranks.append(KnownItemRank(int((best > own).sum()), int((best == own).sum()) - 1))
    values = np.stack([_figures(rank) for rank in ranks])
    ends = context.bootstrap(dataset.subject_of[drawn]).mean_intervals(values)
    return measured_result(
        "reports",
        figures_with_intervals(
            [(name, "") for name in _NAMES],
            values.mean(axis=0),
            ends,
            chance=_figures(KnownItemRank(0, len(texts) - 1)).tolist(),
            n=[len(drawn)] * len(_NAMES),
            counted="reports",
        ),
        _REMOVED,
        _notes(len(drawn), len(texts), len(with_text), long),
    )


def _figures(rank: KnownItemRank) -> Floats:
    return np.array([*(rank.recall(k) for k in (1, 5, 10, 100)), rank.reciprocal_rank()], np.float64)


def _notes(queries: int, texts: int, studies: int, long: int) -> list[str]:
    notes = [
        f"{queries} texts among {texts}; {studies - texts} studies repeat another's text and count as one with it."
    ]
    if long:
        notes.append(f"{long} {'text is' if long == 1 else 'texts are'} longer than the model reads.")
    return notes
