"""Values converted to cells and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_cxr.errors import StoreError
from mcp_cxr.stores.iris.driver import (
    from_path_cell,
    from_vector_cell,
    path_key,
    to_list_cell,
    to_path_cell,
    to_vector_cell,
    to_vector_cells,
    vectors_from_cells,
)

SEPARATOR = "\x1f"
PATHS = st.binary(max_size=40).map(lambda raw: raw.decode(errors="surrogateescape"))


@given(PATHS)
def test_any_path_round_trips_as_unicode_text(path: str) -> None:
    cell = to_path_cell(path)
    cell.encode()
    assert from_path_cell(cell) == path


def test_a_path_that_the_driver_returns_as_a_number_is_read_as_text() -> None:
    assert from_path_cell(20130401) == "20130401"


@given(PATHS, PATHS)
def test_path_keys_are_distinct_and_fit_a_subscript(one: str, other: str) -> None:
    assert (path_key(one) == path_key(other)) == (one == other)
    assert len(path_key(one)) == 33


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_a_vector_round_trips_exactly(numbers: list[float]) -> None:
    vector = np.array(numbers, np.float32)
    back = from_vector_cell(to_vector_cell(vector))
    assert back is not None
    np.testing.assert_array_equal(back, vector)


@pytest.mark.parametrize("exponent", range(-12, 4))
def test_vectors_of_any_size_round_trip_exactly(exponent: int) -> None:
    vectors = np.random.default_rng(exponent + 50).normal(size=(37, 64)).astype(np.float32) * np.float32(10.0**exponent)
    vectors[:, :3] = [0, 10.0**exponent, -(10.0**exponent)]
    back = [from_vector_cell(cell) for cell in to_vector_cells(vectors)]
    np.testing.assert_array_equal(np.stack([row for row in back if row is not None]), vectors)


def test_numbers_next_to_a_power_of_ten_round_trip_exactly() -> None:
    powers = np.array([10.0**exponent for exponent in range(-6, 2)], np.float32)
    vector = np.concatenate([powers, np.nextafter(powers, np.float32(0)), np.nextafter(powers, np.float32(99))])
    np.testing.assert_array_equal(from_vector_cell(to_vector_cell(vector)), vector)


def test_numbers_are_written_with_as_few_digits_as_are_exact() -> None:
    vectors = np.random.default_rng(5).normal(scale=0.03, size=(8, 1024)).astype(np.float32)
    shortest = sum(len(np.format_float_positional(number, unique=True)) for number in vectors.ravel())
    assert sum(len(cell) - cell.count(",") for cell in to_vector_cells(vectors)) <= 1.001 * shortest
    assert to_vector_cell(np.array([0.5, -0.02, 1, 0, 0.0123456], np.float32)) == "0.5,-0.02,1,0,0.0123456"


def test_no_vectors_are_no_cells() -> None:
    assert to_vector_cells(np.empty((0, 8), np.float32)) == []


def test_a_vector_is_read_in_the_format_of_iris() -> None:
    np.testing.assert_array_equal(from_vector_cell(".5,-.25,1"), np.array([0.5, -0.25, 1], np.float32))


def test_a_missing_or_short_vector_is_an_error() -> None:
    for bad in (None, "1,2"):
        with pytest.raises(StoreError, match="table verify"):
            vectors_from_cells(["1,2,3", bad], 3)


def test_a_list_cell_holds_distinct_sorted_values() -> None:
    assert to_list_cell(["b", "a", "b"]) == f"a{SEPARATOR}b"


def test_a_list_cell_leaves_out_values_with_the_separator() -> None:
    assert to_list_cell(["a", f"b{SEPARATOR}c"]) == "a"
