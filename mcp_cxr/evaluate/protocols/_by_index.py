"""The index against an exact scan: does the store bring what is nearest, and how fast?"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
from anyio import to_thread

from mcp_cxr.evaluate.metrics import Figure, Measured
from mcp_cxr.records import Filter

if TYPE_CHECKING:
    from mcp_cxr.evaluate.metrics._ranking import Counts, Floats
    from mcp_cxr.evaluate.truth import Ground
    from mcp_cxr.records import ImageId, Vectors

PROTOCOL, TITLE = "index", "Index against an exact scan"
K = 10
_QUESTIONS = 50
_TOLERANCE = 2e-6  # between two ways to add up 1,024 products in float32


async def by_index(ground: Ground) -> Measured:
    """Ask the store for the nearest ten, and look whether a scan of all vectors knows nearer ones."""
    rows = np.sort(ground.rng().permutation(len(ground.gallery.image_ids))[:_QUESTIONS])
    queries = np.array(ground.gallery.vectors[rows])
    kinds = f"{len(rows)} films"
    if ground.embedder.embeds_text:
        prompts = [prompts[0] for prompts in ground.plan.prompts.values()]
        queries = np.concatenate((queries, await ground.embedded(prompts)))
        kinds += f" and {len(prompts)} prompts"
    found, times_ms = await _asked(ground, queries)
    recall = await to_thread.run_sync(_recall, ground, queries, found)
    films = ground.gallery.subject_of[ground.gallery.study_of[rows]]
    texts = films.max(initial=0) + 1 + np.arange(len(queries) - len(rows))  # each one its own
    (low,), (high,) = ground.bootstrap(np.concatenate((films, texts))).intervals_of_means(recall[:, None])
    p50, p95 = map(float, np.percentile(times_ms, (50, 95)))
    return Measured(
        PROTOCOL,
        TITLE,
        [
            Figure(f"recall@{K}", "", float(recall.mean()), float(low), float(high), None, len(queries)),
            Figure("p50 ms", "", p50, None, None, None, len(queries), better="lower"),
            Figure("p95 ms", "", p95, None, None, None, len(queries), better="lower"),
        ],
        [],
        [f"{kinds}, one after the other, the {K} nearest images of each; an image that ties with the last is right."],
    )


async def _asked(ground: Ground, queries: Vectors) -> tuple[list[list[ImageId]], list[float]]:
    """Return what the store brings for each query, and how long it took."""
    where = Filter(split=ground.plan.split)
    await ground.store.nearest(queries[0], where, limit=K)  # what is read or built once is not an answer's time
    found: list[list[ImageId]] = []
    times_ms: list[float] = []
    for query in queries:
        started = time.perf_counter()
        hits = await ground.store.nearest(query, where, limit=K)
        times_ms.append(1000 * (time.perf_counter() - started))
        found.append([hit.image_id for hit in hits])
    return found, times_ms


def _recall(ground: Ground, queries: Vectors, found: list[list[ImageId]]) -> Floats:
    """Return for each query the share of what is nearest that the store has brought."""
    row_of = {image_id: row for row, image_id in enumerate(ground.gallery.image_ids)}
    depth = min(K, len(row_of))
    shares: list[float] = []
    for scores, ids in zip(ground.gallery.cosines(queries), found, strict=True):
        rows: Counts = np.array([row_of[image_id] for image_id in ids if image_id in row_of], np.int64)
        last = np.partition(scores, -depth)[-depth]
        shares.append(float((scores[rows] >= last - _TOLERANCE).sum()) / depth)
    return np.array(shares)
