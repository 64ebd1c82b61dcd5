"""The store's nearest images compared with an exact scan: their recall, and how long they take."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
from anyio import to_thread

from mcp_cxr.evaluate.inputs import TOP_K
from mcp_cxr.evaluate.metrics import Figure, ProtocolResult, measured_result
from mcp_cxr.records import Filter

if TYPE_CHECKING:
    from mcp_cxr.evaluate.inputs import EvaluationContext
    from mcp_cxr.evaluate.metrics import Floats, Integers
    from mcp_cxr.records import ImageId, Vectors

_IMAGE_QUERIES = 50
_TOLERANCE = 2e-6  # between two orders of summing 1,024 products in float32


async def measure_nearest_recall(context: EvaluationContext) -> ProtocolResult:
    """Query the store for the ten nearest images, and compare them with a scan of all vectors."""
    rows = np.sort(context.rng().permutation(len(context.dataset.image_ids))[:_IMAGE_QUERIES])
    queries = np.array(context.dataset.vectors[rows])
    kinds = f"{len(rows)} images"
    if context.embedder.embeds_text:
        prompts = [prompts[0] for prompts in context.plan.prompts.values()]
        queries = np.concatenate((queries, await context.embed_texts(prompts)))
        kinds += f" and {len(prompts)} prompts"
    found, times_ms = await _nearest(context, queries)
    recall = await to_thread.run_sync(_recall, context, queries, found)
    of_images = context.dataset.subject_of[context.dataset.study_of[rows]]
    of_prompts = of_images.max(initial=0) + 1 + np.arange(len(queries) - len(rows))  # each resampled on its own
    (low,), (high,) = context.bootstrap(np.concatenate((of_images, of_prompts))).mean_intervals(recall[:, None])
    p50, p95 = map(float, np.percentile(times_ms, (50, 95)))
    return measured_result(
        "index",
        [
            Figure(
                f"recall@{TOP_K}",
                "",
                float(recall.mean()),
                float(low),
                float(high),
                None,
                len(queries),
                counted="queries",
            ),
            Figure("p50 ms", "", p50, None, None, None, len(queries), "lower", "queries"),
            Figure("p95 ms", "", p95, None, None, None, len(queries), "lower", "queries"),
        ],
        [],
        [f"{kinds}, one after the other, the {TOP_K} nearest images of each; ties with the last one count as found."],
    )


async def _nearest(context: EvaluationContext, queries: Vectors) -> tuple[list[list[ImageId]], list[float]]:
    """Return the store's nearest images for each query, and the time each query took in ms."""
    where = Filter(split=context.plan.split)
    await context.store.nearest(queries[0], where, limit=TOP_K)  # what is loaded once is not part of a query's time
    found: list[list[ImageId]] = []
    times_ms: list[float] = []
    for query in queries:
        started = time.perf_counter()
        hits = await context.store.nearest(query, where, limit=TOP_K)
        times_ms.append(1000 * (time.perf_counter() - started))
        found.append([hit.image_id for hit in hits])
    return found, times_ms


def _recall(context: EvaluationContext, queries: Vectors, found: list[list[ImageId]]) -> Floats:
    """Return for each query the share of the exact nearest images that the store found."""
    row_of = {image_id: row for row, image_id in enumerate(context.dataset.image_ids)}
    depth = min(TOP_K, len(row_of))
    shares: list[float] = []
    for scores, ids in zip(context.dataset.image_scores(queries), found, strict=True):
        rows: Integers = np.array([row_of[image_id] for image_id in ids if image_id in row_of], np.int64)
        last = np.partition(scores, -depth)[-depth]
        shares.append(float((scores[rows] >= last - _TOLERANCE).sum()) / depth)
    return np.array(shares)
