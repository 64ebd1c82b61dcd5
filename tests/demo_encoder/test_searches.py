"""What an image shows is found without a report: by words, by words and reports, by marks; in both stores."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from mcp_cxr.archive import open_archive
from mcp_cxr.evaluate import EvaluationPlan
from mcp_cxr.records import SearchArguments
from tests.demo_encoder.conftest import studies

if TYPE_CHECKING:
    from tests.demo_encoder.conftest import Drawn

QUESTIONS = {
    "pacemaker": ("pacemaker", None),
    "enlarged heart": ("cardiomegaly", None),
    "left pleural effusion": ("effusion", "left"),
    "right pleural effusion": ("effusion", "right"),
    "intubated patient": ("endotracheal tube", None),
}


async def first(drawn: Drawn, count: int, **arguments: Any) -> list[str]:
    async with open_archive(drawn.settings) as archive:
        page = await archive.search_with(SearchArguments(limit=count, **arguments))
    return studies(page.images)


@pytest.mark.parametrize("question", QUESTIONS)
async def test_pixels_find_what_no_report_says(question: str, drawn: Drawn) -> None:
    kind, side = QUESTIONS[question]
    right = drawn.showing(kind, side=side) & drawn.unreported
    assert 0 < len(right) < len(drawn.unreported) * 0.7
    found = await first(drawn, len(right), query=question, mode="vector", has_report=False)
    assert len(right & set(found)) >= math.ceil(0.75 * len(right))


async def test_a_hybrid_search_has_reports_first_then_the_images_that_show_it(drawn: Drawn) -> None:
    async with open_archive(drawn.settings) as archive:
        page = await archive.search("left pleural effusion", limit=100)
    assert page.search_mode == "hybrid"
    right = drawn.showing("effusion", side="left")
    full = [hit for hit in page.images if hit.matched == "full"]
    assert set(studies(full)) == right - drawn.unreported
    silent = [hit.study_id for hit in page.images if hit.matched == "unknown"]
    assert set(silent) == drawn.unreported
    first_silent = silent[: len(right & drawn.unreported)]
    assert len(right.intersection(first_silent)) >= 0.75 * len(first_silent)


async def test_what_is_ruled_out_moves_the_images_that_show_it_back(drawn: Drawn) -> None:
    both = drawn.showing("effusion") & drawn.showing("cardiomegaly") & drawn.unreported
    assert both

    async def ranks(query: str) -> float:
        order = await first(drawn, 100, query=query, mode="vector", has_report=False)
        return sum(map(order.index, both))

    assert await ranks("effusion without cardiomegaly") > await ranks("effusion")
    healthy = drawn.unreported - drawn.showing("effusion")
    denied = await first(drawn, len(healthy), query="no effusion", mode="vector", has_report=False)
    assert len(healthy.intersection(denied)) >= 0.9 * len(healthy)


async def test_a_marked_image_finds_its_like_and_a_refused_one_steers_away(drawn: Drawn) -> None:
    images = {image.study_id: image.image_id for image in drawn.data_set.images if image.view != "LATERAL"}
    pacemakers = sorted(drawn.showing("pacemaker") - drawn.showing("cardiomegaly"))
    example, rest = pacemakers[0], set(pacemakers[1:])
    found = await first(drawn, len(rest), like=[images[example]], exclude_subject_of=images[example])
    assert len(drawn.showing("pacemaker").intersection(found)) >= 0.75 * len(found)
    fluid = min(drawn.showing("effusion") - drawn.showing("pacemaker"))
    mixed = await first(drawn, 10, query="chest x-ray", like=[images[example]], unlike=[images[fluid]], mode="vector")
    assert len(drawn.showing("effusion").intersection(mixed)) <= 2


async def test_the_protocols_of_evaluate_that_embed_text_measure_far_more_than_chance(embedded: Drawn) -> None:
    plan = EvaluationPlan(protocols=("labels", "reports", "negation", "rankings"), resamples=20)
    async with open_archive(embedded.settings) as archive:
        report = await archive.evaluate(plan)
    assert [result.skipped for result in report.protocols] == [None] * len(plan.protocols)
    figures = {
        (result.protocol, figure.name, figure.of): figure for result in report.protocols for figure in result.figures
    }
    effusions = figures["labels", "AP", "Pleural Effusion"]
    assert effusions.value > 0.9 > 1.5 * (effusions.chance or 1)
    own_report = figures["reports", "recall@5", ""]
    assert own_report.value > 0.8 > 2 * (own_report.chance or 1)
    assert figures["negation", "swap rate", "model alone"].value < 0.1
    by_vector = figures["rankings", "P@10", "vector"]
    assert by_vector.value > 1.5 * (by_vector.chance or 1)
