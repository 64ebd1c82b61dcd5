"""The rankings of the search: by vector, by words, both fused, and both with labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.evaluate.metrics import ProtocolResult, figures_with_intervals, skipped_result
from mcp_cxr.evaluate.truth import REMOVED_LABELS

if TYPE_CHECKING:
    from mcp_cxr.evaluate.metrics import Floats, Integers
    from mcp_cxr.evaluate.truth import HeldOutCopy, JudgedRanking
    from mcp_cxr.records import Mode

PROTOCOL, TITLE = "rankings", "Rankings alone and fused, by label"
LABELER_NOTE = (
    "Labels that a program read from these reports favor words: that compares with the labeler, not with the image."
)


async def measure_rankings(copy: HeldOutCopy, labels: list[str], labeled: HeldOutCopy | None) -> ProtocolResult:
    """Search for each label with each of its prompts, by each ranking alone and by all fused.

    Args:
        copy: A copy without labels.
        labels: The labels to measure.
        labeled: A copy with the archive's labels; None if they would leak the truth.
    """
    modes: dict[str, Mode] = {"vector": "vector"} if copy.context.embedder.embeds_text else {}
    if copy.reports:
        modes |= {"words": "words"}
    if not modes:
        return skipped_result(PROTOCOL, TITLE, "The embedder reads no text, and there is no report.")
    found = {name: await _search(copy, labels, mode) for name, mode in modes.items()}
    if len(modes) > 1:
        found["vector and words"] = await _search(copy, labels, "auto")
    if labeled:
        found["all, with labels"] = await _search(labeled, labels, "auto")
    return _result(copy, labels, found, singles=len(modes), removed=[] if labeled else [REMOVED_LABELS])


async def _search(copy: HeldOutCopy, labels: list[str], mode: Mode) -> list[list[JudgedRanking]]:
    """Return the judged results of each prompt of each label."""
    prompts = copy.context.plan.prompts
    return [
        [(await copy.search(prompt, mode=mode)).judged(relevance) for prompt in prompts[label]]
        for label in labels
        for relevance in [copy.relevance(label)]
    ]


def _result(
    copy: HeldOutCopy,
    labels: list[str],
    found: dict[str, list[list[JudgedRanking]]],
    *,
    singles: int,
    removed: list[str],
) -> ProtocolResult:
    names = list(found)
    best = max(range(singles), key=lambda at: _precision(found[names[at]], None))

    def figures(counts: Integers | None) -> Floats:
        """Return P@10 of each ranking, then the gain of each fused one over the best single one."""
        precisions = np.array([_precision(one, counts) for one in found.values()])
        return np.concatenate((precisions, precisions[singles:] - precisions[best]))

    fused = names[singles:]
    prompts = sum(len(copy.context.plan.prompts[label]) for label in labels)
    return ProtocolResult(
        PROTOCOL,
        TITLE,
        figures_with_intervals(
            [*(("P@10", name) for name in names), *(("gain", f"{name} over {names[best]}") for name in fused)],
            figures(None),
            copy.context.bootstrap(copy.context.dataset.subject_of).intervals(figures),
            chance=[copy.prevalence(labels)] * len(names) + [None] * len(fused),
            n=[prompts] * (len(names) + len(fused)),
        ),
        removed,
        [f"{prompts} prompts of {len(labels)} labels; {len(copy.studies)} studies are searched.", LABELER_NOTE],
    )


def _precision(by_label: list[list[JudgedRanking]], counts: Integers | None) -> float:
    return float(np.mean([np.mean([one.precision(counts) for one in rankings]) for rankings in by_label]))
