"""Cells of tables."""

from __future__ import annotations

import pytest

from mcp_cxr.layouts._cell_values import iso_time


@pytest.mark.parametrize(
    ("cell", "time"),
    [
        *(("80556.875", "08:05:56"), ("080556", "08:05:56"), ("56.0", "00:00:56"), ("0", "00:00:00")),
        *((" 8:05 ", "08:05:00"), ("08:05:56", "08:05:56"), ("08:05:56.5", "08:05:56")),
        *(("", None), ("250000", None), ("86000", None), ("-1", None), ("8h", None), ("1234567", None)),
    ],
)
def test_a_time_is_read_as_people_and_tables_write_it(cell: str, time: str | None):
    assert iso_time(cell) == time
