"""Runs the protocols, one after the other."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mcp_cxr.errors import ConfigError
from mcp_cxr.evaluate import protocols
from mcp_cxr.evaluate.inputs import NO_LABELS, EvaluationContext, held_out_copy, load_dataset
from mcp_cxr.evaluate.metrics import Evaluation, ProtocolResult, skipped_result

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.evaluate.inputs import EvaluationPlan, HeldOutCopy
    from mcp_cxr.records import Fingerprint
    from mcp_cxr.stores import Store


async def evaluate(
    store: Store,
    embedder: Embedder,
    plan: EvaluationPlan,
    *,
    version: str,
    check_fingerprint: Callable[[], Awaitable[Fingerprint]],
    on_progress: Callable[[str], None],
) -> Evaluation:
    """Measure how good the search of an archive is.

    Args:
        store: The archive; it is only read.
        embedder: Embeds the prompts and the reports.
        plan: Which protocols to run, and how.
        version: Version of mcp-cxr.
        check_fingerprint: Returns the embedder's fingerprint; raises if it differs from the archive's.
        on_progress: Called with a line of text at each step.

    Raises:
        ConfigError: There is nothing to measure.
        FingerprintMismatch: The archive's vectors were made by another embedder.
        EmbeddingError: The embedder is needed and fails.
        StoreError: The store fails or does not exist.
    """
    started = time.perf_counter()
    fingerprint = (await store.info()).fingerprint
    on_progress("Reading the archive ...")
    dataset = await load_dataset(
        store, split=plan.split, labels_of=plan.truth.labels_of if plan.truth else lambda stored: stored.study.labels
    )
    if fingerprint is None or not dataset.image_ids:
        raise ConfigError("The archive has no images to measure with; ingest some, or name another split.")
    context = EvaluationContext(store, embedder, check_fingerprint, dataset, plan)
    results: list[ProtocolResult] = []
    for name in plan.protocols:
        if name in _ON_VECTORS:
            on_progress(f"Measuring {name} ...")
            results.append(await _ON_VECTORS[name](context))
    results += await _on_search(context, [name for name in plan.protocols if name in _ON_SEARCH], on_progress)
    return Evaluation(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        version=version,
        model=fingerprint.model,
        dimension=fingerprint.dimension,
        preprocessing=fingerprint.preprocessing,
        service=fingerprint.service,
        images=len(dataset.image_ids),
        studies=len(dataset.study_ids),
        subjects=dataset.subjects,
        truth=_truth(plan),
        split=plan.split,
        seed=plan.seed,
        queries=plan.queries,
        resamples=plan.resamples,
        seconds=round(time.perf_counter() - started, 1),
        protocols=sorted(results, key=lambda result: plan.protocols.index(result.protocol)),
    )


def _truth(plan: EvaluationPlan) -> str:
    if plan.truth is None:
        return "labels of the archive"
    return f"{plan.truth.name}, {'read by people' if plan.independent else 'assumed to come from the reports'}"


async def _on_search(
    context: EvaluationContext, names: list[str], on_progress: Callable[[str], None]
) -> list[ProtocolResult]:
    """Run the protocols that search a copy of the archive."""
    if not names:
        return []
    on_progress("Copying studies, without their labels, into a temporary archive ...")
    if not context.dataset.labeled.any():
        return [skipped_result(name, "No study is labeled; see --truth.") for name in names]
    async with held_out_copy(context, labels=False) as copy:
        labels = context.labels(copy.studies)
        if not labels:
            return [skipped_result(name, NO_LABELS) for name in names]
        results: list[ProtocolResult] = []
        for name in names:
            on_progress(f"Measuring {name} ...")
            results.append(await _ON_SEARCH[name](copy, labels))
    return results


_ON_VECTORS: Mapping[str, Callable[[EvaluationContext], Awaitable[ProtocolResult]]] = {
    "labels": protocols.measure_labels,
    "reports": protocols.measure_reports,
    "similar": protocols.measure_similar,
    "index": protocols.measure_index,
    "integrity": protocols.measure_integrity,
}
"""The protocols that compare vectors."""
_ON_SEARCH: Mapping[str, Callable[[HeldOutCopy, list[str]], Awaitable[ProtocolResult]]] = {
    "negation": protocols.measure_negation,
    "rankings": protocols.measure_rankings,
    "feedback": protocols.measure_feedback,
}
"""The protocols that run the product's search on a copy of the archive, for each of some labels."""
