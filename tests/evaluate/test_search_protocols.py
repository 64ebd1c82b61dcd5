"""Protocols that run the product's search: their figures, and that no label leaks into them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mcp_cxr.evaluate import TruthFile, evaluate
from mcp_cxr.evaluate.inputs import REMOVED_LABELS, HeldOutCopy, SearchRanking, held_out_copy
from mcp_cxr.evaluate.protocols import measure_feedback, measure_negation, measure_rankings
from mcp_cxr.stores import EmbeddedStore, MemoryStore
from tests.support.companions import table
from tests.unit.evaluate.archives import (
    LABELS,
    LabelEmbedder,
    axis,
    evaluation_context,
    figure,
    fill,
    labeled_images,
    random_vectors,
    unit,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

    from mcp_cxr.evaluate import Evaluation, EvaluationPlan
    from mcp_cxr.records import Study
    from tests.unit.evaluate.archives import SyntheticImage


@asynccontextmanager
async def searched_copy(
    images: Sequence[SyntheticImage], embedder: LabelEmbedder | None = None, *, labels: bool = False
) -> AsyncGenerator[HeldOutCopy]:
    async with evaluation_context(images, embedder) as context, held_out_copy(context, labels=labels) as copy:
        yield copy


def unrelated_images(count: int = 90) -> list[SyntheticImage]:
    """Return images whose vectors and reports are unrelated to their labels."""
    images = labeled_images(count)[0]
    return [
        replace(image, vector=vector, report=f"IMPRESSION: Image number {number}.")
        for number, (image, vector) in enumerate(zip(images, random_vectors(count, seed=6), strict=True))
    ]


async def test_labels_do_not_leak_into_the_search() -> None:
    """Only the labels show the relevant studies: with them the search finds all, without them as many as by chance."""
    async with searched_copy(unrelated_images(), labels=True) as copy:
        leaked = await measure_rankings(copy, list(LABELS))
    async with searched_copy(unrelated_images()) as copy:
        result = await measure_rankings(copy, list(LABELS))
    assert figure(leaked, "P@10", "words").value == 1.0
    assert figure(leaked, "P@10", "vector and words").value > 0.9
    assert figure(result, "P@10", "words").value == 0.0  # no report has any of the words
    fused = figure(result, "P@10", "vector and words")
    assert fused.low is not None
    assert fused.high is not None
    assert fused.low <= (fused.chance or 0) <= fused.high
    assert result.removed == [REMOVED_LABELS]


async def test_a_copy_with_leaked_labels_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    put_studies = EmbeddedStore.put_studies

    async def put_with_labels(copy: EmbeddedStore, studies: Sequence[Study]) -> int:
        return await put_studies(copy, [replace(study, labels={"Edema": 1}) for study in studies])

    monkeypatch.setattr(EmbeddedStore, "put_studies", put_with_labels)
    with pytest.raises(AssertionError, match="leaked"):
        async with searched_copy(unrelated_images()):
            pass


async def test_the_archive_is_not_changed() -> None:
    async with evaluation_context(unrelated_images()) as context:
        before = await context.store.totals(), await context.store.get(context.dataset.image_ids)
        async with held_out_copy(context, labels=False) as copy:
            await measure_rankings(copy, list(LABELS))
        assert (await context.store.totals(), await context.store.get(context.dataset.image_ids)) == before


async def test_rankings_are_measured_alone_and_fused() -> None:
    """Vectors show the labels of odd images, reports those of even ones."""
    images, _ = labeled_images(120)
    blind = random_vectors(120, seed=8)
    images = [
        replace(image, vector=image.vector if n % 2 else blind[n], report=None if n % 2 else image.report)
        for n, image in enumerate(images)
    ]
    async with searched_copy(images) as copy:
        result = await measure_rankings(copy, list(LABELS))
    assert figure(result, "P@10", "vector").value == 1.0
    assert figure(result, "P@10", "words").value == 1.0
    assert figure(result, "gain", "vector and words over vector").value == pytest.approx(0, abs=0.05)
    assert figure(result, "P@10", "vector").chance == pytest.approx(1 / 3)


async def test_negation_is_measured_for_the_model_alone_and_for_the_search() -> None:
    """The model reads "no edema" as "edema"; the search excludes studies whose reports affirm it."""
    async with searched_copy(*labeled_images()) as copy:
        result = await measure_negation(copy, list(LABELS))
    assert figure(result, "swap rate", "model alone").value == 1.0
    assert figure(result, "swap rate", "search").value == 0.0
    assert all(one.better == "lower" for one in result.figures)


async def test_feedback_improves_an_ambiguous_prompt() -> None:
    """A prompt's vector lies halfway between its label and another; marked results distinguish the two."""
    images, _ = labeled_images(240)
    vectors = {label.lower(): unit(axis(n) + axis((n + 1) % len(LABELS))) for n, label in enumerate(LABELS)}
    noise = random_vectors(240, seed=9)
    images = [replace(image, vector=unit(axis(n % 3) + noise[n]), report=None) for n, image in enumerate(images)]
    prompts = {label: (label.lower(),) for label in LABELS}
    embedder = LabelEmbedder(vectors)
    async with (
        evaluation_context(images, embedder, prompts=prompts) as context,
        held_out_copy(context, labels=False) as copy,
    ):
        result = await measure_feedback(copy, list(LABELS))
    assert figure(result, "gain", "round 1").value > 0.1
    rounds = [one.of for one in result.figures if one.name == "gain"]
    assert len(rounds) > 1
    for name in rounds:
        marked, plain = (figure(result, "P@10", f"{name}{way}") for way in ("", " without marks"))
        assert figure(result, "gain", name).value == pytest.approx(marked.value - plain.value)


async def evaluated(images: Sequence[SyntheticImage], plan: EvaluationPlan) -> Evaluation:
    embedder = LabelEmbedder()
    async with MemoryStore() as store:
        await fill(store, images)
        return await evaluate(
            store, embedder, plan, version="0", check_fingerprint=embedder.fingerprint, on_progress=lambda _: None
        )


async def test_archive_labels_are_kept_only_if_the_truth_is_independent(tmp_path: Path) -> None:
    images, _ = labeled_images()
    async with evaluation_context(images) as context:
        plan = replace(context.plan, protocols=("rankings",), independent=True)
    own = _truth(tmp_path / "own.csv", images)
    (leaked,) = (await evaluated(images, replace(plan, truth=own))).protocols
    assert leaked.removed == [REMOVED_LABELS]
    assert any("equals" in note for note in leaked.notes)
    wrong = [replace(image, labels={**image.labels, "Edema": 1}) if n == 1 else image for n, image in enumerate(images)]
    (read,) = (await evaluated(wrong, replace(plan, truth=own))).protocols
    assert read.removed == []
    assert figure(read, "P@10", "all, with labels").value > 0.9
    (derived,) = (await evaluated(wrong, replace(plan, truth=own, independent=False))).protocols
    assert derived.removed == [REMOVED_LABELS]


async def test_an_archive_without_labels_is_not_said_to_have_them(tmp_path: Path) -> None:
    images, _ = labeled_images()
    async with evaluation_context(images) as context:
        own = _truth(tmp_path / "own.csv", images)
        plan = replace(context.plan, protocols=("rankings", "negation"), truth=own, independent=True)
    for result in (await evaluated([replace(image, labels={}) for image in images], plan)).protocols:
        assert result.removed == []
        assert not any("archive" in note for note in result.notes)
        assert not any(one.of == "all, with labels" for one in result.figures)


async def test_n_counts_only_queries_with_results(monkeypatch: pytest.MonkeyPatch) -> None:
    search, silent = HeldOutCopy.search, {"no edema"}

    async def search_some(copy: HeldOutCopy, query: str, **how: Any) -> SearchRanking:
        return SearchRanking(np.empty(0, np.int64), ()) if query in silent else await search(copy, query, **how)

    monkeypatch.setattr(HeldOutCopy, "search", search_some)
    embedder = LabelEmbedder(embeds_text=False)
    async with searched_copy(labeled_images()[0], embedder) as copy:
        some = await measure_negation(copy, list(LABELS))
        silent |= {f"no {label.lower()}" for label in LABELS}
        none = await measure_negation(copy, list(LABELS))
    assert figure(some, "swap rate", "search").n == len(LABELS) - 1
    assert none.figures == []
    assert "can be judged" in none.left_out["swap rate search"]


def _truth(path: Path, images: Sequence[SyntheticImage]) -> TruthFile:
    return TruthFile.read(
        table(path, ("study_id", *LABELS), *((image.study, *image.labels.values()) for image in images))
    )


async def test_the_copy_has_whole_patients_up_to_a_number_of_studies() -> None:
    images, _ = labeled_images(images_per_patient=3)
    async with (
        evaluation_context(images, studies=30) as context,
        held_out_copy(context, labels=False) as copy,
    ):
        patients = context.dataset.subject_of[copy.studies]
        assert len(copy.studies) == 30
        assert len(set(patients.tolist())) == 10
        assert copy.reports == 30  # every study has one
