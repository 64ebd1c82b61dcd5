"""Legs alone and joined: what the pixels, the words and the labels each bring to the search."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.evaluate.metrics import Measured, sampled, skipped
from mcp_cxr.evaluate.truth import SEALED

if TYPE_CHECKING:
    from mcp_cxr.evaluate.metrics._ranking import Counts, Floats
    from mcp_cxr.evaluate.truth import Listing, Sealed
    from mcp_cxr.records import Mode

    Asked = dict[str, list[list[Listing]]]
    """What each way brings: for each label, for each of its prompts."""

PROTOCOL, TITLE = "legs", "Legs alone and joined, by label"
LABELLER = (
    "Labels that a program read from these reports favour words: that compares with the labeller, not with the film."
)


async def legs(copy: Sealed, labels: list[str], labelled: Sealed | None) -> Measured:
    """Ask for each label by each of its prompts, with one leg and with all.

    Args:
        copy: Does not know the labels.
        labels: What is asked for.
        labelled: Knows the archive's labels; only where they do not leak the truth.
    """
    alone: dict[str, Mode] = {"vector": "vector"} if copy.ground.embedder.embeds_text else {}
    if copy.reports:
        alone |= {"words": "words"}
    if not alone:
        return skipped(PROTOCOL, TITLE, "The embedder reads no text, and there is no report.")
    asked = {way: await _asked(copy, labels, mode) for way, mode in alone.items()}
    if len(alone) > 1:
        asked["vector and words"] = await _asked(copy, labels, "auto")
    if labelled:
        asked["all, with labels"] = await _asked(labelled, labels, "auto")
    return _measured(copy, labels, asked, singles=list(alone), leaks=labelled is None)


async def _asked(copy: Sealed, labels: list[str], mode: Mode) -> list[list[Listing]]:
    prompts = copy.ground.plan.prompts
    return [
        [(await copy.answers(prompt, mode=mode)).known(right) for prompt in prompts[label]]
        for label in labels
        for right in [copy.right(label)]
    ]


def _measured(copy: Sealed, labels: list[str], asked: Asked, *, singles: list[str], leaks: bool) -> Measured:
    ways = list(asked)
    best = max(range(len(singles)), key=lambda at: _precision(asked[singles[at]], None))

    def figures(counts: Counts | None) -> Floats:
        """Return P@10 of each way, then how far each joined way is above the best of those alone."""
        found = np.array([_precision(asked[way], counts) for way in ways])
        return np.concatenate((found, found[len(singles) :] - found[best]))

    names = [("P@10", way) for way in ways] + [("gain", f"{way} over {ways[best]}") for way in ways[len(singles) :]]
    chance = copy.share(labels)
    ends = copy.ground.bootstrap(copy.ground.gallery.subject_of).intervals(figures)
    prompts = sum(len(copy.ground.plan.prompts[label]) for label in labels)
    return Measured(
        PROTOCOL,
        TITLE,
        sampled(
            names,
            figures(None),
            ends,
            chance=[chance if name == "P@10" else None for name, _ in names],
            n=[prompts] * len(names),
        ),
        [SEALED] if leaks else [],
        [f"{prompts} prompts of {len(labels)} labels, asked of {len(copy.studies)} studies.", LABELLER],
    )


def _precision(by_label: list[list[Listing]], counts: Counts | None) -> float:
    return float(np.mean([np.mean([one.precision(counts) for one in listings]) for listings in by_label]))
