"""What an answer says of words: which studies match by them, where one was found, and what is left out or ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_cxr.records import SearchArguments
from tests.support.reported import Reported, numbers, reported

if TYPE_CHECKING:
    from mcp_cxr.records import SearchResult


async def found(query: str, *reports: Reported | str, **given: object) -> SearchResult:
    async with reported(reports) as archive:
        return await archive.search(query, **given)  # pyright: ignore[reportArgumentType]


async def found_by_findings(query: str, *reports: Reported | str) -> SearchResult:
    """Return what a model is answered that may not have reports."""
    async with reported(reports) as archive:
        return await archive.search_with(SearchArguments(query=query), searchable_words="findings")


def ignored(page: SearchResult) -> list[str]:
    assert page.understood is not None
    return page.understood.ignored


@pytest.mark.parametrize(
    "query", ["sponge with a tail", "sponge tail, lateral aspect", "tail of a sponge, AP diameter"]
)
async def test_words_that_name_no_finding_match_in_full_or_not_at_all(query: str) -> None:
    studies = [
        "FINDINGS: Lateral aspect of a sponge with a tail, AP diameter.",
        "FINDINGS: Sponge.",
        Reported("FINDINGS: A.", views=("AP",)),
    ]
    page = await found(query, *studies)
    assert [(number, hit.matched) for number, hit in zip(numbers(page), page.images, strict=True)] == [
        (1, "full"),
        (2, "no"),
    ]
    assert page.counts is not None
    assert (page.counts["part"], page.counts["silent"]) == (0, 2)


async def test_a_word_of_every_examination_is_no_sign_of_a_match() -> None:
    studies = [Reported("FINDINGS: Clear.", views=("PA", "LATERAL")), Reported("FINDINGS: Edema.", views=("LATERAL",))]
    page = await found("left lateral cardiophrenic notch", *studies)
    assert (page.matched_results, page.images) == (0, [])


@pytest.mark.parametrize(
    ("heading", "reason"),
    [
        ("EXAMINATION", "technique"),
        ("TECHNIQUE", "technique"),
        ("INDICATION", "indication"),
        ("REASON FOR EXAM", "indication"),
        ("COMPARISON", "comparison"),
        ("NOTIFICATION", "note"),
    ],
)
async def test_a_word_is_said_to_be_in_the_section_that_has_it(heading: str, reason: str) -> None:
    report = f"{heading}: Sponge, rule out a pneumothorax.\n\nFINDINGS: Pleural effusion."
    page = await found("sponge effusion", report, "FINDINGS: Sponge.")
    assert page.images[0].why == ["report: pleural effusion", f"{reason}: sponge"]
    both = await found("effusion and pneumothorax", report)
    assert both.images[0].why == ["report: pleural effusion", f"{reason}: pneumothorax"]


@pytest.mark.parametrize("query", ["PA edema", "PA view"])
async def test_a_study_that_is_returned_by_another_image_is_not_counted_as_left_out(query: str) -> None:
    studies = [Reported("FINDINGS: Edema.", views=views) for views in (("UNKNOWN", "PA"), ("UNKNOWN",), ("AP",))]
    page = await found(query, *studies)
    assert numbers(page) == [1]
    assert page.warnings == ["Matching studies left out because their view is unknown: 1."]
    alone = await found(query, *studies[:1])
    assert alone.warnings == []


async def test_a_word_that_reports_only_deny_is_not_said_to_be_in_none() -> None:
    page = await found("heart", "FINDINGS: The heart is normal.", "FINDINGS: Normal heart size.")
    assert page.warnings == ["No report, label or tag states 'heart' as present; ignored in this search."]


async def test_only_words_that_may_be_foreign_are_told_the_language_of_reports() -> None:
    for query, is_told in (("sponge", False), ("zwerchfell", True), ("sponge zwerchfell", True)):
        page = await found(query, "FINDINGS: Edema.")
        assert any("read in English" in warning for warning in page.warnings) is is_told, query


async def test_a_place_alone_is_named_once() -> None:
    page = await found("hilum", "FINDINGS: Edema.")
    assert (ignored(page), len(page.warnings)) == (["hilum"], 1)
    stated = await found("hilum", "FINDINGS: Clip at the hilum.")
    assert (ignored(stated), stated.warnings, stated.matched_results) == ([], [], 1)


async def test_a_word_with_two_corrections_is_asked_once_and_not_searched() -> None:
    word = "nodle"
    studies = ("FINDINGS: Nodule.", "FINDINGS: Cavity.", "FINDINGS: Node.")
    for page in (await found(word, *studies[:2]), await found_by_findings(word, *studies)):
        (warning,) = page.warnings
        assert warning.startswith(f"'{word}' is not known. Did you mean ")
        assert page.understood is not None
        assert (page.understood.corrected, page.understood.ignored, page.matched_results) == ({}, [word], 0)


async def test_anything_abnormal_is_a_finding_and_what_the_report_calls_abnormal() -> None:
    studies = ("FINDINGS: Sternal wires.", "FINDINGS: The chest is not normal.", "FINDINGS: Edema.", "FINDINGS: Clear.")
    page = await found("not normal", *studies)
    assert {number: hit.why for number, hit in zip(numbers(page), page.images, strict=True)} == {
        2: ["report: abnormal"],
        3: ["report: pulmonary edema"],
    }
    assert numbers(await found_by_findings("not normal", *studies)) == [3]


async def test_nothing_acute_finds_the_reports_that_say_so_and_the_normal_ones() -> None:
    studies = (
        "FINDINGS: Old granuloma.\nIMPRESSION: No acute cardiopulmonary process.",
        "FINDINGS: Normal chest.",
        "FINDINGS: Edema.",
        Reported(None, {"No Finding": 1}),
    )
    page = await found("no acute cardiopulmonary process", *studies)
    assert {number: hit.why for number, hit in zip(numbers(page), page.images, strict=True)} == {
        1: ["report: no acute finding"],
        2: ["report: normal"],
        4: ["label: No Finding"],
    }
    assert page.understood is not None
    assert page.understood.findings == ["no acute finding"]
    assert numbers(await found_by_findings("nothing acute", *studies)) == [4]


async def test_a_hernia_of_any_kind_is_a_finding() -> None:
    studies = ("FINDINGS: Hiatal hernia.", "FINDINGS: Small hernia.", "FINDINGS: Clear.", "FINDINGS: No hiatal hernia.")
    for page in (await found("hernia", *studies), await found_by_findings("hernia", *studies)):
        assert (sorted(numbers(page)), page.matched_results, ignored(page)) == ([1, 2], 2, [])
    denied = await found("no hernia", *studies)
    assert sorted(numbers(denied)) == [3, 4]
    assert denied.warnings == [
        "No report or label denies all that the query rules out; the studies listed deny a part or do not mention it."
    ]


PORTABLE = ("FINDINGS: Clear.", "FINDINGS: Portable film. Edema.", "FINDINGS: Sponge. Edema.")


@pytest.mark.parametrize(
    ("query", "studies", "matched"),
    [
        ("PA portable chest", [2, 1, 3], None),
        ("portable sponge", [3, 2], 1),
        ("portable edema", [2, 3], 2),
        ("portable chest", [2], 1),
    ],
)
async def test_how_the_image_was_taken_ranks_and_does_not_filter(
    query: str, studies: list[int], matched: int | None
) -> None:
    page = await found(query, *PORTABLE)
    assert (numbers(page), page.matched_results) == (studies, matched)
    assert page.understood is not None
    assert page.understood.words[:1] == ["portable"]
    if matched is None:
        assert [hit.why for hit in page.images] == [["report: portable"], ["filter"], ["filter"]]


@pytest.mark.parametrize("words", ["50000002 or 50000003", "50000002, 50000003", "studies s50000002 and s50000003"])
async def test_of_several_ids_the_first_is_the_filter_and_the_others_are_named(words: str) -> None:
    page = await found(words, *["FINDINGS: Edema."] * 3)
    assert (numbers(page), page.filters) == ([2], {"study_id": "s50000002"})
    assert ignored(page) == [words.rsplit(maxsplit=1)[-1]]
    advice = "one search takes one id; search for each id separately."
    assert f"'{words.rsplit(maxsplit=1)[-1]}' was not applied: {advice}" in page.warnings
