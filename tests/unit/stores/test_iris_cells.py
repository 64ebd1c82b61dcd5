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
