"""Runs the protocols, one after the other."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from anyio import to_thread

from mcp_cxr.errors import ConfigError
from mcp_cxr.evaluate import protocols
from mcp_cxr.evaluate.inputs import (
    NO_LABELS,
    EvaluationContext,
    folder_reports,
    held_out_copy,
    load_dataset,
    stored_reports,
)
from mcp_cxr.evaluate.metrics import Evaluation, ProtocolResult, skipped_result
from mcp_cxr.records import SPLITS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.evaluate.inputs import Dataset, EvaluationPlan, HeldOutCopy
    from mcp_cxr.records import Fingerprint, StoredImage
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
        ReaderMismatch: An older version of the reader derived the archive's documents.
        FingerprintMismatch: The archive's vectors were made by another embedder.
        EmbeddingError: The embedder is needed and fails.
        StoreError: The store fails or does not exist.
    """
    started = time.perf_counter()
    if not plan.only_reader:  # which reads the stored reports itself
        await store.require_current_reader()
    results: list[ProtocolResult] = []
    if "reader" in plan.protocols:
        results.append(await _reader(store, plan, on_progress))
    if plan.only_reader:
        return _reader_evaluation(plan, version, results, started)
    fingerprint = (await store.info()).fingerprint
    on_progress("Reading the archive ...")
    joined = [plan.truth is None]

    def labels_of(stored: StoredImage) -> Mapping[str, int]:
        if plan.truth is None:
            return stored.study.labels
        joined[0] = joined[0] or plan.truth.has_row_of(stored)
        return plan.truth.labels_of(stored)

    dataset = await load_dataset(store, split=plan.split, labels_of=labels_of)
    if fingerprint is None or not dataset.image_ids:
        raise ConfigError(
            f"No image has split {plan.split}; a split is one of {', '.join(SPLITS)}."
            if plan.split
            else "The archive has no images to measure with; ingest some."
        )
    if plan.truth and not joined[0]:
        raise ConfigError(f"No row of {plan.truth.name} has a study of the archive; check its ids, or the split.")
    for line in plan.truth.unknown_findings() if plan.truth else []:
        on_progress(line)
    context = EvaluationContext(store, embedder, check_fingerprint, dataset, plan)
    results += await _on_vectors(context, [name for name in plan.protocols if name in _ON_VECTORS], on_progress)
    results += await _on_search(context, [name for name in plan.protocols if name in _ON_SEARCH], on_progress)
    return _archive_evaluation(_reader_evaluation(plan, version, results, started), fingerprint, dataset, plan)


async def evaluate_reports(folder: Path, plan: EvaluationPlan, *, version: str) -> Evaluation:
    """Compare what is read in the reports of a folder with codes, without an archive.

    Args:
        folder: Has text files named after their studies.
        plan: Its protocols are `reader` alone, and it has codes.
        version: Version of mcp-cxr.

    Raises:
        ConfigError: The folder has no reports, or a report cannot be read.
    """
    if plan.codes is None:
        raise ValueError("The plan has no codes.")
    started = time.perf_counter()
    reports = await to_thread.run_sync(folder_reports, folder, plan.codes)
    result = await to_thread.run_sync(protocols.measure_reader, reports, plan.codes)
    return _reader_evaluation(plan, version, [result], started)


async def _reader(store: Store, plan: EvaluationPlan, on_progress: Callable[[str], None]) -> ProtocolResult:
    if plan.codes is None:
        return skipped_result("reader", "No codes are given; see --reader.")
    on_progress("Reading the reports ...")
    reports = await stored_reports(store, plan.codes, split=plan.split)
    return await to_thread.run_sync(protocols.measure_reader, reports, plan.codes)


def _reader_evaluation(plan: EvaluationPlan, version: str, results: list[ProtocolResult], started: float) -> Evaluation:
    """Return an evaluation without what only an archive with vectors has."""
    compared = [one.studies for result in results for one in result.agreement]
    return Evaluation(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        version=version,
        model=None,
        dimension=None,
        preprocessing=None,
        service=None,
        images=None,
        studies=max(compared, default=0),
        subjects=None,
        truth=plan.codes.name if plan.codes else "",
        split=plan.split,
        seed=plan.seed,
        queries=plan.queries,
        resamples=plan.resamples,
        seconds=round(time.perf_counter() - started, 1),
        protocols=sorted(results, key=lambda result: plan.protocols.index(result.protocol)),
    )


def _archive_evaluation(
    found: Evaluation, fingerprint: Fingerprint, dataset: Dataset, plan: EvaluationPlan
) -> Evaluation:
    """Return an evaluation with what an archive with vectors adds to it."""
    return replace(
        found,
        model=fingerprint.model,
        dimension=fingerprint.dimension,
        preprocessing=fingerprint.preprocessing,
        service=fingerprint.service,
        images=len(dataset.image_ids),
        studies=len(dataset.study_ids),
        subjects=dataset.subjects,
        truth=_truth(plan, dataset),
    )


def _truth(plan: EvaluationPlan, dataset: Dataset) -> str:
    if plan.truth is not None:
        return f"{plan.truth.name}, {'read by people' if plan.independent else 'assumed to come from the reports'}"
    return "labels of the archive" if dataset.labeled.any() else "none; the archive has no labels"


async def _on_vectors(
    context: EvaluationContext, names: list[str], on_progress: Callable[[str], None]
) -> list[ProtocolResult]:
    """Run the protocols that compare vectors."""
    results: list[ProtocolResult] = []
    for name in names:
        on_progress(f"Measuring {name} ...")
        results.append(await _ON_VECTORS[name](context))
    return results


async def _on_search(
    context: EvaluationContext, names: list[str], on_progress: Callable[[str], None]
) -> list[ProtocolResult]:
    """Run the protocols that search a copy of the archive."""
    if not names:
        return []
    if not context.judged().any():
        return [skipped_result(name, "No study has a true label; see --truth.") for name in names]
    on_progress("Copying studies, without labels, into a temporary archive ...")
    async with held_out_copy(context, labels=False) as copy:
        labels = context.labels(copy.studies)
        results: list[ProtocolResult] = []
        for name in names:
            on_progress(f"Measuring {name} ...")
            if name == "questions":
                results.append(await protocols.measure_questions(copy))
            else:
                results.append(await _ON_LABELS[name](copy, labels) if labels else skipped_result(name, NO_LABELS))
        return results


_ON_VECTORS: Mapping[str, Callable[[EvaluationContext], Awaitable[ProtocolResult]]] = {
    "labels": protocols.measure_labels,
    "reports": protocols.measure_reports,
    "similar": protocols.measure_similar,
    "probes": protocols.measure_probes,
    "index": protocols.measure_nearest_recall,
    "integrity": protocols.measure_integrity,
}
"""The protocols that compare vectors."""
_ON_LABELS: Mapping[str, Callable[[HeldOutCopy, list[str]], Awaitable[ProtocolResult]]] = {
    "negation": protocols.measure_negation,
    "rankings": protocols.measure_rankings,
    "feedback": protocols.measure_feedback,
}
"""The protocols that run the product's search on a copy of the archive, for each of some labels."""
_ON_SEARCH = (*_ON_LABELS, "questions")
