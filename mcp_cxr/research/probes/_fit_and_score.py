"""Fits the probes of an archive, scores its images, and says what has changed since the fit."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
from anyio import to_thread

from mcp_cxr.errors import ConfigError
from mcp_cxr.records import Filter
from mcp_cxr.research.probes._calibration import auc, brier_skill, calibration_slope
from mcp_cxr.research.probes._fitted_probes import FittedProbes, Probe, ProbeChoices
from mcp_cxr.research.probes._linear_probes import fit_linear_probes
from mcp_cxr.research.probes._moments import FOLDS
from mcp_cxr.research.probes._training_data import read_examples

if TYPE_CHECKING:
    from mcp_cxr.records import Fingerprint
    from mcp_cxr.research.probes._training_data import Examples
    from mcp_cxr.stores import Store

METHOD = "linear discriminant with a ridge, and a logistic curve"


async def fit_probes(store: Store, *, version: str) -> FittedProbes:
    """Learn a probe for each label of an archive, and score all of its images out of fold.

    Args:
        store: The archive; it is only read.
        version: Of mcp-cxr.

    Raises:
        ConfigError: The archive has no images, or no labels.
        StoreError: The store fails or was never made.
    """
    fingerprint = (await store.info()).fingerprint
    examples = await read_examples(store)
    if fingerprint is None or not examples.image_ids:
        raise ConfigError("The archive has no images to learn from; ingest some.")
    if not examples.labels:
        raise ConfigError("No study of the archive has labels to learn from; ingest a table of labels with the images.")
    images = await store.count(Filter())
    return await to_thread.run_sync(_fit, examples, _choices(store, fingerprint, examples, images, version))


def _choices(store: Store, fingerprint: Fingerprint, examples: Examples, images: int, version: str) -> ProbeChoices:
    return ProbeChoices(
        fitted_at=datetime.now(UTC).isoformat(timespec="seconds"),
        version=version,
        location="" if store.is_private else store.location,
        model=fingerprint.model,
        dimension=fingerprint.dimension,
        preprocessing=fingerprint.preprocessing,
        images=images,
        labeled=int((examples.truth >= 0).any(axis=1).sum()),
        subjects=len(np.unique(examples.subject_of)),
        folds=FOLDS,
        method=METHOD,
        positives_only=examples.positives_only,
    )


def _fit(examples: Examples, choices: ProbeChoices) -> FittedProbes:
    too_few = examples.too_few()
    columns = [column for column, label in enumerate(examples.labels) if label not in too_few]
    truth = examples.truth[:, columns]
    linear = fit_linear_probes(examples.vectors, truth, examples.folds)
    values = linear.scores(examples.vectors, examples.folds)
    probes = [_measured(examples, column, values[:, place]) for place, column in enumerate(columns)]
    return FittedProbes(choices, tuple(probes), too_few, tuple(examples.image_ids), values, linear)


def _measured(examples: Examples, column: int, scores: np.ndarray) -> Probe:
    truth = examples.truth[:, column]
    known, has = truth >= 0, truth == 1
    scores, of_known = scores[known], has[known]
    return Probe(
        label=examples.labels[column],
        present=int(has.sum()),
        absent=int(known.sum() - has.sum()),
        uncertain=examples.uncertain[examples.labels[column]],
        subjects=len(np.unique(examples.subject_of[has])),
        auc=auc(scores, of_known),
        brier_skill=brier_skill(scores, of_known),
        calibration_slope=calibration_slope(scores, of_known),
    )


async def score_images(store: Store, fitted: FittedProbes) -> FittedProbes:
    """Return the same probes with the scores of all images that the archive has now, each out of fold.

    Raises:
        ConfigError: The archive's vectors are of another embedder.
        StoreError: The store fails or was never made.
    """
    if not await _is_of(store, fitted):
        raise ConfigError("The probes were learned from vectors of another embedder. Run `mcp-cxr probe fit`.")
    examples = await read_examples(store)
    values = await to_thread.run_sync(fitted.linear.scores, examples.vectors, examples.folds)
    return replace(fitted, image_ids=tuple(examples.image_ids), values=values)


async def _is_of(store: Store, fitted: FittedProbes) -> bool:
    fingerprint, choices = (await store.info()).fingerprint, fitted.choices
    return fingerprint is not None and (fingerprint.model, fingerprint.dimension, fingerprint.preprocessing) == (
        choices.model,
        choices.dimension,
        choices.preprocessing,
    )


async def reasons_to_fit_again(store: Store, fitted: FittedProbes) -> tuple[str, ...]:
    """Return why probes no longer fit the archive: what was recorded, and what the store shows; empty if they do.

    Raises:
        StoreError: The store fails or was never made.
    """
    found = list(fitted.stale)
    if fitted.choices.location != ("" if store.is_private else store.location):
        found.append(f"learned from another archive, {fitted.choices.location or 'in the embedded store'}")
    if not await _is_of(store, fitted):
        found.append("the archive's vectors are of another embedder")
    images = await store.count(Filter())
    if images != fitted.choices.images:
        found.append(f"the archive has {images:,} images, {fitted.choices.images:,} when they were learned")
    return tuple(dict.fromkeys(found))
