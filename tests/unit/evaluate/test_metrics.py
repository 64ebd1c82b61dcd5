"""Figures of single rankings agree with scikit-learn, and with every order that ties could stand in."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, ndcg_score

from mcp_cxr.evaluate.metrics._ranking import Place, Ranking

if TYPE_CHECKING:
    from collections.abc import Callable

K = 10
FEW = settings(deadline=None, max_examples=40)  # scikit-learn takes a millisecond for each answer


@st.composite
def untied(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Scores that all differ, and which items are right: at least one."""
    n = draw(st.integers(2, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    right = rng.random(n) < draw(st.floats(0.05, 0.9))
    right[rng.integers(n)] = True
    return rng.permutation(n).astype(np.float32), right


@st.composite
def tied(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """A few items with few different scores."""
    n = draw(st.integers(2, 6))
    scores = draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    right = draw(st.lists(st.booleans(), min_size=n, max_size=n).filter(any))
    return np.array(scores, np.float32), np.array(right)


@FEW
@given(untied())
def test_untied_rankings_score_as_scikit_learn_says(made: tuple[np.ndarray, np.ndarray]) -> None:
    scores, right = made
    counted = Ranking(scores, right).counted()
    best = right[np.argsort(-scores)]
    assert counted.average_precision() == pytest.approx(average_precision_score(right, scores))
    assert counted.ndcg(K) == pytest.approx(ndcg_score([right], [scores], k=K))
    for k in (1, 5, K):
        assert counted.precision(k) == pytest.approx(best[:k].sum() / k)
        assert counted.recall(k) == pytest.approx(best[:k].sum() / right.sum())


@FEW
@given(tied())
def test_tied_rankings_score_as_the_mean_of_all_their_orders(made: tuple[np.ndarray, np.ndarray]) -> None:
    scores, right = made
    orders = Counter(
        tuple(right[list(order)].tolist())
        for order in itertools.permutations(range(len(scores)))
        if all(scores[a] >= scores[b] for a, b in itertools.pairwise(order))
    )

    def mean(of: Callable[[np.ndarray], float]) -> float:
        return float(np.average([of(np.array(order)) for order in orders], weights=list(orders.values())))

    places = -np.arange(len(scores), dtype=float)
    counted = Ranking(scores, right).counted()
    assert counted.average_precision() == pytest.approx(mean(lambda one: average_precision_score(one, places)))
    assert counted.ndcg(3) == pytest.approx(ndcg_score([right], [scores], k=3))
    assert counted.precision(2) == pytest.approx(mean(lambda one: one[:2].sum() / 2))
    assert counted.recall(2) == pytest.approx(mean(lambda one: one[:2].sum() / one.sum()))


@FEW
@given(untied(), st.integers(0, 2**32))
def test_an_item_of_weight_three_counts_as_three_items(made: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    scores, right = made
    weights = np.random.default_rng(seed).integers(0, 4, len(scores))
    weighted = Ranking(scores, right).counted(weights)
    repeated = Ranking(np.repeat(scores, weights), np.repeat(right, weights)).counted()
    for of in (lambda one: one.average_precision(), lambda one: one.ndcg(5), lambda one: one.precision(5)):
        assert of(weighted) == pytest.approx(of(repeated), nan_ok=True)


@settings(FEW, max_examples=8)
@given(untied())
def test_chance_is_the_mean_of_shuffled_rankings(made: tuple[np.ndarray, np.ndarray]) -> None:
    scores, right = made
    rng = np.random.default_rng(0)
    shuffled = [average_precision_score(rng.permutation(right), scores) for _ in range(100)]
    error = np.std(shuffled) / np.sqrt(len(shuffled))
    assert Ranking(scores, right).chance().average_precision() == pytest.approx(np.mean(shuffled), abs=5 * error + 1e-9)
    assert Ranking(scores, right).chance().precision(1) == pytest.approx(right.mean())


@FEW
@given(st.integers(0, 30), st.integers(0, 5), st.integers(1, 20))
def test_the_one_right_item_shares_its_places_with_those_it_ties_with(ahead: int, tied: int, k: int) -> None:
    places = range(ahead + 1, ahead + tied + 2)
    assert Place(ahead, tied).recall(k) == pytest.approx(np.mean([place <= k for place in places]))
    assert Place(ahead, tied).reciprocal_rank() == pytest.approx(np.mean([1 / place for place in places]))


def test_without_any_right_item_there_is_no_average() -> None:
    counted = Ranking(np.array([1.0, 2.0]), np.array([False, False])).counted()
    assert np.isnan([counted.average_precision(), counted.ndcg(5), counted.recall(1)]).all()
    assert counted.precision(1) == 0
