"""Report to its study: each text asks for the film it was written of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from anyio import to_thread

from mcp_cxr.embeddings import likely_truncated
from mcp_cxr.evaluate.metrics import Measured, Place, sampled, skipped
from mcp_cxr.evaluate.truth import asked_of

if TYPE_CHECKING:
    from mcp_cxr.evaluate.metrics._ranking import Counts, Floats
    from mcp_cxr.evaluate.truth import Ground
    from mcp_cxr.records import Vectors

PROTOCOL, TITLE = "reports", "Report to its study"
_NAMES = ("recall@1", "recall@5", "recall@10", "recall@100", "MRR")
_REMOVED = ["reports, labels and their words: only vectors of pixels and of the report's text are compared"]
_AT_ONCE = 500


async def by_report(ground: Ground) -> Measured:
    """Ask with the impressions of some studies for these studies, among all that have a report."""
    if not ground.embedder.embeds_text:
        return skipped(PROTOCOL, TITLE, f"The embedder {ground.embedder.name} reads no text.")
    gallery = ground.gallery
    texts, studies = np.unique(gallery.text_of, return_index=True)
    studies = studies[texts >= 0]
    if len(studies) < 2:  # noqa: PLR2004 - nothing to tell apart
        return skipped(PROTOCOL, TITLE, "Fewer than two studies have reports that differ.")
    drawn = ground.rng().permutation(studies)[: ground.plan.queries]
    asked = await _texts(ground, drawn)
    vectors = await ground.embedded(asked)
    long = sum(map(likely_truncated, asked))
    return await to_thread.run_sync(_measured, ground, drawn, vectors, long)


async def _texts(ground: Ground, studies: Counts) -> list[str]:
    """Return what is asked for each study."""
    gallery = ground.gallery
    numbers, rows = np.unique(gallery.study_of, return_index=True)
    ids = gallery.ids(rows[np.searchsorted(numbers, studies)])
    found: list[str] = []
    for first in range(0, len(ids), _AT_ONCE):
        stored = await ground.store.get(ids[first : first + _AT_ONCE])
        found += [asked_of(one.study.report) for one in stored.values()]
    return found


def _measured(ground: Ground, drawn: Counts, vectors: Vectors, long: int) -> Measured:
    gallery = ground.gallery
    with_text = np.flatnonzero(gallery.text_of >= 0)
    by_text = with_text[np.argsort(gallery.text_of[with_text], kind="stable")]
    texts, starts = np.unique(gallery.text_of[by_text], return_index=True)
    places: list[Place] = []
    for study, scores in zip(drawn, gallery.scored(vectors), strict=True):
        best = np.maximum.reduceat(scores[by_text], starts)
        own = best[np.searchsorted(texts, gallery.text_of[study])]
        places.append(Place(int((best > own).sum()), int((best == own).sum()) - 1))
    values = np.stack([_of(place) for place in places])
    chances = _of(Place(0, len(texts) - 1))
    ends = ground.bootstrap(gallery.subject_of[drawn]).intervals_of_means(values)
    names = [(name, "") for name in _NAMES]
    return Measured(
        PROTOCOL,
        TITLE,
        sampled(names, values.mean(axis=0), ends, chance=chances.tolist(), n=[len(drawn)] * len(names)),
        _REMOVED,
        _notes(len(drawn), len(texts), len(with_text), long),
    )


def _of(place: Place) -> Floats:
    return np.array([*(place.recall(k) for k in (1, 5, 10, 100)), place.reciprocal_rank()], np.float64)


def _notes(asked: int, texts: int, studies: int, long: int) -> list[str]:
    notes = [f"{asked} texts among {texts}; {studies - texts} studies repeat another's text and count as one with it."]
    if long:
        notes.append(f"{long} texts are longer than the model reads.")
    return notes
