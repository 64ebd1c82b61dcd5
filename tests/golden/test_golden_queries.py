"""Annotated queries on annotated reports: read as annotated, and matching reports rank first.

`annotations` defines the annotation of the reports. The first 24 are read as annotated today; the rest are to come.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_cxr.embeddings import OfflineEmbedder
from mcp_cxr.images import PREPROCESSING
from mcp_cxr.language import Status, mentions_by_sentence, parse_query_text
from tests.golden.annotations import Report, reports
from tests.support.archives import ingested_in_memory, opened_in_memory
from tests.support.image_files import mimic, report

if TYPE_CHECKING:
    from mcp_cxr.records import SearchResult

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Query:
    """A query with its annotation."""

    text: str
    wanted: frozenset[str]
    possible: frozenset[str]
    without: frozenset[str]

    def matches(self, one: Report) -> bool:
        """Whether a report has every finding of the query with its status, and none that is ruled out."""
        present_or_possible = one.present | one.possible
        return self.wanted <= one.present and self.possible <= one.possible and not self.without & present_or_possible


def _questions() -> list[Query]:
    with (HERE / "queries.csv").open() as handle:
        return [
            Query(row["question"], *(_names(row[name], "|") for name in ("wanted", "uncertain", "without")))
            for row in csv.DictReader(handle)
        ]


def _names(text: str, separator: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(separator) if name.strip())


ALL_REPORTS, QUESTIONS = reports(), _questions()
NAMES_TODAY = {
    "enteric tube": "nasogastric tube",
    "hilar lymphadenopathy": "lymphadenopathy",
    "multifocal pneumonia": "pneumonia",
    "picc": "central venous catheter",
    "pulmonary fibrosis": "interstitial lung disease",
    "reticular opacity": "interstitial lung disease",
    "rib fracture": "fracture",
    "vascular congestion": "pulmonary edema",
}
"""Findings that the table does not distinguish yet -> their name in it."""
REPORTS = [one.renamed(NAMES_TODAY) for one in ALL_REPORTS[:24]]
"""The reports that today's reader reads as annotated."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with one image for each report."""
    images, data = tmp_path_factory.mktemp("films"), tmp_path_factory.mktemp("data")
    for one in REPORTS:
        report(mimic(images, one.number), one.text)
    anyio.run(ingested_in_memory, data, images, OfflineEmbedder(preprocessing=PREPROCESSING))
    return data


@pytest.fixture(scope="module")
def answers(data: Path) -> dict[str, SearchResult]:
    """The result of every query, by words."""

    async def ask_all() -> dict[str, SearchResult]:
        async with opened_in_memory(data, OfflineEmbedder(preprocessing=PREPROCESSING)) as archive:
            return {one.text: await archive.search(one.text, limit=100) for one in QUESTIONS}

    return anyio.run(ask_all)


def numbers(page: SearchResult) -> list[int]:
    by_place = {f"s{hit.study_id[1:]}": hit for hit in page.images}
    return [int(name[-2:]) for name in by_place]


def test_there_are_60_reports_whose_annotation_is_consistent() -> None:
    assert [one.number for one in ALL_REPORTS] == list(range(1, len(ALL_REPORTS) + 1))
    assert len({one.text for one in ALL_REPORTS}) == len(ALL_REPORTS) >= 60
    for one in ALL_REPORTS:
        assert one.entries
        assert not (one.normal and (one.present or one.possible))


def test_there_are_125_queries_and_each_report_matches_one() -> None:
    assert len({one.text for one in QUESTIONS}) == len(QUESTIONS) == 125
    assert all(any(one.matches(each) for each in REPORTS) for one in QUESTIONS)
    assert all(any(each.matches(one) for each in QUESTIONS) for one in REPORTS)


@pytest.mark.parametrize("one", REPORTS, ids=lambda one: f"s{one.number:02}")
def test_reports_are_read_as_annotated(one: Report) -> None:
    said = {(each.name, each.status) for _, meant in mentions_by_sentence(one.text) for each in meant if each.finding}
    said -= {("no finding", Status.PRESENT)}
    by_status = {status: {name for name, how in said if how is status} for status in Status}
    assert (by_status[Status.PRESENT], by_status[Status.POSSIBLE], by_status[Status.ABSENT]) == (
        one.present,
        one.possible,
        one.absent,
    )


@pytest.mark.parametrize("one", QUESTIONS, ids=lambda one: one.text)
def test_queries_are_read_as_annotated(one: Query) -> None:
    meaning = parse_query_text(one.text)
    found = {each.name: each.status for each in meaning.mentions if each.finding}
    assert {name for name, status in found.items() if status is Status.PRESENT} == one.wanted
    assert set(meaning.possible_findings) == one.possible
    assert set(meaning.excluded_findings) == one.without
    assert not meaning.qualified_denials


@pytest.mark.parametrize("one", QUESTIONS, ids=lambda one: one.text)
def test_matching_reports_rank_first(one: Query, answers: dict[str, SearchResult]) -> None:
    page = answers[one.text]
    right = {each.number for each in REPORTS if one.matches(each)}
    found = numbers(page)
    assert page.filters.get("without", []) == list(parse_query_text(one.text).excluded_findings)
    if one.wanted or one.possible:
        assert set(found[: len(right)]) == right
    else:  # the studies that deny it outright; those that do not speak of it are not found by words
        denied = {each.number for each in REPORTS if one.matches(each) and one.without & each.absent}
        assert set(found) == denied
    assert not [number for number in found if one.without & _doubted(number)]


def _doubted(number: int) -> frozenset[str]:
    one = next(each for each in REPORTS if each.number == number)
    return one.present | one.possible
