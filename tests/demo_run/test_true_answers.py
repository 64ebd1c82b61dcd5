"""Every answer of the demo is true: the phantoms' findings are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_cxr.demo import write_data_set
from mcp_cxr.demo.phantom import DEVICES
from tests.server.archives import environment, settings
from tests.support.archives import open_memory_archive

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mcp_cxr.demo import DemoDataSet
    from mcp_cxr.demo.phantom import PhantomFinding
    from mcp_cxr.records import SearchResult

    Findings = tuple[PhantomFinding, ...]
    Truth = Callable[[Findings], bool]


def shows(kind: str, *, side: str | None = None, grade: str | None = None, zone: str | None = None) -> Truth:
    """Return whether a phantom shows a finding as asked; a trace is small."""
    return lambda findings: any(
        one.kind == kind
        and side in (None, one.side)
        and grade in (None, "small" if one.grade == "trace" else one.grade)
        and (zone is None or one.zone == zone)
        for one in findings
    )


def both(*parts: Truth) -> Truth:
    return lambda findings: all(part(findings) for part in parts)


def lacks(kind: str, *, side: str | None = None) -> Truth:
    shown = shows(kind, side=side)
    return lambda findings: not shown(findings)


BILATERAL = both(shows("effusion", side="left"), shows("effusion", side="right"))
NORMAL: Truth = lambda findings: not findings  # noqa: E731  # reads as the others do
QUESTIONS: dict[str, Truth] = {
    "left pleural effusion": shows("effusion", side="left"),
    "right pleural effusion": shows("effusion", side="right"),
    "pleural effusion": shows("effusion"),
    "bilateral effusions": BILATERAL,
    "large left effusion": shows("effusion", side="left", grade="large"),
    "small right pleural effusion": shows("effusion", side="right", grade="small"),
    "possible effusion": shows("effusion"),
    "left pneumothorax": shows("pneumothorax", side="left"),
    "PTX": shows("pneumothorax"),
    "severe cardiomegaly": shows("cardiomegaly", grade="large"),
    "enlarged heart": shows("cardiomegaly"),
    "cardiomegaly with effusion": both(shows("cardiomegaly"), shows("effusion")),
    "cardiomegaly without effusion": both(shows("cardiomegaly"), lacks("effusion")),
    "effusion but no cardiomegaly": both(shows("effusion"), lacks("cardiomegaly")),
    "right effusion without left effusion": both(shows("effusion", side="right"), lacks("effusion", side="left")),
    "pulmonary nodule": shows("nodule"),
    "right upper lung nodule": shows("nodule", side="right", zone="upper"),
    "pacemaker leads": shows("pacemaker"),
    "endotracheal tube and effusion": both(shows("endotracheal tube"), shows("effusion")),
    "central line": shows("central line"),
    "normal chest": NORMAL,
}
RULED_OUT: dict[str, Truth] = {
    "cardiomegaly without effusion": shows("effusion"),
    "effusion but no cardiomegaly": shows("cardiomegaly"),
    "right effusion without left effusion": shows("effusion", side="left"),
    "no support devices": lambda findings: any(one.kind in DEVICES for one in findings),
    "no pleural effusion": shows("effusion"),
    "edema without effusion": shows("effusion"),
    "without pneumothorax": shows("pneumothorax"),
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> DemoDataSet:
    return write_data_set(tmp_path_factory.mktemp("drawn"))


@pytest.fixture(scope="module")
def findings(drawn: DemoDataSet) -> Mapping[str, Findings]:
    return {image.study_id: image.findings for image in drawn.images}


@pytest.fixture(scope="module")
def answers(drawn: DemoDataSet, tmp_path_factory: pytest.TempPathFactory) -> dict[str, SearchResult]:
    """The answer to each question."""
    data = tmp_path_factory.mktemp("data")

    async def ask_all() -> dict[str, SearchResult]:
        async with open_memory_archive(settings(environment(data))) as archive:
            await archive.ingest(drawn.folder)
            return {words: await archive.search(words, limit=100) for words in {**QUESTIONS, **RULED_OUT}}

    return anyio.run(ask_all)


@pytest.mark.parametrize("words", QUESTIONS)
def test_full_matches_are_those_that_show_what_is_asked(
    words: str, answers: dict[str, SearchResult], findings: Mapping[str, Findings]
) -> None:
    full = {hit.study_id for hit in answers[words].images if hit.matched == "full"}
    true = {study for study, shown in findings.items() if QUESTIONS[words](shown)}
    assert {study: findings[study] for study in full - true} == {}
    assert {study: findings[study] for study in true - full} == {}
    assert answers[words].matched_results == len(true)


@pytest.mark.parametrize("words", RULED_OUT)
def test_no_hit_shows_what_is_ruled_out(
    words: str, answers: dict[str, SearchResult], findings: Mapping[str, Findings]
) -> None:
    hits = {hit.study_id: findings[hit.study_id] for hit in answers[words].images}
    assert not [study for study, shown in hits.items() if RULED_OUT[words](shown)]


def test_a_hedged_question_puts_what_is_possible_first(
    answers: dict[str, SearchResult], findings: Mapping[str, Findings]
) -> None:
    hits = answers["possible effusion"].images
    traces = [any(one.grade == "trace" for one in findings[hit.study_id]) for hit in hits]
    assert traces == sorted(traces, reverse=True)
    assert any(traces)
