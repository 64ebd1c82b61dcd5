"""Sex, age and study date as filters: as arguments and in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_cxr.errors import QueryError
from tests.support.archives import ingested, opened
from tests.support.image_files import plain
from tests.support.reported import Reported, numbers, reported

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TABLE = """path,patient,sex,age,date,report
1.png,A,F,70,2018-05-01,Mild edema.
2.png,B,M,70,2019-05-01,Mild edema.
3.png,C,F,30,2020-05-01,Mild edema.
4.png,D,,,,Mild edema.
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    images = folder / "images"
    for number in range(1, 5):
        plain(images / f"{number}.png", number)
    (images / "images.csv").write_text(TABLE)
    anyio.run(ingested, folder / "data", images)
    return folder / "data"


@pytest.mark.parametrize(
    ("arguments", "paths", "warning"),
    [
        ({"sex": "f"}, {"1.png", "3.png"}, "no sex recorded: 1."),
        ({"age_from": 60}, {"1.png", "2.png"}, "no age recorded: 1."),
        ({"age_to": 30, "sex": "F"}, {"3.png"}, "no sex or no age recorded: 1."),
        ({"query": "edema in women over 60"}, {"1.png"}, "no sex or no age recorded: 1."),
        ({"query": "edema in women", "sex": "M"}, {"2.png"}, "no sex recorded: 1."),
    ],
)
async def test_sex_and_age_filter(data: Path, arguments: Mapping[str, str], paths: set[str], warning: str) -> None:
    async with opened(data) as archive:
        found = await archive.search(**{"mode": "words", **arguments} if "query" in arguments else arguments)  # pyright: ignore[reportArgumentType]
    assert {one.image_path for one in found.images} == paths
    assert any(line.endswith(warning) for line in found.warnings), found.warnings


async def test_sex_and_age_in_the_words_are_shown_as_a_filter(data: Path) -> None:
    async with opened(data) as archive:
        found = await archive.search("edema in women over 60", mode="words")
    assert found.filters == {"sex": "F", "age_from": 60}
    assert found.understood is not None
    assert found.understood.as_text() == "pulmonary edema; women aged 60 or over"


@pytest.mark.parametrize(
    ("query", "paths"),
    [
        ("edema in 2019", {"2.png"}),
        ("edema since 2019", {"2.png", "3.png"}),
        ("edema before 2019-05-02", {"1.png", "2.png"}),
    ],
)
async def test_study_dates_in_the_words_are_a_filter_that_is_shown(data: Path, query: str, paths: set[str]) -> None:
    async with opened(data) as archive:
        found = await archive.search(query, mode="words")
        given = await archive.search(query, mode="words", date_from="2020-01-01")
    assert {one.image_path for one in found.images} == paths
    assert found.understood is not None
    assert found.understood.as_text().startswith("pulmonary edema; study date: ")
    assert {one.image_path for one in given.images} == {"3.png"}
    assert given.understood is not None
    assert given.understood.dates == "since 2020-01-01"


async def test_words_on_sex_in_an_archive_without_are_not_applied(tmp_path: Path) -> None:
    plain(tmp_path / "images" / "1.png", 1)
    (tmp_path / "images" / "1.txt").write_text("There is mild edema.")
    await ingested(tmp_path / "data", tmp_path / "images")
    async with opened(tmp_path / "data") as archive:
        found = await archive.search("edema in women over 60", mode="words")
    assert found.total_results == 1
    assert any("Sex and age are not recorded" in line for line in found.warnings)


async def test_a_study_that_lacks_the_sex_or_the_age_is_counted_and_what_is_recorded_is_applied() -> None:
    studies = [
        Reported("Mild edema.", sex="F", age=70),
        Reported("Mild edema.", age=70),
        Reported("Mild edema.", sex="F"),
        Reported("Mild edema.", sex="M"),
        Reported("Mild edema."),
    ]
    async with reported(studies) as archive:
        found = await archive.search("edema in women over 60")
    async with reported(studies[2:]) as archive:
        without_age = await archive.search("edema in women over 60")
    assert (numbers(found), found.warnings) == (
        [1],
        ["Studies left out because they have no sex or no age recorded: 3."],
    )
    assert (numbers(without_age), without_age.filters) == ([1], {"sex": "F"})
    assert without_age.understood is not None
    assert (without_age.understood.patients, without_age.understood.ignored) == ("women", ["patients aged 60 or over"])
    assert any(line.startswith("Age is not recorded") for line in without_age.warnings)


@pytest.mark.parametrize(
    ("query", "given", "warning"),
    [
        ("edema in men", {"sex": "F"}, "'men' was not applied: the argument sex is given."),
        (
            "edema in women over 60",
            {"age_to": 30},
            "'patients aged 60 or over' was not applied: the argument age_from or age_to is given.",
        ),
        (
            "edema in 2019",
            {"date_from": "2018-01-01"},
            "'2019-01-01 to 2019-12-31' was not applied: the argument date_from or date_to is given.",
        ),
    ],
)
async def test_words_that_a_given_filter_contradicts_are_named(
    data: Path, query: str, given: Mapping[str, str], warning: str
) -> None:
    async with opened(data) as archive:
        found = await archive.search(query, mode="words", **given)  # pyright: ignore[reportArgumentType]
        same = await archive.search("edema in women", mode="words", sex="F")
    assert warning in found.warnings
    assert not any("not applied" in line for line in same.warnings)


async def test_a_label_that_nothing_can_lack_is_explained() -> None:
    async with reported([Reported(None, {"Edema": 1}, positives_only=True)]) as archive:
        found = await archive.search(labels_absent=["Pneumothorax"])
    assert found.warnings == [
        "No labeled study lacks Pneumothorax; a table that lists only what is present makes no label absent."
    ]


async def test_wrong_values_are_refused(data: Path) -> None:
    async with opened(data) as archive:
        with pytest.raises(QueryError, match="sex must be F or M"):
            await archive.search(sex="x")
        with pytest.raises(QueryError, match="age_from 9 is more than age_to 8"):
            await archive.search(age_from=9, age_to=8)
