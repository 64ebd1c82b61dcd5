"""The highest bounds are taken first, and none twice.

Imports private modules: a store shows only the ranking, which is the same if candidates are taken in a worse order.
"""

from __future__ import annotations

import numpy as np
import pytest

from mcp_cxr.stores.embedded.vectors._candidates import Bounds, Candidates, _exclude
from mcp_cxr.stores.embedded.vectors._quantized import BLOCK, quantize


def bounded(values: np.ndarray, *excess: float) -> Bounds:
    bounds = Bounds(len(values))
    bounds.values[:] = values
    bounds.excess[: len(excess)] = excess
    return bounds


def drawn(count: int) -> np.ndarray:
    return np.random.default_rng(count).normal(size=count).astype(np.float32)


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 1000, 6400, 100_001])
@pytest.mark.parametrize("wanted", [1, 31, 700])
def test_the_highest_are_taken_and_then_the_next(count: int, wanted: int) -> None:
    values = drawn(count)
    order, bounds = np.argsort(-values), bounded(values)
    for start in (0, wanted, 2 * wanted):
        assert sorted(bounds.take_highest(wanted)) == sorted(order[start : start + wanted])


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 1000, 6400, 100_001])
def test_all_that_reach_a_floor_are_taken_once(count: int) -> None:
    values = drawn(count)
    bounds = bounded(values)
    first = set(bounds.take_highest(5))
    expected = set(np.flatnonzero(values >= 0.5)) - first
    assert set(bounds.take_reaching(0.5)) == expected
    assert not len(bounds.take_reaching(0.5))
    assert set(bounds.take_highest(count + 1)) == set(range(count)) - expected - first


def test_a_bound_equal_to_the_floor_reaches_it() -> None:
    assert sorted(bounded(np.full(200, 0.25, np.float32)).take_reaching(0.25)) == list(range(200))


def test_equal_bounds_are_taken_up_to_the_count() -> None:
    bounds = bounded(np.zeros(5000, np.float32))
    assert len(set(bounds.take_highest(300)) | set(bounds.take_highest(300))) == 600


def test_infinite_bounds_are_taken_first_and_minus_infinite_ones_never() -> None:
    values = drawn(1000)
    values[10:] = -np.inf
    values[[3, 999]] = np.inf
    bounds = bounded(values)
    assert sorted(bounds.take_highest(2)) == [3, 999]
    assert sorted(bounds.take_highest(1000)) == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert not len(bounds.take_reaching(-np.inf))


def test_rows_that_do_not_pass_are_excluded_whatever_their_bound() -> None:
    values = np.array([0.5, -0.5, np.inf, 0.5, -0.5, np.inf, -np.inf], np.float32)
    _exclude(values, np.array([True, True, True, False, False, False, True]))
    assert values.tolist() == [0.5, -0.5, np.inf, -np.inf, -np.inf, -np.inf, -np.inf]


def test_the_excess_of_a_block_is_added_to_all_its_bounds() -> None:
    values = np.zeros(2 * BLOCK + 100, np.float32)
    values[[7, BLOCK + 7, 2 * BLOCK + 7]] = 0.5, 0.3, 0.6
    bounds = bounded(values, 0.25, 0.5, 0.125)
    assert [bounds.take_highest(1).tolist() for _ in range(3)] == [[BLOCK + 7], [7], [2 * BLOCK + 7]]
    assert sorted(bounds.take_reaching(0.5)) == [place for place in range(BLOCK, 2 * BLOCK) if place != BLOCK + 7]


@pytest.mark.parametrize("count", [1, 300, BLOCK, BLOCK + 1, 2 * BLOCK + 513])
@pytest.mark.parametrize("share", [None, 0.5, 0.1, 0.0])
def test_no_nearest_image_is_left_out(count: int, share: float | None) -> None:
    rng = np.random.default_rng(count)
    vectors = (rng.normal(size=(count, 16)) + 1).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[::97] = vectors[0]
    rows = quantize(range(1, count + 1), [1] * count, ["PA"] * count, vectors, vectors.mean(axis=0))
    passing = None if share is None else rng.random(count) < share
    cosines = vectors @ vectors[0]
    cosines[[] if passing is None else ~passing] = -np.inf
    for limit in (1, 10, 5000):
        candidates = Candidates.of_mask(rows, vectors[0], passing)
        slots = candidates.take_highest(limit)
        taken = cosines[slots - 1]
        floor = np.sort(taken)[-limit] if len(taken) >= limit else -np.inf
        slots = np.concatenate((slots, candidates.take_reaching(floor)))
        assert len(set(slots)) == len(slots)
        assert set(np.flatnonzero(cosines > max(floor, -2)) + 1) <= set(slots)
