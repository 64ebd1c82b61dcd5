"""Protocols that compare vectors, on archives where the right figure is known."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from mcp_cxr.evaluate._evaluate import _integrity
from mcp_cxr.evaluate.protocols._by_image import by_image
from mcp_cxr.evaluate.protocols._by_index import by_index
from mcp_cxr.evaluate.protocols._by_label import by_label
from mcp_cxr.evaluate.protocols._by_report import by_report
from mcp_cxr.evaluate.truth._dataset import load
from mcp_cxr.stores import EmbeddedStore
from tests.unit.evaluate.making import DIMENSION, LABELS, KnowingEmbedder, axis, drawn, figure, ground, knowing

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from mcp_cxr.evaluate import Measured

SHUFFLES = 10


async def test_a_perfect_embedder_gives_one(tmp_path: Path) -> None:
    films, embedder = knowing()
    async with ground(tmp_path, films, embedder) as made:
        measured = [await by_label(made), await by_report(made), await by_image(made)]
    for one in measured:
        assert one.figures
        for each in one.figures:
            assert (each.value, each.low, each.high) == pytest.approx((1, 1, 1)), (one.protocol, each.name)
        assert all(
            figure.chance is not None and figure.chance < 0.4 for figure in one.figures if "100" not in figure.name
        )


async def test_what_is_shuffled_is_as_good_as_chance(tmp_path: Path) -> None:
    """In nineteen of twenty shuffled archives chance would lie within the interval, were it exact."""
    films, embedder = knowing(films_a_patient=2)
    inside: dict[str, list[bool]] = {"labels mAP": [], "labels P@10": [], "reports MRR": [], "similar P@10": []}
    async with ground(tmp_path, films, embedder, resamples=60) as made:
        for seed in range(SHUFFLES):
            order = np.random.default_rng(seed).permutation(len(films))
            shuffled = replace(made.gallery, vectors=made.gallery.vectors[order])
            for protocol in (by_label, by_report, by_image):
                _note_inside(inside, await protocol(replace(made, gallery=shuffled)))
    shares = {name: np.mean(hits) for name, hits in inside.items()}
    assert all(share >= 0.7 for share in shares.values()), shares


def _note_inside(inside: dict[str, list[bool]], measured: Measured) -> None:
    for one in measured.figures:
        if f"{measured.protocol} {one.name}" in inside and not one.of:
            assert one.low is not None
            assert one.high is not None
            assert one.chance is not None
            inside[f"{measured.protocol} {one.name}"].append(one.low <= one.chance <= one.high)


async def test_labels_agree_with_scikit_learn_where_some_are_missing_or_uncertain(tmp_path: Path) -> None:
    films, embedder = knowing()
    rng = np.random.default_rng(3)
    vectors = [0.15 * film.vector + 0.1 * noise for film, noise in zip(films, drawn(len(films), seed=1), strict=True)]
    vectors = [(vector / np.linalg.norm(vector)).astype(np.float32) for vector in vectors]
    said: list[dict[str, int]] = [
        {} if number % 9 == 0 else {name: value for name, value in film.labels.items() if rng.random() < 0.8}
        for number, film in enumerate(films)
    ]
    for labels in said[1::7]:
        labels.update({"Edema": -1})
    films = [replace(film, vector=vector, labels=told) for film, vector, told in zip(films, vectors, said, strict=True)]
    async with ground(tmp_path, films, embedder) as made:
        measured = await by_label(made)
    expected: list[float] = []
    for number, label in enumerate(LABELS):
        known = [n for n, told in enumerate(said) if told and told.get(label) != -1]
        right = np.array([said[n].get(label) == 1 for n in known])
        scores = np.array([vectors[n] @ axis(number) for n in known])
        expected.append(float(average_precision_score(right, scores)))
        assert figure(measured, "AP", label).value == pytest.approx(expected[-1], abs=1e-6)
        assert figure(measured, "P@10", label).value == pytest.approx(right[np.argsort(-scores)[:10]].mean())
        assert figure(measured, "P@10", label).n == right.sum()
        assert 0.5 < roc_auc_score(right, scores) < 1  # neither perfect nor noise: the figures have something to say
    assert figure(measured, "mAP").value == pytest.approx(np.mean(expected), abs=1e-6)


async def test_a_study_is_as_near_as_its_nearest_image(tmp_path: Path) -> None:
    films, embedder = knowing()
    blind = [replace(film, image=f"{film.image}b", vector=axis(DIMENSION - 1)) for film in films]
    async with ground(tmp_path, [*films, *blind], embedder) as made:
        assert figure(await by_label(made), "mAP").value == pytest.approx(1.0)


async def test_equal_vectors_tie_to_the_bit(tmp_path: Path) -> None:
    """All films are one picture: every figure is chance, wherever a film stands in a matrix product."""
    films, embedder = knowing()
    same = [replace(film, vector=films[0].vector) for film in films]
    async with ground(tmp_path, same, embedder) as made:
        for one in (await by_label(made), await by_report(made), await by_image(made)):
            for each in one.figures:
                assert each.value == pytest.approx(each.chance), (one.protocol, each.name)


async def test_the_example_s_own_patient_is_no_answer(tmp_path: Path) -> None:
    """Planted: a patient's films are one picture and have one label, and other patients' films mean nothing."""
    films, _ = knowing(120, films_a_patient=6)
    vectors = drawn(20, seed=2)
    films = [
        replace(film, vector=vectors[n // 6], labels={label: int(label == LABELS[(n // 6) % 3]) for label in LABELS})
        for n, film in enumerate(films)
    ]
    async with ground(tmp_path, films) as made:
        first = figure(await by_image(made), "P@1")
        alone = replace(made.gallery, subject_of=np.arange(len(films)))
        leaking = figure(await by_image(replace(made, gallery=alone)), "P@1")
    assert leaking.value == 1.0  # the plant would show
    assert first.low is not None
    assert first.high is not None
    assert first.low <= (first.chance or 0) <= first.high


async def test_texts_that_repeat_count_once(tmp_path: Path) -> None:
    films, embedder = knowing(60)
    films = [
        replace(film, report=films[n // 2 * 2].report, vector=films[n // 2 * 2].vector) for n, film in enumerate(films)
    ]
    async with ground(tmp_path, films, embedder) as made:
        measured = await by_report(made)
    assert figure(measured, "recall@1").value == 1.0
    assert figure(measured, "recall@1").n == 30
    assert figure(measured, "recall@1").chance == pytest.approx(1 / 30)


async def test_a_store_that_misses_the_best_is_found_out(tmp_path: Path) -> None:
    class Forgetful(EmbeddedStore):
        async def nearest(self, *args: Any, limit: int, **how: Any) -> list[Any]:
            return (await super().nearest(*args, limit=limit + 1, **how))[1:]

    films, embedder = knowing()
    async with ground(tmp_path / "exact", films, embedder) as made:
        assert figure(await by_index(made), "recall@10").value == 1.0
    noise = [replace(film, vector=vector) for film, vector in zip(films, drawn(len(films), seed=4), strict=True)]
    async with ground(tmp_path / "forgetful", noise, embedder, store=Forgetful) as made:
        assert figure(await by_index(made), "recall@10").value == pytest.approx(0.9)


async def test_vectors_that_mean_nothing_are_counted_and_left_out(tmp_path: Path) -> None:
    films, _ = knowing(20)
    films[7] = replace(films[7], vector=films[3].vector)
    films[8] = replace(films[8], vector=np.full(DIMENSION, DIMENSION**-0.5, np.float32))
    async with ground(tmp_path, films) as made:
        store = made.store
        with closing(sqlite3.connect(tmp_path / "archive.sqlite3")) as connection, connection:
            spoil = "UPDATE vectors SET vector = ? WHERE slot = (SELECT slot FROM images WHERE image_id = ?)"
            connection.execute(spoil, (np.zeros(DIMENSION, np.float32).tobytes(), "i001"))
            connection.execute(spoil, (np.full(DIMENSION, np.nan, np.float32).tobytes(), "i002"))
        gallery = await load(store, split=None, labels_of=lambda stored: stored.study.labels)
    counted = {one.name: one.value * 20 for one in _integrity(gallery).figures}
    assert counted == {"zero": 1, "not finite": 1, "constant": 1, "duplicate": 1, "external": 0}
    assert len(gallery.image_ids) == 18


async def test_only_the_split_is_asked_and_answers(tmp_path: Path) -> None:
    films, embedder = knowing()
    films = [replace(film, split="test" if n % 2 else "train") for n, film in enumerate(films)]
    async with ground(tmp_path, films, embedder, split="test") as made:
        assert len(made.gallery.image_ids) == 45
        assert figure(await by_index(made), "recall@10").value == 1.0


async def test_what_cannot_be_asked_says_why(tmp_path: Path) -> None:
    films = [replace(film, labels={}, report=None) for film in knowing()[0]]
    async with ground(tmp_path / "bare", films) as made:
        assert "--truth" in ((await by_label(made)).skipped or "")
        assert "--truth" in ((await by_image(made)).skipped or "")
        assert "reports" in ((await by_report(made)).skipped or "")
    async with ground(tmp_path / "sketch", knowing()[0], KnowingEmbedder(embeds_text=False)) as made:
        for protocol in (by_label, by_report):
            assert (await protocol(made)).skipped == "The embedder knowing reads no text."
