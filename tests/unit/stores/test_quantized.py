"""int8 codes bound every cosine from above, with SIMD and without.

Imports private modules: a store corrects the ranking with exact cosines, and would hide a wrong bound.
"""

from __future__ import annotations

import numpy as np
import pytest

from mcp_cxr.records import VIEW_POSITIONS
from mcp_cxr.stores.embedded.vectors import _simd
from mcp_cxr.stores.embedded.vectors._quantized import _KEPT_ESTIMATES, BLOCK, QuantizedRows, quantize


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def drawn(count: int, dimension: int, *, seed: int = 0) -> np.ndarray:
    """Unit vectors around a common mean with a few large numbers, as CLIP's are."""
    rng = np.random.default_rng(seed)
    mean = rng.normal(size=dimension)
    mean[:: max(1, dimension // 5)] *= 12
    return unit(unit(mean) * 1.5 + unit(rng.normal(size=(count, dimension))))


def encoded(vectors: np.ndarray, center: np.ndarray) -> QuantizedRows:
    count = len(vectors)
    return quantize(
        range(1, count + 1),
        [1] * count,
        [VIEW_POSITIONS[n % 4] for n in range(count)],
        vectors,
        center.astype(np.float32),
    )


def upper_bounds(rows: QuantizedRows, query: np.ndarray) -> np.ndarray:
    """Return the upper bounds of all rows."""
    found = np.empty(len(rows.slots), np.float32)
    excess = rows.estimates(rows.quantize_query(query), found)
    return found + np.repeat(excess, BLOCK)[: len(found)]


@pytest.mark.parametrize("dimension", [3, 8, 512, 1000, 1024, 1152])
@pytest.mark.parametrize("centred", [True, False])
def test_no_cosine_exceeds_its_bound_and_the_tighter_bound_is_tighter(dimension: int, centred: bool) -> None:
    vectors = drawn(3000, dimension)
    rows = encoded(vectors, vectors.mean(axis=0) if centred else np.zeros(dimension))
    for query in (*drawn(3, dimension, seed=1), vectors[7], -vectors[7], np.eye(1, dimension, dtype=np.float32)[0]):
        cosines = vectors.astype(np.float64) @ query.astype(np.float64)
        far, near = upper_bounds(rows, query), rows.tighter_upper_bounds(rows.quantize_query(query), np.arange(3000))
        assert (far >= cosines).all()
        assert (near >= cosines).all()
        assert near.mean() <= far.mean() + 1e-6
        assert (near - cosines).max() < 0.1


def test_bounds_of_a_few_rows_are_no_looser_than_those_of_all() -> None:
    vectors = drawn(40_000, 64)
    rows, query = encoded(vectors, vectors.mean(axis=0)), drawn(1, 64, seed=1)[0]
    for some in (np.array([39_999, 3, 17_000, 77]), np.arange(3, 40_000, 7), np.arange(0)):
        found = rows.upper_bounds(rows.quantize_query(query), some)
        assert (found >= vectors[some].astype(np.float64) @ query).all()
        assert (found <= upper_bounds(rows, query)[some] + 1e-6).all()


def test_a_row_is_quantized_the_same_whatever_rows_come_with_it() -> None:
    vectors = drawn(4096, 1024)
    together = encoded(vectors, vectors.mean(axis=0))
    for number in range(0, 4096, 5):
        alone = encoded(vectors[number : number + 1], vectors.mean(axis=0))
        assert (alone.codes == together.codes[number]).all()
        assert (alone.along, alone.scales) == (together.along[number], together.scales[number])


def test_a_damaged_number_makes_only_its_own_bound_infinite() -> None:
    vectors = drawn(300, 16)
    vectors[7] = [3e38, -3e38] * 8
    found = upper_bounds(encoded(vectors, np.zeros(16)), vectors[0])
    assert np.flatnonzero(~np.isfinite(found)).tolist() == [7]


def test_an_unusual_vector_loosens_only_the_bounds_of_its_block() -> None:
    vectors = drawn(50_000, 64)
    usual = upper_bounds(encoded(vectors, np.zeros(64)), vectors[0])
    vectors[100] = unit(
        np.array([1.0] + [0.003] * 63)
    )  # one number so large that the int8 steps of the others are coarse
    with_it = upper_bounds(encoded(vectors, np.zeros(64)), vectors[0])
    np.testing.assert_array_equal(with_it[40_000:], usual[40_000:])
    assert (with_it[200:1000] > usual[200:1000]).all()


@pytest.mark.parametrize("width", [64, 1024, 1152])
@pytest.mark.parametrize("count", [0, 1, 5, 3000])
def test_numpy_and_simd_give_the_same_products(width: int, count: int) -> None:
    rng = np.random.default_rng(width + count)
    codes = rng.integers(-127, 128, (count, width), np.int8)
    query = rng.integers(-127, 128, width, np.int8)
    expected = codes.astype(np.int64) @ query.astype(np.int64)
    found, by_numpy = np.full((2, count), np.nan, np.float32)
    _simd.products(codes, query, found)
    _simd.products_of_numpy(codes, query, by_numpy)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(by_numpy, expected)


@pytest.mark.parametrize("simd", [True, False])
def test_values_are_combined_with_simd_and_without(simd: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    values, scales, others = rng.normal(size=(3, 1001)).astype(np.float32)
    expected = 0.25 * scales.astype(np.float64) * values - 3 * others.astype(np.float64)
    if not simd:
        monkeypatch.setattr(_simd, "numkong", None)
    _simd.combine(values, scales, others, scale=0.25, other=-3)
    np.testing.assert_allclose(values, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("dimension", [3, 64, 1000])
def test_a_query_is_padded_and_begins_within_a_cache_line(dimension: int) -> None:
    query = np.arange(1, dimension + 1, dtype=np.int64).astype(np.int8)
    ready = _simd.prepared(query, 1024)
    assert ready.ctypes.data % 64 == 48
    assert ready.tolist() == query.tolist() + [0] * (1024 - dimension)


def test_numkong_is_installed_here() -> None:
    assert _simd.numkong is not None


def test_without_numkong_numpy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, query = encoded(drawn(500, 64), np.zeros(64)), drawn(1, 64, seed=1)[0]
    with_simd = upper_bounds(rows, query)
    monkeypatch.setattr(_simd, "numkong", None)
    np.testing.assert_allclose(upper_bounds(rows, query), with_simd, rtol=0, atol=1e-6)


def test_a_damaged_vector_is_always_a_candidate_and_a_wiped_one_never() -> None:
    vectors = drawn(4, 16)
    vectors[1, 3] = np.nan
    vectors[2] = np.inf
    vectors[3] = 0
    rows = encoded(vectors, np.zeros(16))
    assert (upper_bounds(rows, vectors[0])[1:3] == np.inf).all()
    assert (rows.upper_bounds(rows.quantize_query(vectors[0]), np.arange(1, 3)) == np.inf).all()
    assert 0 <= upper_bounds(rows, vectors[0])[3] < 0.1
    wiped = QuantizedRows.wiped(rows.slots, rows.center)
    assert (upper_bounds(wiped, vectors[0]) == -np.inf).all()
    assert (wiped.upper_bounds(wiped.quantize_query(vectors[0]), np.arange(4)) == -np.inf).all()


def test_views_have_distinct_codes_and_unknown_ones_share_one() -> None:
    rows = quantize(
        [1, 2, 3, 4], [1] * 4, ["PA", "LATERAL", "nonsense", "other nonsense"], drawn(4, 8), np.zeros(8, np.float32)
    )
    assert rows.view_mask(("PA",)).tolist() == [True, False, False, False]
    assert rows.view_mask(("LATERAL", "PA")).tolist() == [True, True, False, False]
    assert rows.view_mask(("nonsense",)).tolist() == [False, False, True, True]


def test_find_returns_the_places_of_slots() -> None:
    rows = quantize([3, 7, 20], [1] * 3, ["PA"] * 3, drawn(3, 8), np.zeros(8, np.float32))
    positions, here = rows.find(np.array([1, 3, 8, 20, 99]))
    assert here.tolist() == [False, True, False, True, False]
    assert positions[here].tolist() == [0, 2]


def test_estimates_of_a_query_that_was_asked_before_are_the_same_and_few_are_kept() -> None:
    vectors = drawn(200, 48)
    rows = encoded(vectors, vectors.mean(axis=0))
    queries = drawn(20, 48, seed=1)
    first = [estimated(rows, query) for query in queries]
    assert len(rows._kept_estimates) == _KEPT_ESTIMATES
    for query, expected in zip(queries[::-1], first[::-1], strict=True):
        assert (estimated(rows, query) == expected).all()
    opposite = 2 * float(queries[0] @ direction(rows.center)) * direction(rows.center) - queries[0]
    assert (estimated(rows, -opposite.astype(np.float32)) != first[0]).any(), "the same across, not along, the center"


def estimated(rows: QuantizedRows, query: np.ndarray) -> np.ndarray:
    values = np.empty(len(rows.slots), np.float32)
    rows.estimates(rows.quantize_query(query), values)
    return values


def direction(center: np.ndarray) -> np.ndarray:
    return center / np.linalg.norm(center)
