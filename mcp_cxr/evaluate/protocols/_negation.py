"""Negation: what comes first when a finding is denied."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.evaluate.metrics import Measured, means, sampled, skipped
from mcp_cxr.evaluate.protocols._rankings import LABELLER
from mcp_cxr.evaluate.truth import SEALED, Answers

if TYPE_CHECKING:
    from mcp_cxr.evaluate.metrics._ranking import Counts, Floats
    from mcp_cxr.evaluate.truth import Listing, Sealed

PROTOCOL, TITLE = "negation", 'Negation: what "no X" brings'
_NO_FINDING = "No Finding"
_DEPTH = 100


async def negation(copy: Sealed, labels: list[str]) -> Measured:
    """Deny each label, and count how often the first ten answers show it.

    The sentence's own vector is asked beside the search: what the model alone makes of "no".
    """
    denied = [label for label in labels if label != _NO_FINDING]
    if not denied:
        return skipped(PROTOCOL, TITLE, "No finding is labelled often enough.")
    sentences = [f"no {label.lower()}" for label in denied]
    rights = [copy.right(label) for label in denied]
    found: dict[str, list[Listing]] = {}
    if copy.ground.embedder.embeds_text:
        alone = await _by_model_alone(copy, sentences)
        found["model alone"] = [one.known(right) for one, right in zip(alone, rights, strict=True)]
    found["search"] = [
        (await copy.answers(sentence)).known(right) for sentence, right in zip(sentences, rights, strict=True)
    ]

    def figures(counts: Counts | None) -> Floats:
        shares = [[one.share(counts) for one in listings] for listings in found.values()]
        return means(np.array(shares).T)

    ends = copy.ground.bootstrap(copy.ground.gallery.subject_of).intervals(figures)
    return Measured(
        PROTOCOL,
        TITLE,
        sampled(
            [("swap rate", way) for way in found],
            figures(None),
            ends,
            chance=[copy.share(denied)] * len(found),
            n=[len(denied)] * len(found),
            better="lower",
        ),
        [SEALED],
        [_meaning(copy), LABELLER],
    )


async def _by_model_alone(copy: Sealed, sentences: list[str]) -> list[Answers]:
    """Return the first studies by the sentences' own vectors."""
    vectors = await copy.ground.embedded(sentences)
    scored = copy.ground.gallery.scored(vectors)
    return [Answers(copy.studies[np.argsort(-scores[copy.studies], kind="stable")[:_DEPTH]], ()) for scores in scored]


def _meaning(copy: Sealed) -> str:
    return (
        f"The share of the first ten that have the finding after all, asked of {len(copy.studies)} studies, of which "
        f"{copy.reports} have a report that can rule it out."
    )
