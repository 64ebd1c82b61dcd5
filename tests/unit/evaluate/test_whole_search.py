"""Protocols that ask the whole search: what they measure, and that nothing leaks into it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.evaluate import TruthFile, evaluate
from mcp_cxr.evaluate.protocols._feedback import ROUNDS, feedback
from mcp_cxr.evaluate.protocols._negation import negation
from mcp_cxr.evaluate.protocols._rankings import legs
from mcp_cxr.evaluate.truth import _holdout as _sealed
from mcp_cxr.evaluate.truth._holdout import SEALED, Sealed, sealed
from mcp_cxr.records import Filter
from mcp_cxr.stores import EmbeddedStore
from tests.support.companions import table
from tests.unit.evaluate.making import LABELS, KnowingEmbedder, axis, drawn, figure, fill, ground, knowing, unit

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

    from mcp_cxr.evaluate import Evaluation, EvaluationPlan
    from tests.unit.evaluate.making import Film


@asynccontextmanager
async def copied(
    folder: Path, films: Sequence[Film], embedder: KnowingEmbedder | None = None, *, labels: bool = False
) -> AsyncGenerator[Sealed]:
    async with ground(folder, films, embedder) as made, sealed(made, labels=labels) as copy:
        yield copy


def silent(count: int = 90) -> list[Film]:
    """Films with labels, of which neither pixels nor reports say anything."""
    films = knowing(count)[0]
    return [
        replace(film, vector=vector, report=f"IMPRESSION: Film number {number}.")
        for number, (film, vector) in enumerate(zip(films, drawn(count, seed=6), strict=True))
    ]


async def test_labels_do_not_leak_into_what_is_asked_for_them(tmp_path: Path) -> None:
    """Planted: only the labels know the answer. With them the search finds all, and without them what chance finds."""
    async with copied(tmp_path / "with", silent(), labels=True) as copy:
        leaking = await legs(copy, list(LABELS), None)
    async with copied(tmp_path / "without", silent()) as copy:
        measured = await legs(copy, list(LABELS), None)
    assert figure(leaking, "P@10", "words").value == 1.0
    assert figure(leaking, "P@10", "vector and words").value > 0.9
    assert figure(measured, "P@10", "words").value == 0.0  # no report has any of the words
    joined = figure(measured, "P@10", "vector and words")
    assert joined.low is not None
    assert joined.high is not None
    assert joined.low <= (joined.chance or 0) <= joined.high
    assert measured.removed == [SEALED]


async def test_a_copy_that_labels_leaked_into_measures_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = _sealed._copy

    async def careless(images: Sequence[object], copy: EmbeddedStore, *, labels: bool) -> None:
        await honest(images, copy, labels=True)  # pyright: ignore[reportArgumentType]  # as they come

    monkeypatch.setattr(_sealed, "_copy", careless)
    with pytest.raises(AssertionError, match="leaked"):
        async with copied(tmp_path, silent()):
            pass


async def test_the_archive_itself_is_left_as_it_is(tmp_path: Path) -> None:
    async with ground(tmp_path, silent()) as made:
        before = await made.store.totals(), await made.store.get(made.gallery.image_ids)
        async with sealed(made, labels=False) as copy:
            await legs(copy, list(LABELS), None)
        assert (await made.store.totals(), await made.store.get(made.gallery.image_ids)) == before


async def test_legs_are_measured_alone_and_joined(tmp_path: Path) -> None:
    """Vectors know of even films, reports of odd ones; joined, they know more than either."""
    films, _ = knowing(120)
    blind = drawn(120, seed=8)
    films = [
        replace(film, vector=film.vector if n % 2 else blind[n], report=None if n % 2 else film.report)
        for n, film in enumerate(films)
    ]
    async with copied(tmp_path, films) as copy:
        measured = await legs(copy, list(LABELS), None)
    assert figure(measured, "P@10", "vector").value == 1.0
    assert figure(measured, "P@10", "words").value == 1.0
    assert figure(measured, "gain", "vector and words over vector").value == pytest.approx(0, abs=0.05)
    assert figure(measured, "P@10", "vector").chance == pytest.approx(1 / 3)


async def test_negation_is_measured_for_the_model_and_for_the_search(tmp_path: Path) -> None:
    """The model reads "no edema" as "edema"; the search knows from the reports which films do not have it."""
    async with copied(tmp_path, *knowing()) as copy:
        measured = await negation(copy, list(LABELS))
    assert figure(measured, "swap rate", "model alone").value == 1.0
    assert figure(measured, "swap rate", "search").value == 0.0
    assert all(one.better == "lower" for one in measured.figures)


async def test_feedback_finds_what_the_words_miss(tmp_path: Path) -> None:
    """A prompt points halfway between its label and another; marked answers tell the two apart."""
    films, _ = knowing(240)
    told = {label.lower(): unit(axis(n) + axis((n + 1) % len(LABELS))) for n, label in enumerate(LABELS)}
    noise = drawn(240, seed=9)
    films = [replace(film, vector=unit(axis(n % 3) + noise[n]), report=None) for n, film in enumerate(films)]
    prompts = {label: (label.lower(),) for label in LABELS}
    embedder = KnowingEmbedder(told)
    async with ground(tmp_path, films, embedder, prompts=prompts) as made, sealed(made, labels=False) as copy:
        measured = await feedback(copy, list(LABELS))
    assert figure(measured, "gain", "round 1").value > 0.1
    for number in range(1, ROUNDS + 1):
        marked, plain = (figure(measured, "P@10", f"round {number}{way}") for way in ("", " without marks"))
        assert figure(measured, "gain", f"round {number}").value == pytest.approx(marked.value - plain.value)


async def evaluated(folder: Path, films: Sequence[Film], plan: EvaluationPlan) -> Evaluation:
    embedder = KnowingEmbedder()
    async with EmbeddedStore(folder) as store:
        await fill(store, films)
        return await evaluate(store, embedder, plan, version="0", confirm=embedder.fingerprint, tell=lambda _: None)


async def test_labels_stay_only_where_people_read_other_ones(tmp_path: Path) -> None:
    films, _ = knowing()
    async with ground(tmp_path / "plan", films) as made:
        plan = replace(made.plan, protocols=("legs",), independent=True)
    own = _truth(tmp_path / "own.csv", films)
    (leaked,) = (await evaluated(tmp_path / "a", films, replace(plan, truth=own))).protocols
    assert leaked.removed == [SEALED]
    assert any("repeats" in note for note in leaked.notes)
    wrong = [replace(film, labels={**film.labels, "Edema": 1}) if n == 1 else film for n, film in enumerate(films)]
    (read,) = (await evaluated(tmp_path / "b", wrong, replace(plan, truth=own))).protocols
    assert read.removed == []
    assert figure(read, "P@10", "all, with labels").value > 0.9
    (derived,) = (await evaluated(tmp_path / "c", wrong, replace(plan, truth=own, independent=False))).protocols
    assert derived.removed == [SEALED]


def _truth(path: Path, films: Sequence[Film]) -> TruthFile:
    return TruthFile.read(table(path, ("study_id", *LABELS), *((film.study, *film.labels.values()) for film in films)))


async def test_the_copy_holds_whole_patients_up_to_a_size(tmp_path: Path) -> None:
    films, _ = knowing(films_a_patient=3)
    async with ground(tmp_path, films, studies=30) as made, sealed(made, labels=False) as copy:
        patients = made.gallery.subject_of[copy.studies]
        assert len(copy.studies) == 30
        assert len(set(patients.tolist())) == 10
        assert await copy._searcher._store.count(Filter()) == 30
