"""Measures each ranking of the search: by vector, by words, both fused, and both with labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.evaluate.inputs import held_out_copy
from mcp_cxr.evaluate.metrics import ProtocolResult, figures_with_intervals, measured_result, skipped_result

if TYPE_CHECKING:
    from mcp_cxr.evaluate.inputs import HeldOutCopy, JudgedRanking
    from mcp_cxr.evaluate.metrics import Floats, Integers
    from mcp_cxr.records import Mode

LABELER_NOTE = (
    "If the true labels were extracted from these reports, word search has an advantage: the figures then measure"
    " agreement with the label extractor, not with the images."
)


def labeler_notes(copy: HeldOutCopy) -> list[str]:
    """Return the warning about labels that come from reports; none if people read them from the images."""
    return [] if copy.context.plan.independent or not copy.reports else [LABELER_NOTE]


async def measure_rankings(copy: HeldOutCopy, labels: list[str]) -> ProtocolResult:
    """Search for each label with each of its prompts, by each ranking alone and by all fused.

    If people read the truth from the images, the archive's own labels are searched too: they do not leak it.
    """
    modes: dict[str, Mode] = {"vector": "vector"} if copy.context.embedder.embeds_text else {}
    if copy.reports:
        modes |= {"words": "words"}
    if not modes:
        return skipped_result("rankings", "The embedder cannot embed text, and there is no report.")
    found = {name: await _search(copy, labels, mode) for name, mode in modes.items()}
    if len(modes) > 1:
        found["vector and words"] = await _search(copy, labels, "auto")
    context = copy.context
    if context.plan.independent and context.dataset.archive_labels == "other":
        async with held_out_copy(context, labels=True) as labeled:
            found["all, with labels"] = await _search(labeled, labels, "auto")
    return _result(copy, labels, found, singles=len(modes))


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
) -> ProtocolResult:
    names, plan = list(found), copy.context.plan
    best = max(range(singles), key=lambda at: _precision(found[names[at]], None))

    def figures(counts: Integers | None) -> Floats:
        """Return P@10 of each ranking, then the gain of each fused one over the best single one."""
        precisions = np.array([_precision(by_label, counts) for by_label in found.values()])
        return np.concatenate((precisions, precisions[singles:] - precisions[best]))

    fused = names[singles:]
    prompts = sum(len(plan.prompts[label]) for label in labels)
    notes = [
        f"{prompts} prompts of {len(labels)} labels; {len(copy.studies)} studies are searched.",
        *labeler_notes(copy),
    ]
    if plan.independent and copy.context.dataset.archive_labels == "same":
        notes.append("The truth equals the archive's own labels, so it is not independent: they were removed.")
    return measured_result(
        "rankings",
        figures_with_intervals(
            [*(("P@10", name) for name in names), *(("gain", f"{name} over {names[best]}") for name in fused)],
            figures(None),
            copy.context.bootstrap(copy.context.dataset.subject_of).intervals(figures),
            chance=[copy.prevalence(labels)] * len(names) + [None] * len(fused),
            n=[prompts] * (len(names) + len(fused)),
            counted="prompts",
        ),
        [] if "all, with labels" in found else copy.removed,
        notes,
        left_out=copy.labels_left_out(),
    )


def _precision(by_label: list[list[JudgedRanking]], counts: Integers | None) -> float:
    return float(np.mean([np.mean([ranking.precision(counts) for ranking in rankings]) for rankings in by_label]))
