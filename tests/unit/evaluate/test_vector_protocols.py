"""Protocols that compare vectors, on archives with known figures."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mcp_cxr.evaluate import EvaluationPlan, evaluate
from mcp_cxr.evaluate.inputs import load_dataset
from mcp_cxr.evaluate.protocols import measure_labels, measure_nearest_recall, measure_reports, measure_similar
from mcp_cxr.stores import EmbeddedStore, MemoryStore
from tests.support.archives import rows
from tests.unit.evaluate.archives import (
    DIMENSION,
    LABELS,
    PROMPTS,
    LabelEmbedder,
    axis,
    evaluation_context,
    figure,
    fill,
    labeled_images,
    random_vectors,
)

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from mcp_cxr.evaluate import ProtocolResult

SHUFFLES = 10
OVERWRITE = "UPDATE vectors SET vector = ? WHERE slot = (SELECT slot FROM images WHERE image_id = ?)"


async def test_figures_of_a_perfect_embedder_are_one() -> None:
    images, embedder = labeled_images()
    async with evaluation_context(images, embedder) as context:
        results = [await measure_labels(context), await measure_reports(context), await measure_similar(context)]
    for one in results:
        assert one.figures
        for each in one.figures:
            assert (each.value, each.low, each.high) == pytest.approx((1, 1, 1)), (one.protocol, each.name)
        assert all(
            figure.chance is not None and figure.chance < 0.4 for figure in one.figures if "100" not in figure.name
        )


async def test_figures_of_shuffled_vectors_are_chance() -> None:
    """If the interval were exact, chance would lie in it in nineteen of twenty shuffled archives."""
    images, embedder = labeled_images(images_per_patient=2)
    inside: dict[str, list[bool]] = {"labels mAP": [], "labels P@10": [], "reports MRR": [], "similar P@10": []}
    async with evaluation_context(images, embedder, resamples=60) as context:
        for seed in range(SHUFFLES):
            order = np.random.default_rng(seed).permutation(len(images))
            shuffled = replace(context.dataset, vectors=context.dataset.vectors[order])
            for protocol in (measure_labels, measure_reports, measure_similar):
                _add_whether_inside(inside, await protocol(replace(context, dataset=shuffled)))
    shares = {name: np.mean(hits) for name, hits in inside.items()}
    assert all(share >= 0.7 for share in shares.values()), shares


def _add_whether_inside(inside: dict[str, list[bool]], result: ProtocolResult) -> None:
    for one in result.figures:
        if f"{result.protocol} {one.name}" in inside and not one.of:
            assert one.low is not None
            assert one.high is not None
            assert one.chance is not None
            inside[f"{result.protocol} {one.name}"].append(one.low <= one.chance <= one.high)


async def test_labels_agree_with_scikit_learn_if_some_are_missing_or_uncertain() -> None:
    from sklearn.metrics import average_precision_score, roc_auc_score

    images, embedder = labeled_images()
    rng = np.random.default_rng(3)
    vectors = [
        0.15 * image.vector + 0.1 * noise
        for image, noise in zip(images, random_vectors(len(images), seed=1), strict=True)
    ]
    vectors = [(vector / np.linalg.norm(vector)).astype(np.float32) for vector in vectors]
    truths: list[dict[str, int]] = [
        {} if number % 9 == 0 else {name: value for name, value in image.labels.items() if rng.random() < 0.8}
        for number, image in enumerate(images)
    ]
    for labels in truths[1::7]:
        labels.update({"Edema": -1})
    images = [
        replace(image, vector=vector, labels=truth)
        for image, vector, truth in zip(images, vectors, truths, strict=True)
    ]
    async with evaluation_context(images, embedder) as context:
        result = await measure_labels(context)
    expected: list[float] = []
    for number, label in enumerate(LABELS):
        known = [n for n, truth in enumerate(truths) if truth and truth.get(label) != -1]
        relevant = np.array([truths[n].get(label) == 1 for n in known])
        scores = np.array([vectors[n] @ axis(number) for n in known])
        expected.append(float(average_precision_score(relevant, scores)))
        assert figure(result, "AP", label).value == pytest.approx(expected[-1], abs=1e-6)
        assert figure(result, "P@10", label).value == pytest.approx(relevant[np.argsort(-scores)[:10]].mean())
        assert figure(result, "P@10", label).n == relevant.sum()
        assert 0.5 < roc_auc_score(relevant, scores) < 1  # neither perfect nor noise: the comparison means something
    assert figure(result, "mAP").value == pytest.approx(np.mean(expected), abs=1e-6)


async def test_a_study_is_ranked_by_its_best_image() -> None:
    images, embedder = labeled_images()
    unrelated = [replace(image, image=f"{image.image}b", vector=axis(DIMENSION - 1)) for image in images]
    async with evaluation_context([*images, *unrelated], embedder) as context:
        assert figure(await measure_labels(context), "mAP").value == pytest.approx(1.0)


async def test_equal_vectors_tie_bit_for_bit() -> None:
    """All images have one vector: every figure is chance, at whatever position of a matrix product."""
    images, embedder = labeled_images()
    same = [replace(image, vector=images[0].vector) for image in images]
    async with evaluation_context(same, embedder) as context:
        for one in (await measure_labels(context), await measure_reports(context), await measure_similar(context)):
            for each in one.figures:
                assert each.value == pytest.approx(each.chance), (one.protocol, each.name)


async def test_images_of_the_example_s_patient_are_no_result() -> None:
    """A patient's images have one vector and one label; those of other patients are unrelated to it."""
    images, _ = labeled_images(120, images_per_patient=6)
    vectors = random_vectors(20, seed=2)
    images = [
        replace(image, vector=vectors[n // 6], labels={label: int(label == LABELS[(n // 6) % 3]) for label in LABELS})
        for n, image in enumerate(images)
    ]
    async with evaluation_context(images) as context:
        first = figure(await measure_similar(context), "P@1")
        alone = replace(context.dataset, subject_of=np.arange(len(images)))
        leaked = figure(await measure_similar(replace(context, dataset=alone)), "P@1")
    assert leaked.value == 1.0  # if each image were another patient's
    assert first.low is not None
    assert first.high is not None
    assert first.low <= (first.chance or 0) <= first.high


async def test_repeated_texts_count_once() -> None:
    images, embedder = labeled_images(60)
    images = [
        replace(image, report=images[n // 2 * 2].report, vector=images[n // 2 * 2].vector)
        for n, image in enumerate(images)
    ]
    async with evaluation_context(images, embedder) as context:
        result = await measure_reports(context)
    assert figure(result, "recall@1").value == 1.0
    assert figure(result, "recall@1").n == 30
    assert figure(result, "recall@1").chance == pytest.approx(1 / 30)


async def test_index_recall_shows_a_store_that_misses_the_nearest_image() -> None:
    class MissesNearest(MemoryStore):
        async def nearest(self, *args: Any, limit: int, **how: Any) -> list[Any]:
            return (await super().nearest(*args, limit=limit + 1, **how))[1:]

    images, embedder = labeled_images()
    async with evaluation_context(images, embedder) as context:
        assert figure(await measure_nearest_recall(context), "recall@10").value == 1.0
    noise = [
        replace(image, vector=vector) for image, vector in zip(images, random_vectors(len(images), seed=4), strict=True)
    ]
    async with evaluation_context(noise, embedder, store=MissesNearest()) as context:
        assert figure(await measure_nearest_recall(context), "recall@10").value == pytest.approx(0.9)


async def test_defective_vectors_are_counted_and_left_out(tmp_path: Path) -> None:
    images, _ = labeled_images(20)
    images[7] = replace(images[7], vector=images[3].vector)
    images[8] = replace(images[8], vector=np.full(DIMENSION, DIMENSION**-0.5, np.float32))
    embedder, plan = LabelEmbedder(), EvaluationPlan(protocols=("integrity",), prompts=PROMPTS)
    async with EmbeddedStore(tmp_path) as store:
        await fill(store, images)
        rows(tmp_path, OVERWRITE, np.zeros(DIMENSION, np.float32).tobytes(), "i001")
        rows(tmp_path, OVERWRITE, np.full(DIMENSION, np.nan, np.float32).tobytes(), "i002")
        (result,) = (
            await evaluate(
                store, embedder, plan, version="0", check_fingerprint=embedder.fingerprint, on_progress=lambda _: None
            )
        ).protocols
        dataset = await load_dataset(store, split=None, labels_of=lambda stored: stored.study.labels)
    counts = {one.name: one.value * 20 for one in result.figures}
    assert counts == {"zero": 1, "not finite": 1, "constant": 1, "duplicate": 1, "external": 0}
    assert len(dataset.image_ids) == 18


async def test_labels_with_names_of_their_own_are_not_measured() -> None:
    images, _ = labeled_images()
    images = [replace(image, labels={**image.labels, "Stauung": 1}) for image in images]
    async with evaluation_context([*images, replace(images[0], image="x", study="x", labels={"Mass": 1})]) as context:
        assert context.dataset.labeled.tolist() == [True] * 90 + [False]
        assert context.dataset.archive_labels == "same"


async def test_only_the_split_is_measured() -> None:
    images, embedder = labeled_images()
    images = [replace(image, split="test" if n % 2 else "train") for n, image in enumerate(images)]
    async with evaluation_context(images, embedder, split="test") as context:
        assert len(context.dataset.image_ids) == 45
        assert figure(await measure_nearest_recall(context), "recall@10").value == 1.0


async def test_a_skipped_protocol_has_its_reason() -> None:
    images = [replace(image, labels={}, report=None) for image in labeled_images()[0]]
    async with evaluation_context(images) as context:
        assert "--truth" in ((await measure_labels(context)).skipped or "")
        assert "--truth" in ((await measure_similar(context)).skipped or "")
        assert "reports" in ((await measure_reports(context)).skipped or "")
    async with evaluation_context(labeled_images()[0], LabelEmbedder(embeds_text=False)) as context:
        for protocol in (measure_labels, measure_reports):
            assert (await protocol(context)).skipped == "The embedder label-embedder cannot embed text."
