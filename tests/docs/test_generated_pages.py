"""The pages that are generated are those that are committed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.docs import api, reliability

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize(
    ("verb", "page", "written"),
    [("api", api.PAGE, api.page), ("reliability", reliability.PAGE, reliability.page)],
    ids=["api", "reliability"],
)
def test_a_generated_page_is_up_to_date(verb: str, page: Path, written: Callable[[], str]) -> None:
    assert page.read_text() == written(), f"run `make {verb}`"


def test_the_api_page_shows_signature_types_fields_and_errors() -> None:
    text = api.page()
    assert "async def nearest(self, vector: Vector, where: Filter, *, limit: int) -> list[RankedImage]" in text
    assert "- `StoreUnavailable`: From any method; a retry may help." in text
    assert "- `schema_version: int`" in text
    assert "-> use that version, or make a new archive" in text
