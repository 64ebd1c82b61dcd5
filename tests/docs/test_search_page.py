"""The table of docs/search.md agrees with the code."""

from __future__ import annotations

import re

import pytest

from mcp_cxr.language import Status, parse_query_text
from tests.docs.pages import ROOT

ROWS = re.findall(r"^\| `(.+?)` \|(.*)\|(.*)\|(.*)\|$", (ROOT / "docs" / "search.md").read_text(), re.MULTILINE)


def names(cell: str) -> set[str]:
    return {name.strip() for name in cell.split(",") if name.strip()}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_queries_are_read_as_the_page_says(row: tuple[str, str, str, str]) -> None:
    meaning = parse_query_text(row[0])
    wanted = {one.name for one in meaning.mentions if one.finding and one.status is Status.PRESENT}
    assert (wanted, set(meaning.excluded_findings), set(meaning.possible_findings)) == tuple(map(names, row[1:]))


def test_the_table_has_all_rows() -> None:
    assert len(ROWS) == 8
