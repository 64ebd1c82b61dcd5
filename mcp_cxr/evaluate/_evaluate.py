"""Runs the protocols, one after the other."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mcp_cxr.errors import ConfigError
from mcp_cxr.evaluate import protocols
from mcp_cxr.evaluate.metrics import Evaluation, Figure, Measured, skipped
from mcp_cxr.evaluate.truth import Ground, load, sealed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.evaluate.truth import EvaluationPlan, Gallery, Sealed
    from mcp_cxr.records import Fingerprint, StoredImage
    from mcp_cxr.stores import Store

_ASKING = {"negation": protocols.NEGATION, "legs": protocols.LEGS, "feedback": protocols.FEEDBACK}
"""Protocols that ask the whole search, of a copy of the archive."""


async def evaluate(
    store: Store,
    embedder: Embedder,
    plan: EvaluationPlan,
    *,
    version: str,
    confirm: Callable[[], Awaitable[Fingerprint]],
    tell: Callable[[str], None],
) -> Evaluation:
    """Measure how good the search of an archive is.

    Args:
        store: The archive; only read.
        embedder: Reads the prompts and the reports.
        plan: What is measured.
        version: Of this package.
        confirm: Returns the embedder's fingerprint, or raises where it does not fit the archive's.
        tell: Is told what is being done.

    Raises:
        ConfigError: There is nothing to measure.
        FingerprintMismatch: The archive's vectors were made by another embedder.
        EmbeddingError: The embedder is needed and gives nothing.
        StoreError: The store fails or was never made.
    """
    started = time.perf_counter()
    made_with = (await store.info()).fingerprint
    tell("Reading the archive ...")
    gallery = await load(store, split=plan.split, labels_of=_labels_of(plan))
    if made_with is None or not gallery.image_ids:
        raise ConfigError("There is no image of ours to measure with; ingest films, or name another split.")
    ground = Ground(store, embedder, confirm, gallery, plan)
    measured = [one for name in plan.protocols if name not in _ASKING for one in [await _alone(ground, name, tell)]]
    measured += await _asking(ground, [name for name in plan.protocols if name in _ASKING], tell)
    return Evaluation(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        version=version,
        model=made_with.model,
        dimension=made_with.dimension,
        preprocessing=made_with.preprocessing,
        service=made_with.service,
        images=len(gallery.image_ids),
        studies=len(gallery.study_ids),
        subjects=gallery.subjects,
        truth=_truth(plan),
        split=plan.split,
        seed=plan.seed,
        queries=plan.queries,
        resamples=plan.resamples,
        seconds=round(time.perf_counter() - started, 1),
        protocols=sorted(measured, key=lambda one: plan.protocols.index(one.protocol)),
    )


def _labels_of(plan: EvaluationPlan) -> Callable[[StoredImage], Mapping[str, int]]:
    return plan.truth.labels_of if plan.truth else lambda stored: stored.study.labels


def _truth(plan: EvaluationPlan) -> str:
    if plan.truth is None:
        return "labels of the archive"
    return f"{plan.truth.name}, {'read by people' if plan.independent else 'taken to derive from the reports'}"


async def _alone(ground: Ground, name: str, tell: Callable[[str], None]) -> Measured:
    """Run a protocol that compares vectors."""
    tell(f"Measuring {name} ...")
    match name:
        case "labels":
            return await protocols.by_label(ground)
        case "reports":
            return await protocols.by_report(ground)
        case "similar":
            return await protocols.by_image(ground)
        case "index":
            return await protocols.by_index(ground)
        case _:
            return _integrity(ground.gallery)


async def _asking(ground: Ground, names: list[str], tell: Callable[[str], None]) -> list[Measured]:
    """Run the protocols that ask the whole search."""
    if not names:
        return []
    async with AsyncExitStack() as copies:
        tell("Copying studies into an archive that does not know the labels ...")
        if not ground.gallery.labelled.any():
            return [skipped(name, _ASKING[name], "No study is labelled; see --truth.") for name in names]
        copy = await copies.enter_async_context(sealed(ground, labels=False))
        labels = ground.labels(copy.studies)
        if not labels:
            reason = "No label is there ten times, and missing elsewhere; see --truth."
            return [skipped(name, _ASKING[name], reason) for name in names]
        labelled, warning = None, []
        if "legs" in names and ground.plan.independent:
            labelled, warning = await _labelled(ground, copies)
        measured = [await _of_copy(name, copy, labels, labelled, tell) for name in names]
    return [replace(one, notes=[*one.notes, *warning]) if one.protocol == "legs" else one for one in measured]


async def _labelled(ground: Ground, copies: AsyncExitStack) -> tuple[Sealed | None, list[str]]:
    """Return a copy that knows the archive's labels, unless the truth only repeats them."""
    if ground.gallery.same_labels:
        return None, ["The truth repeats the archive's own labels, so it is not independent: they were removed."]
    return await copies.enter_async_context(sealed(ground, labels=True)), []


async def _of_copy(
    name: str, copy: Sealed, labels: list[str], labelled: Sealed | None, tell: Callable[[str], None]
) -> Measured:
    tell(f"Measuring {name} ...")
    match name:
        case "negation":
            return await protocols.negation(copy, labels)
        case "legs":
            return await protocols.legs(copy, labels, labelled)
        case _:
            return await protocols.feedback(copy, labels)


def _integrity(gallery: Gallery) -> Measured:
    """Return the shares of vectors that mean nothing."""
    damage = gallery.damage
    counts = {
        "zero": damage.zero,
        "not finite": damage.not_finite,
        "constant": damage.constant,
        "duplicate": damage.duplicate,
        "external": damage.external,
    }
    return Measured(
        "integrity",
        "Integrity of the vectors",
        [
            Figure(name, "", count / damage.read, None, None, None, damage.read, better="lower")
            for name, count in counts.items()
        ],
        [],
        ["Shares of all images read; zero, not finite and foreign ones take no part in the rest."],
    )
