"""Annotated queries on annotated reports: read as annotated, and exactly the matching studies match in full.

`annotations` defines the annotation of the reports. In `queries.csv` a finding has its modifiers in brackets, as there;
`wanted` must all be present, of `any` one, `uncertain` ones possible, and what is `without` is ruled out; `history` is
asked for in the history or the indication; `filters` are what else the words ask for.
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
from mcp_cxr.language import ancestors
from mcp_cxr.language.query import parse_query_text, read_text_filters
from tests.golden.annotations import Report, modifiers_of, reports
from tests.support.archives import ingested_in_memory, opened_in_memory
from tests.support.image_files import mimic, report

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mcp_cxr.language.query import TextFilters, WantedFinding
    from mcp_cxr.records import SearchResult
    from tests.golden.annotations import Entry

HERE = Path(__file__).parent
NEAR_PLACES = {"lower lobe": {"base", "retrocardiac"}, "base": {"lower lobe"}, "upper lobe": {"apex"}}
"""Places that reports name for the place asked for."""


@dataclass(frozen=True)
class Wanted:
    """A finding of a query, as annotated or as parsed."""

    name: str
    modifiers: frozenset[str]

    def is_stated(self, one: Report, *statuses: str) -> bool:
        """Whether entries with one of the statuses state the finding with its modifiers, each side in some entry."""
        entries = [
            each
            for each in one.entries
            if each.status in statuses and self.name in {each.finding, *ancestors(each.finding)}
        ]
        sides = self.modifiers & {"left", "right"} or {None}
        return all(
            any(
                self._fits(each, (self.modifiers - {"left", "right"}) | ({side} if side else set())) for each in entries
            )
            for side in sides
        )

    def _fits(self, entry: Entry, modifiers: frozenset[str]) -> bool:
        stated = entry.sides | entry.places | entry.sizes | entry.changes | entry.optional
        stated |= {"resolved"} if entry.resolved else set()
        return all(stated & {value, *NEAR_PLACES.get(value, ())} for value in modifiers)


@dataclass(frozen=True)
class Query:
    """A query with its annotation."""

    text: str
    wanted: frozenset[Wanted]
    any_of: frozenset[Wanted]
    possible: frozenset[Wanted]
    without: frozenset[Wanted]
    history: frozenset[Wanted]
    filters: frozenset[str]

    @property
    def names_findings(self) -> bool:
        """Whether it asks for findings of the images, and for nothing else."""
        return bool(self.wanted | self.any_of | self.possible) and not self.history and not self.filters

    def matches(self, one: Report) -> bool:
        """Whether a report has every finding of the query, present or possible, and none that is ruled out."""
        return (
            all(self._has(one, each) for each in self.wanted | self.possible)
            and (not self.any_of or any(self._has(one, each) for each in self.any_of))
            and not any(each.is_stated(one, "present", "possible") for each in self.without)
        )

    def _has(self, one: Report, each: Wanted) -> bool:
        return each.is_stated(one, "present", "possible", *(["absent"] if "resolved" in each.modifiers else []))


def _queries() -> list[Query]:
    with (HERE / "queries.csv").open(encoding="utf-8") as handle:
        return [
            Query(
                text=row["question"],
                wanted=_wanted(row["wanted"]),
                any_of=_wanted(row["any"]),
                possible=_wanted(row["uncertain"]),
                without=_wanted(row["without"]),
                history=_wanted(row["history"]),
                filters=frozenset(filter(None, row["filters"].split("|"))),
            )
            for row in csv.DictReader(handle)
        ]


def _wanted(cell: str) -> frozenset[Wanted]:
    parts = (one.strip().removesuffix("]").partition("[") for one in cell.split("|") if one.strip())
    return frozenset(Wanted(name.strip(), modifiers_of(attributes)) for name, _, attributes in parts)


REPORTS, QUERIES = reports(), _queries()
OF_FINDINGS = [one for one in QUERIES if one.names_findings]


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
    """The result of every query that asks for findings."""

    async def ask_all() -> dict[str, SearchResult]:
        async with opened_in_memory(data, OfflineEmbedder(preprocessing=PREPROCESSING)) as archive:
            return {one.text: await archive.search(one.text, limit=100) for one in OF_FINDINGS}

    return anyio.run(ask_all)


def test_there_are_60_reports_whose_annotation_is_consistent() -> None:
    assert [one.number for one in REPORTS] == list(range(1, len(REPORTS) + 1))
    assert len({one.text for one in REPORTS}) == len(REPORTS) >= 60
    for one in REPORTS:
        assert one.entries
        assert not (one.normal and (one.present or one.possible))


def test_there_are_165_queries_and_nearly_all_match_a_report() -> None:
    assert len({one.text for one in QUERIES}) == len(QUERIES) >= 165
    assert sum(any(one.matches(each) for each in REPORTS) for one in OF_FINDINGS) >= 0.95 * len(OF_FINDINGS)


@pytest.mark.parametrize("one", QUERIES, ids=lambda one: one.text)
def test_queries_are_read_as_annotated(one: Query) -> None:
    text_filters = read_text_filters(one.text)
    meaning = parse_query_text(text_filters.text)
    single = [group[0] for group in meaning.wanted if len(group) == 1]
    assert _parsed(each for each in single if not each.is_hedged and not each.in_history) == one.wanted
    assert _parsed(each for group in meaning.wanted if len(group) > 1 for each in group) == one.any_of
    assert _parsed(each for each in single if each.is_hedged and not each.in_history) == one.possible
    assert _parsed(meaning.ruled_out) == one.without
    assert _parsed(each for each in single if each.in_history) == one.history
    corrected = {f"corrected: {'/'.join(each.candidates)}" for each in meaning.corrections}
    judgment = {f"judgment: {meaning.judgment}"} if meaning.judgment else set[str]()
    assert _filters(text_filters) | corrected | judgment == one.filters


def _parsed(findings: Iterable[WantedFinding]) -> set[Wanted]:
    return {Wanted(each.name, each.modifiers) for each in findings}


def _filters(text_filters: TextFilters) -> set[str]:
    age = (
        f"{text_filters.age_from or ''}-{text_filters.age_to or ''}"
        if text_filters.age_from or text_filters.age_to
        else ""
    )
    stated = {
        "view": " ".join(text_filters.view_positions),
        "limit": text_filters.limit,
        "sex": text_filters.sex,
        "age": age,
    }
    return {f"{name}: {value}" for name, value in stated.items() if value}


@pytest.mark.parametrize("one", OF_FINDINGS, ids=lambda one: one.text)
def test_exactly_the_matching_studies_match_in_full(one: Query, answers: dict[str, SearchResult]) -> None:
    page = answers[one.text]
    found = [(int(hit.study_id[-2:]), hit.matched) for hit in page.images]
    right = {each.number for each in REPORTS if one.matches(each)}
    assert {number for number, matched in found if matched == "full"} == right
    assert page.matched_results == len(right)
    assert [matched for _, matched in found[: len(right)]] == ["full"] * len(right)


@pytest.mark.parametrize("one", [one for one in OF_FINDINGS if one.without], ids=lambda one: one.text)
def test_no_study_that_states_what_is_ruled_out_is_found(one: Query, answers: dict[str, SearchResult]) -> None:
    found = {int(hit.study_id[-2:]) for hit in answers[one.text].images}
    stated = {
        each.number
        for each in REPORTS
        if any(ruled_out.is_stated(each, "present", "possible") for ruled_out in one.without)
    }
    assert not found & stated
