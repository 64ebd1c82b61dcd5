"""The table of docs/search.md agrees with the code."""

from __future__ import annotations

import re

import pytest

from mcp_cxr.language.query import parse_query_text
from tests.docs.pages import ROOT

ROWS = re.findall(r"^\| `(.+?)` \|(.*)\|(.*)\|(.*)\|$", (ROOT / "docs" / "search.md").read_text(), re.MULTILINE)


def phrases(cell: str) -> set[str]:
    return {phrase.strip() for phrase in cell.split(",") if phrase.strip()}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_queries_are_read_as_the_page_says(row: tuple[str, str, str, str]) -> None:
    meaning = parse_query_text(row[0])
    wanted, ruled_out, possible = map(phrases, row[1:])
    groups = {
        (" or ".join(one.phrase for one in group), any(one.is_hedged for one in group)) for group in meaning.wanted
    }
    assert {phrase for phrase, is_hedged in groups if not is_hedged} == wanted
    assert {one.phrase for one in meaning.ruled_out} == ruled_out
    assert {phrase for phrase, is_hedged in groups if is_hedged} == possible


def test_the_table_has_all_rows() -> None:
    assert len(ROWS) == 11
