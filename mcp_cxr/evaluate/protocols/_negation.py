"""Measures negation: how many of the first results of "no X" have X."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.evaluate.inputs import SearchRanking
from mcp_cxr.evaluate.metrics import (
    ProtocolResult,
    column_means,
    figures_with_intervals,
    measured_result,
    skipped_result,
)
from mcp_cxr.evaluate.protocols._rankings import labeler_notes

if TYPE_CHECKING:
    from mcp_cxr.evaluate.inputs import HeldOutCopy, JudgedRanking
    from mcp_cxr.evaluate.metrics import Floats, Integers

_NO_FINDING = "No Finding"
_DEPTH = 100


async def measure_negation(copy: HeldOutCopy, labels: list[str]) -> ProtocolResult:
    """Search for "no X" for each label X, and measure the share of the first ten results that have X.

    The ranking by the sentence's own vector is measured, too: what the model alone makes of "no".
    """
    denied = [label for label in labels if label != _NO_FINDING]
    if not denied:
        return skipped_result("negation", "No finding is labeled often enough.")
    sentences = [f"no {label.lower()}" for label in denied]
    relevances = [copy.relevance(label) for label in denied]
    found: dict[str, list[JudgedRanking]] = {}
    if copy.context.embedder.embeds_text:
        alone = await _by_model_alone(copy, sentences)
        found["model alone"] = [ranking.judged(relevance) for ranking, relevance in zip(alone, relevances, strict=True)]
    found["search"] = [
        (await copy.search(sentence)).judged(relevance)
        for sentence, relevance in zip(sentences, relevances, strict=True)
    ]

    def figures(counts: Integers | None) -> Floats:
        shares = [[ranking.relevant_share(counts) for ranking in rankings] for rankings in found.values()]
        return column_means(np.array(shares).T)

    ends = copy.context.bootstrap(copy.context.dataset.subject_of).intervals(figures)
    meaning = (
        f'swap rate: the share of the first ten results of "no X" that do have X, among {len(copy.studies)} studies, '
        f"of which {copy.reports} have a report."
    )
    return measured_result(
        "negation",
        figures_with_intervals(
            [("swap rate", name) for name in found],
            figures(None),
            ends,
            chance=[copy.prevalence(denied)] * len(found),
            n=[sum(ranking.relevant.size > 0 for ranking in rankings) for rankings in found.values()],
            counted="queries with results",
            better="lower",
        ),
        copy.removed,
        [meaning, *labeler_notes(copy)],
        left_out=copy.labels_left_out(),
    )


async def _by_model_alone(copy: HeldOutCopy, sentences: list[str]) -> list[SearchRanking]:
    """Return the first studies by the sentences' own vectors."""
    vectors = await copy.context.embed_texts(sentences)
    return [
        SearchRanking(copy.studies[np.argsort(-scores[copy.studies], kind="stable")[:_DEPTH]], ())
        for scores in copy.context.dataset.study_scores(vectors)
    ]
