"""Sex and age as filters: as arguments and in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_cxr.errors import QueryError
from tests.support.archives import ingested, opened
from tests.support.image_files import plain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TABLE = "path,patient,sex,age,report\n1.png,A,F,70,Mild edema.\n2.png,B,M,70,Mild edema.\n3.png,C,F,30,Mild edema.\n"


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    images = tmp_path / "images"
    for number in range(1, 5):
        plain(images / f"{number}.png", number)
    (images / "images.csv").write_text(f"{TABLE}4.png,D,,,Mild edema.\n")
    await ingested(tmp_path / "data", images)
    return tmp_path / "data"


@pytest.mark.parametrize(
    ("arguments", "paths", "warning"),
    [
        ({"sex": "f"}, {"1.png", "3.png"}, "no sex recorded: 1."),
        ({"age_from": 60}, {"1.png", "2.png"}, "no age recorded: 1."),
        ({"age_to": 30, "sex": "F"}, {"3.png"}, "neither a sex nor an age recorded: 1."),
        ({"query": "edema in women over 60"}, {"1.png"}, "neither a sex nor an age recorded: 1."),
        ({"query": "edema in women", "sex": "M"}, {"2.png"}, "no sex recorded: 1."),
    ],
)
async def test_sex_and_age_filter(data: Path, arguments: Mapping[str, str], paths: set[str], warning: str) -> None:
    async with opened(data) as archive:
        found = await archive.search(**{"mode": "words", **arguments} if "query" in arguments else arguments)  # pyright: ignore[reportArgumentType]
    assert {one.image_path for one in found.images} == paths
    assert any(line.endswith(warning) for line in found.warnings), found.warnings


async def test_words_on_sex_in_an_archive_without_are_not_applied(tmp_path: Path) -> None:
    plain(tmp_path / "images" / "1.png", 1)
    (tmp_path / "images" / "1.txt").write_text("There is mild edema.")
    await ingested(tmp_path / "data", tmp_path / "images")
    async with opened(tmp_path / "data") as archive:
        found = await archive.search("edema in women over 60", mode="words")
    assert found.total_results == 1
    assert any("Sex and age are not recorded" in line for line in found.warnings)


async def test_wrong_values_are_refused(data: Path) -> None:
    async with opened(data) as archive:
        with pytest.raises(QueryError, match="sex must be F or M"):
            await archive.search(sex="x")
        with pytest.raises(QueryError, match="age_from 9 is more than age_to 8"):
            await archive.search(age_from=9, age_to=8)
