"""Of many bounds the highest are taken first, and none twice."""

from __future__ import annotations

import numpy as np
import pytest

from mcp_cxr.stores.embedded._candidates import Bounds, _withdraw


def drawn(count: int) -> np.ndarray:
    return np.random.default_rng(count).normal(size=count).astype(np.float32)


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 1000, 6400, 50_001])
@pytest.mark.parametrize("wanted", [1, 31, 700])
def test_the_highest_are_taken_and_then_the_next(count: int, wanted: int) -> None:
    values = drawn(count)
    order, bounds = np.argsort(-values), Bounds(values.copy())
    for start in (0, wanted, 2 * wanted):
        assert sorted(bounds.take_highest(wanted)) == sorted(order[start : start + wanted])


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 1000, 6400, 50_001])
def test_all_that_reach_a_floor_are_taken_once(count: int) -> None:
    values = drawn(count)
    bounds = Bounds(values.copy())
    first = set(bounds.take_highest(5))
    expected = set(np.flatnonzero(values >= 0.5)) - first
    assert set(bounds.take_reaching(0.5)) == expected
    assert not len(bounds.take_reaching(0.5))
    assert set(bounds.take_highest(count + 1)) == set(range(count)) - expected - first


def test_what_is_equal_to_the_floor_reaches_it() -> None:
    assert sorted(Bounds(np.full(200, 0.25, np.float32)).take_reaching(0.25)) == list(range(200))


def test_of_equal_bounds_as_many_are_taken_as_are_wanted() -> None:
    bounds = Bounds(np.zeros(5000, np.float32))
    assert len(set(bounds.take_highest(300)) | set(bounds.take_highest(300))) == 600


def test_what_is_infinite_is_taken_first_and_what_is_minus_infinite_never() -> None:
    values = drawn(1000)
    values[[3, 999]], values[10:] = np.inf, -np.inf
    values[3] = np.inf
    bounds = Bounds(values)
    assert bounds.take_highest(1).tolist() == [3]
    assert sorted(bounds.take_highest(1000)) == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert not len(bounds.take_reaching(-np.inf))


def test_what_does_not_pass_is_withdrawn_whatever_its_bound() -> None:
    values = np.array([0.5, -0.5, np.inf, 0.5, -0.5, np.inf, -np.inf], np.float32)
    _withdraw(values, np.array([True, True, True, False, False, False, True]))
    assert values.tolist() == [0.5, -0.5, np.inf, -np.inf, -np.inf, -np.inf, -np.inf]
