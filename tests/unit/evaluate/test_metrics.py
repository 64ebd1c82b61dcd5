"""Figures of single rankings agree with scikit-learn, and with the mean over all orders of ties."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_cxr.evaluate.metrics import Figure, KnownItemRank, Ranking

if TYPE_CHECKING:
    from collections.abc import Callable

K = 10
# Tests load scikit-learn themselves: it takes a second, which every process that collects tests would take.
FEW = settings(deadline=None, max_examples=40)  # scikit-learn takes a millisecond for each answer


@st.composite
def untied(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Distinct scores, and which items are relevant: at least one."""
    n = draw(st.integers(2, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    relevant = rng.random(n) < draw(st.floats(0.05, 0.9))
    relevant[rng.integers(n)] = True
    return rng.permutation(n).astype(np.float32), relevant


@st.composite
def tied(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """A few items with few distinct scores."""
    n = draw(st.integers(2, 6))
    scores = draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    relevant = draw(st.lists(st.booleans(), min_size=n, max_size=n).filter(any))
    return np.array(scores, np.float32), np.array(relevant)


@FEW
@given(untied())
def test_figures_without_ties_equal_scikit_learn(ranking: tuple[np.ndarray, np.ndarray]) -> None:
    from sklearn.metrics import average_precision_score, ndcg_score

    scores, relevant = ranking
    groups = Ranking(scores, relevant).groups()
    best = relevant[np.argsort(-scores)]
    assert groups.average_precision() == pytest.approx(average_precision_score(relevant, scores))
    assert groups.ndcg(K) == pytest.approx(ndcg_score([relevant], [scores], k=K))
    for k in (1, 5, K):
        assert groups.precision(k) == pytest.approx(best[:k].sum() / k)


@FEW
@given(tied())
def test_figures_with_ties_are_the_mean_over_all_orders(ranking: tuple[np.ndarray, np.ndarray]) -> None:
    from sklearn.metrics import average_precision_score, ndcg_score

    scores, relevant = ranking
    orders = Counter(
        tuple(relevant[list(order)].tolist())
        for order in itertools.permutations(range(len(scores)))
        if all(scores[a] >= scores[b] for a, b in itertools.pairwise(order))
    )

    def mean(of: Callable[[np.ndarray], float]) -> float:
        return float(np.average([of(np.array(order)) for order in orders], weights=list(orders.values())))

    descending = -np.arange(len(scores), dtype=float)
    groups = Ranking(scores, relevant).groups()
    assert groups.average_precision() == pytest.approx(mean(lambda one: average_precision_score(one, descending)))
    assert groups.ndcg(3) == pytest.approx(ndcg_score([relevant], [scores], k=3))
    assert groups.precision(2) == pytest.approx(mean(lambda one: one[:2].sum() / 2))


@FEW
@given(untied(), st.integers(0, 2**32))
def test_an_item_of_weight_three_counts_as_three_items(ranking: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    scores, relevant = ranking
    weights = np.random.default_rng(seed).integers(0, 4, len(scores))
    weighted = Ranking(scores, relevant).groups(weights)
    repeated = Ranking(np.repeat(scores, weights), np.repeat(relevant, weights)).groups()
    for of in (lambda one: one.average_precision(), lambda one: one.ndcg(5), lambda one: one.precision(5)):
        assert of(weighted) == pytest.approx(of(repeated), nan_ok=True)


@settings(FEW, max_examples=8)
@given(untied())
def test_chance_is_the_mean_over_shuffled_rankings(ranking: tuple[np.ndarray, np.ndarray]) -> None:
    from sklearn.metrics import average_precision_score

    scores, relevant = ranking
    rng = np.random.default_rng(0)
    shuffled = [average_precision_score(rng.permutation(relevant), scores) for _ in range(100)]
    error = np.std(shuffled) / np.sqrt(len(shuffled))
    assert Ranking(scores, relevant).chance().average_precision() == pytest.approx(
        np.mean(shuffled), abs=5 * error + 1e-9
    )
    assert Ranking(scores, relevant).chance().precision(1) == pytest.approx(relevant.mean())


@FEW
@given(st.integers(0, 30), st.integers(0, 5), st.integers(1, 20))
def test_a_known_item_has_the_mean_of_its_possible_ranks(ahead: int, tied: int, k: int) -> None:
    ranks = range(ahead + 1, ahead + tied + 2)
    assert KnownItemRank(ahead, tied).recall(k) == pytest.approx(np.mean([rank <= k for rank in ranks]))
    assert KnownItemRank(ahead, tied).reciprocal_rank() == pytest.approx(np.mean([1 / rank for rank in ranks]))


def test_figures_without_relevant_items_are_nan_or_zero() -> None:
    groups = Ranking(np.array([1.0, 2.0]), np.array([False, False])).groups()
    assert np.isnan([groups.average_precision(), groups.ndcg(5)]).all()
    assert groups.precision(1) == 0


@pytest.mark.parametrize(
    ("n", "counted", "unit"),
    [
        (1, "queries with results", "query with results"),
        (2, "queries with results", "queries with results"),
        (1, "studies with it", "study with it"),
        (1, "prompts", "prompt"),
        (1, "", ""),
    ],
)
def test_the_unit_of_one_is_singular(n: int, counted: str, unit: str) -> None:
    figure = Figure("P@10", "", 0.5, None, None, None, n, counted=counted)
    assert figure.unit == unit
