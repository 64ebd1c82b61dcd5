"""Text to image, by label: the studies that have a label, asked for by its prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from anyio import to_thread

from mcp_cxr.evaluate.metrics import Counted, Measured, Ranking, sampled, skipped, with_means

if TYPE_CHECKING:
    from mcp_cxr.evaluate.metrics._ranking import Counts, Floats
    from mcp_cxr.evaluate.truth import Ground
    from mcp_cxr.records import Vectors

PROTOCOL, TITLE = "labels", "Text to image, by label"
_NAMES = ("P@1", "P@5", "P@10", "mAP", "nDCG@10")
_OF_EACH_LABEL = ("P@10", "mAP")
_REMOVED = ["reports, labels and their words: only vectors of pixels and of the prompts are compared"]


async def by_label(ground: Ground) -> Measured:
    """Rank all studies by each label's prompts."""
    if not ground.embedder.embeds_text:
        return skipped(PROTOCOL, TITLE, f"The embedder {ground.embedder.name} reads no text.")
    labels = ground.labels()
    if not labels:
        return skipped(PROTOCOL, TITLE, "No label is there ten times, and missing elsewhere; see --truth.")
    prompts = await class_vectors(ground, labels)
    return await to_thread.run_sync(_measured, ground, labels, prompts)


async def class_vectors(ground: Ground, labels: list[str]) -> Vectors:
    """Return each label's vector: the mean of its prompts (Radford et al., CLIP, ICML 2021, 3.1.4)."""
    prompts = ground.plan.prompts
    vectors = await ground.embedded([prompt for label in labels for prompt in prompts[label]])
    ends = np.cumsum([len(prompts[label]) for label in labels])
    means = np.stack([part.mean(axis=0) for part in np.split(vectors, ends[:-1])])
    return means / np.linalg.norm(means, axis=1, keepdims=True)


def _measured(ground: Ground, labels: list[str], prompts: Vectors) -> Measured:
    gallery = ground.gallery
    known = [gallery.label(label) for label in labels]
    rankings = [
        Ranking(scores[studies], has) for scores, (studies, has) in zip(gallery.scored(prompts), known, strict=True)
    ]

    def figures(counts: Counts | None) -> Floats:
        drawn = (None if counts is None else counts[studies] for studies, _ in known)
        return with_means(np.stack([_of(one.counted(each)) for one, each in zip(rankings, drawn, strict=True)]))

    chances = with_means(np.stack([_of(ranking.chance()) for ranking in rankings]))
    ends = ground.bootstrap(gallery.subject_of).intervals(figures)
    counts = [len(labels), *(int(has.sum()) for _, has in known)]
    shown = [
        (row * len(_NAMES) + column, row, (name.removeprefix("m") if of else name, of))
        for row, of in enumerate(["", *labels])
        for column, name in enumerate(_NAMES)
        if not of or name in _OF_EACH_LABEL
    ]
    at = [place for place, _, _ in shown]
    return Measured(
        PROTOCOL,
        TITLE,
        sampled(
            [named for _, _, named in shown],
            figures(None)[at],
            ends[:, at],
            chance=chances[at].tolist(),
            n=[counts[row] for _, row, _ in shown],
        ),
        _REMOVED,
        _notes(ground, labels),
    )


def _of(counted: Counted) -> Floats:
    return np.array(
        [*(counted.precision(k) for k in (1, 5, 10)), counted.average_precision(), counted.ndcg(10)], np.float64
    )


def _notes(ground: Ground, labels: list[str]) -> list[str]:
    rare = [label for label in ground.plan.prompts if label not in labels]
    notes = [f"Each figure is the mean of {len(labels)} labels; uncertain and unlabelled studies are left out."]
    if rare:
        notes.append(f"Not asked for, with fewer than ten studies: {', '.join(rare)}.")
    return notes
