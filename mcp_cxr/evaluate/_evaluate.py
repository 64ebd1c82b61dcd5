"""Runs the protocols, one after the other."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mcp_cxr.errors import ConfigError
from mcp_cxr.evaluate import protocols
from mcp_cxr.evaluate.metrics import Evaluation, Figure, ProtocolResult, skipped_result
from mcp_cxr.evaluate.truth import NO_LABELS, EvaluationContext, held_out_copy, load_dataset

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.evaluate.truth import Dataset, EvaluationPlan, HeldOutCopy
    from mcp_cxr.records import Fingerprint, StoredImage
    from mcp_cxr.stores import Store

_SEARCH_PROTOCOLS = {
    "negation": protocols.NEGATION_TITLE,
    "rankings": protocols.RANKINGS_TITLE,
    "feedback": protocols.FEEDBACK_TITLE,
}
"""Titles of the protocols that run the product's search on a copy of the archive."""


async def evaluate(
    store: Store,
    embedder: Embedder,
    plan: EvaluationPlan,
    *,
    version: str,
    confirm: Callable[[], Awaitable[Fingerprint]],
    on_progress: Callable[[str], None],
) -> Evaluation:
    """Measure how good the search of an archive is.

    Args:
        store: The archive; it is only read.
        embedder: Embeds the prompts and the reports.
        plan: Which protocols to run, and how.
        version: Version of mcp-cxr.
        confirm: Returns the embedder's fingerprint; raises if it differs from the archive's.
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
    dataset = await load_dataset(store, split=plan.split, labels_of=_labels_of(plan))
    if fingerprint is None or not dataset.image_ids:
        raise ConfigError("The archive has no images to measure with; ingest some, or name another split.")
    context = EvaluationContext(store, embedder, confirm, dataset, plan)
    results: list[ProtocolResult] = []
    for name in plan.protocols:
        if name not in _SEARCH_PROTOCOLS:
            on_progress(f"Measuring {name} ...")
            results.append(await _on_vectors(context, name))
    results += await _on_search(context, [name for name in plan.protocols if name in _SEARCH_PROTOCOLS], on_progress)
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


def _labels_of(plan: EvaluationPlan) -> Callable[[StoredImage], Mapping[str, int]]:
    return plan.truth.labels_of if plan.truth else lambda stored: stored.study.labels


def _truth(plan: EvaluationPlan) -> str:
    if plan.truth is None:
        return "labels of the archive"
    return f"{plan.truth.name}, {'read by people' if plan.independent else 'taken to derive from the reports'}"


async def _on_vectors(context: EvaluationContext, name: str) -> ProtocolResult:
    """Run a protocol that compares vectors."""
    match name:
        case "labels":
            return await protocols.measure_labels(context)
        case "reports":
            return await protocols.measure_reports(context)
        case "similar":
            return await protocols.measure_similar(context)
        case "index":
            return await protocols.measure_index(context)
        case _:
            return _integrity(context.dataset)


async def _on_search(
    context: EvaluationContext, names: list[str], on_progress: Callable[[str], None]
) -> list[ProtocolResult]:
    """Run the protocols that search a copy of the archive."""
    if not names:
        return []
    async with AsyncExitStack() as copies:
        on_progress("Copying studies, without their labels, into a temporary archive ...")
        if not context.dataset.labeled.any():
            return [_skipped(name, "No study is labeled; see --truth.") for name in names]
        copy = await copies.enter_async_context(held_out_copy(context, labels=False))
        labels = context.labels(copy.studies)
        if not labels:
            return [_skipped(name, NO_LABELS) for name in names]
        labeled, warning = None, []
        if "rankings" in names and context.plan.independent:
            if context.dataset.repeats_archive_labels:
                warning = ["The truth equals the archive's own labels, so it is not independent: they were removed."]
            else:
                labeled = await copies.enter_async_context(held_out_copy(context, labels=True))
        results: list[ProtocolResult] = []
        for name in names:
            on_progress(f"Measuring {name} ...")
            results.append(await _on_copy(name, copy, labels, labeled))
    return [replace(one, notes=[*one.notes, *warning]) if one.protocol == "rankings" else one for one in results]


def _skipped(name: str, reason: str) -> ProtocolResult:
    return skipped_result(name, _SEARCH_PROTOCOLS[name], reason)


async def _on_copy(name: str, copy: HeldOutCopy, labels: list[str], labeled: HeldOutCopy | None) -> ProtocolResult:
    match name:
        case "negation":
            return await protocols.measure_negation(copy, labels)
        case "rankings":
            return await protocols.measure_rankings(copy, labels, labeled)
        case _:
            return await protocols.measure_feedback(copy, labels)


def _integrity(dataset: Dataset) -> ProtocolResult:
    """Return the shares of defective vectors."""
    defects = dataset.defects
    counts = {
        "zero": defects.zero,
        "not finite": defects.not_finite,
        "constant": defects.constant,
        "duplicate": defects.duplicate,
        "external": defects.external,
    }
    return ProtocolResult(
        "integrity",
        "Integrity of the vectors",
        [
            Figure(name, "", count / defects.read, None, None, None, defects.read, better="lower")
            for name, count in counts.items()
        ],
        [],
        ["Shares of all images read; zero, not finite and external ones are left out of the other protocols."],
    )
