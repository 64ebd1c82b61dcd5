"""Finding scores are learned from other patients alone, separate what was planted, and are calibrated."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import numpy as np
import pytest

from mcp_cxr.errors import ConfigError, NotFound
from mcp_cxr.records import Filter, Fingerprint, ImageId, ImageRecord, Study, StudyId, SubjectId
from mcp_cxr.research.probes import (
    CHANGED,
    FOLDS,
    FORGOTTEN,
    StoredProbes,
    auc,
    brier_skill,
    calibration_slope,
    fit_linear_probes,
    fit_probes,
    fold_of,
)
from mcp_cxr.research.probes._fitted_probes import load
from mcp_cxr.stores import MemoryDatabase, MemoryStore
from tests.support.archives import copy_database
from tests.support.planted import LABELS, fill, planted

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mcp_cxr.research.probes import FittedProbes
    from mcp_cxr.stores import Store
    from tests.support.planted import Planted

IMAGES = 1500


@pytest.fixture(scope="module")
def images() -> Planted:
    return planted(IMAGES)


def folds(of: Planted) -> NDArray[np.int8]:
    return np.array([fold_of(of.subject(row)) for row in range(len(of.vectors))], np.int8)


@pytest.fixture(scope="module")
def filled(images: Planted) -> MemoryDatabase:
    database = MemoryDatabase()
    anyio.run(lambda: fill(MemoryStore(database), images, unlabeled=100))
    return database


@pytest.fixture
def store(filled: MemoryDatabase) -> Store:
    return MemoryStore(copy_database(filled))


def test_scores_separate_what_was_planted_and_are_calibrated(images: Planted) -> None:
    scores = fit_linear_probes(images.vectors, images.truth, folds(images)).scores(images.vectors, folds(images))
    assert 0 <= scores.min() <= scores.max() <= 1
    for column in range(len(LABELS)):
        has = images.truth[:, column] == 1
        assert auc(scores[:, column], has) > 0.75
        assert brier_skill(scores[:, column], has) > 0.1
        assert 0.8 <= calibration_slope(scores[:, column], has) <= 1.25


def test_shuffled_labels_are_not_learned(images: Planted) -> None:
    truth = np.random.default_rng(3).permuted(images.truth, axis=0)
    scores = fit_linear_probes(images.vectors, truth, folds(images)).scores(images.vectors, folds(images))
    for column in range(len(LABELS)):
        assert auc(scores[:, column], truth[:, column] == 1) == pytest.approx(0.5, abs=0.08)
        assert brier_skill(scores[:, column], truth[:, column] == 1) < 0.01


@pytest.mark.parametrize("fold", range(FOLDS))
def test_nothing_of_a_fold_decides_its_own_scores(images: Planted, fold: int) -> None:
    of = folds(images)
    own = of == fold
    before = fit_linear_probes(images.vectors, images.truth, of)
    truth, vectors = images.truth.copy(), images.vectors.copy()
    truth[own] = 1 - truth[own]
    vectors[own] = vectors[own][::-1]
    after = fit_linear_probes(vectors, truth, of)
    assert np.abs(after.weights[fold] - before.weights[fold]).max() < 1e-3 * np.abs(before.weights[fold]).max()
    others = [other for other in range(FOLDS) if other != fold]
    assert np.abs(after.weights[others] - before.weights[others]).max() > 0.1 * np.abs(before.weights).max()


def test_all_images_of_a_patient_are_in_one_fold_whatever_else_there_is(images: Planted) -> None:
    assert len({(images.subject(row), fold) for row, fold in enumerate(folds(images))}) == len(set(images.subject_of))
    assert set(folds(images).tolist()) == set(range(FOLDS))
    assert [fold_of("p10000032"), fold_of("p10000764"), fold_of("p10000898")] == [4, 0, 3]


def test_they_rank_as_well_as_a_logistic_regression(images: Planted) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    of = folds(images)
    ours = fit_linear_probes(images.vectors, images.truth, of).scores(images.vectors, of)
    for column in range(len(LABELS)):
        has = images.truth[:, column] == 1
        theirs = np.zeros(len(of))
        for fold in range(FOLDS):
            learned = LogisticRegression(C=100, max_iter=1000).fit(images.vectors[of != fold], has[of != fold])
            theirs[of == fold] = learned.decision_function(images.vectors[of == fold])
        assert auc(ours[:, column], has) > roc_auc_score(has, theirs) - 0.01


def test_the_figures_are_those_of_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(1)
    scores = np.round(rng.normal(size=9000), 2)
    has = rng.random(9000) < 1 / (1 + np.exp(2 - 1.5 * scores))
    assert auc(scores, has) == pytest.approx(roc_auc_score(has, scores))
    fitted = LogisticRegression(C=1e9).fit(scores[:, None], has)
    chances = fitted.predict_proba(scores[:, None])[:, 1]
    assert calibration_slope(chances, has) == pytest.approx(1, abs=0.01)
    assert brier_skill(chances, has) == pytest.approx(1 - np.mean((chances - has) ** 2) / np.var(has))
    assert brier_skill(np.full(9000, has.mean()), has) == pytest.approx(0)
    assert np.isnan(
        [auc(scores, has | True), calibration_slope(chances, has | True), brier_skill(chances, has | True)]
    ).all()


async def test_unlabeled_images_are_scored_and_not_learned_from(store: Store, images: Planted) -> None:
    fitted = await fit_probes(store, version="1")
    assert len(fitted.image_ids) == len(fitted.values) == IMAGES
    assert fitted.values.dtype == np.float32
    assert fitted.choices.labeled == IMAGES - 100
    edema = fitted.probes[fitted.labels.index("Edema")]
    assert edema.present == images.truth[:-100, 0].sum()
    assert edema.present + edema.absent == IMAGES - 100
    unseen = fitted.column("edema")[-100:]
    assert auc(unseen, images.truth[-100:, 0] == 1) > 0.7
    assert auc(fitted.column("Edema")[:-100], images.truth[:-100, 0] == 1) == pytest.approx(edema.auc)


async def test_uncertain_is_left_out_and_a_blank_counts_as_absent(store: Store, images: Planted) -> None:
    rows = np.flatnonzero(images.truth[:, 0] == 0)[:60]
    await store.put_studies(
        [
            Study(StudyId(f"s{row:06d}"), images.subject(row), labels={"Edema": -1} if number < 25 else {"Fracture": 1})
            for number, row in enumerate(rows)
        ]
    )
    edema = (await fit_probes(store, version="1")).probes[0]
    assert (edema.label, edema.uncertain) == ("Edema", 25)
    assert edema.absent == (images.truth[:-100, 0] == 0).sum() - 25


async def test_a_table_of_positives_only_is_said(images: Planted) -> None:
    async with MemoryStore(MemoryDatabase()) as store:
        await fill(store, images, positives_only=True)
        assert (await fit_probes(store, version="1")).choices.positives_only == IMAGES


@pytest.mark.parametrize(("count", "subjects"), [(49, 49), (120, 19)])
async def test_too_few_examples_are_not_learned_from_and_it_is_said(store: Store, count: int, subjects: int) -> None:
    of = [SubjectId(f"q{row % subjects}") for row in range(count)]
    await store.put_studies(
        [Study(StudyId(f"t{row}"), subject, labels={"Lung Lesion": 1}) for row, subject in enumerate(of)]
    )
    await store.put(
        [
            ImageRecord(ImageId(f"z{row:04d}"), StudyId(f"t{row}"), subject, "PA", "none", "", "/")
            for row, subject in enumerate(of)
        ],
        np.random.default_rng(1).normal(size=(count, 32)).astype(np.float32),
    )
    fitted = await fit_probes(store, version="1")
    reason = f"present in {count} images of {subjects} patients"
    assert fitted.not_fitted == {"Lung Lesion": reason}
    assert set(fitted.labels) == set(LABELS)
    with pytest.raises(
        NotFound, match=f"Lung Lesion has no probe: it is {reason}; a probe needs 50 images of 20 patients"
    ):
        fitted.column("Lung Lesion")
    with pytest.raises(NotFound, match=r"There is no probe of 'Edma'\. Known: Edema, "):
        fitted.column("Edma")


async def test_an_archive_without_labels_says_what_is_needed() -> None:
    async with MemoryStore(MemoryDatabase()) as store:
        await store.create(Fingerprint("planted", 32, "test"))
        with pytest.raises(ConfigError, match="no images to learn from"):
            await fit_probes(store, version="1")
        await fill(store, planted(10), unlabeled=10)
        with pytest.raises(ConfigError, match="No study of the archive has labels"):
            await fit_probes(store, version="1")


async def test_what_is_stored_is_read_again_and_only_by_its_owner(store: Store, tmp_path: Path) -> None:
    stored = StoredProbes(tmp_path / "data" / "probes.npz", store)
    with pytest.raises(NotFound, match="mcp-cxr probe fit"):
        await stored.read()
    fitted = await stored.fit(version="1")
    again = await stored.read()
    assert again.probes == fitted.probes
    assert again.choices == fitted.choices
    assert again.image_ids == fitted.image_ids
    assert (again.values == fitted.values).all()
    assert (again.linear.weights == fitted.linear.weights).all()
    assert again.stale == ()
    assert stored.path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in stored.path.parent.iterdir()] == ["probes.npz"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"x" * 1000])
async def test_a_damaged_file_is_named_and_does_not_hinder_forget(store: Store, tmp_path: Path, content: bytes) -> None:
    stored = StoredProbes(tmp_path / "probes.npz", store)
    stored.path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"probes\.npz is damaged; learn the probes again with `mcp-cxr probe fit`"):
        await stored.read()
    await stored.mark_changed()
    await stored.forget(Filter(subject_id=SubjectId("p00001")))
    assert not stored.path.exists()


@pytest.mark.parametrize(
    ("array", "content"),
    [
        ("values", np.zeros((1, 1), np.float32)),
        ("values", np.full((IMAGES, len(LABELS)), "a")),
        ("values", np.array([print], object)),
        ("weights", np.zeros((1, 1, 1), np.float32)),
        ("facts", np.frombuffer(b"[]", np.uint8)),
        ("facts", np.frombuffer(b'{"format": 1, "probes": [{"label": 3}]}', np.uint8)),
    ],
)
async def test_a_file_whose_parts_do_not_fit_each_other_is_damaged(
    store: Store, tmp_path: Path, array: str, content: NDArray[np.generic]
) -> None:
    stored = StoredProbes(tmp_path / "probes.npz", store)
    await stored.fit(version="1")
    with np.load(stored.path) as arrays:
        parts = {**arrays, array: content}
    np.savez(stored.path, allow_pickle=True, **parts)
    with pytest.raises(ConfigError, match=r"probes\.npz is damaged"):
        await stored.read()


async def test_every_flipped_byte_is_read_or_refused(store: Store, tmp_path: Path) -> None:
    stored = StoredProbes(tmp_path / "probes.npz", store)
    await stored.fit(version="1")
    content = stored.path.read_bytes()
    for place in range(len(content) - 600, len(content)):  # the list of the parts: how they are packed
        for mask in (1, 32):
            changed = bytearray(content)
            changed[place] ^= mask
            stored.path.write_bytes(changed)
            with suppress(ConfigError):
                load(stored.path)


async def test_what_is_forgotten_while_probes_are_learned_has_no_scores(
    store: Store, images: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def learned_before(store: Store, *, version: str) -> FittedProbes:
        found = await fit_probes(store, version=version)
        await store.forget(Filter(subject_id=images.subject(0)))
        return found

    monkeypatch.setattr("mcp_cxr.research.probes._stored_probes.fit_probes", learned_before)
    stored = StoredProbes(tmp_path / "probes.npz", store)
    fitted = await stored.fit(version="1")
    assert images.image(0) not in fitted.image_ids
    assert images.image(0).encode() not in stored.path.read_bytes()
    assert fitted.stale == (FORGOTTEN,)


async def test_a_forgotten_patient_has_no_scores_and_the_probes_are_out_of_date(
    store: Store, images: Planted, tmp_path: Path
) -> None:
    stored = StoredProbes(tmp_path / "probes.npz", store)
    await stored.fit(version="1")
    where = Filter(subject_id=images.subject(0))
    gone = [images.image(row) for row in range(IMAGES) if images.subject_of[row] == images.subject_of[0]]
    await stored.forget(where)
    await store.forget(where)
    after = await stored.read()
    assert not set(gone) & set(after.image_ids)
    assert len(after.image_ids) == len(after.values) == IMAGES - len(gone)
    assert after.stale[0] == FORGOTTEN
    assert not any(image_id.encode() in stored.path.read_bytes() for image_id in gone)
    assert (await stored.score()).stale[0] == FORGOTTEN  # scored again, and still learned from the patient
    assert (await stored.fit(version="1")).stale == ()


async def test_new_images_and_another_embedder_make_probes_out_of_date(
    store: Store, images: Planted, tmp_path: Path
) -> None:
    stored = StoredProbes(tmp_path / "probes.npz", store)
    fitted = await stored.fit(version="1")
    image = ImageRecord(ImageId("zz"), StudyId("s000000"), images.subject(0), "PA", "none", "", "/")
    await store.put([image], images.vectors[:1])
    assert (await stored.read()).stale == ("the archive has 1,501 images, 1,500 when they were learned",)
    scored = await stored.score()
    assert scored.image_ids[-1] == "zz"
    assert scored.values[-1] == pytest.approx(fitted.values[0])  # the same patient: the same probe
    await stored.mark_changed()
    assert CHANGED in (await stored.read()).stale
    other = StoredProbes(stored.path, MemoryStore(MemoryDatabase()))
    await fill(other.store, images, fingerprint=Fingerprint("another", 32, "test"))
    assert "the archive's vectors are of another embedder" in (await other.read()).stale
    with pytest.raises(ConfigError, match="another embedder"):
        await other.score()


async def test_the_same_archive_gives_the_same_scores(store: Store) -> None:
    one, other = await fit_probes(store, version="1"), await fit_probes(store, version="1")
    assert (one.values == other.values).all()
    assert replace(one.choices, fitted_at="") == replace(other.choices, fitted_at="")
