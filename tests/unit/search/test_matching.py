"""Which studies match in full, in part or not at all, in which order they come, and what is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.reported import Reported, numbers, reported
from tests.support.toy import ToyEmbedder

if TYPE_CHECKING:
    from mcp_cxr.records import Hit, Mode, SearchResult

STUDIES = [
    "FINDINGS: Small left pleural effusion. No pneumothorax.",  # 1
    "FINDINGS: Moderate right pleural effusion.",  # 2
    "FINDINGS: Bilateral pleural effusions.",  # 3
    "FINDINGS: No left, small right effusion.",  # 4
    "FINDINGS: Possible left pleural effusion.",  # 5
    "FINDINGS: No pleural effusion. Mild edema.",  # 6
    "FINDINGS: Mild edema.",  # 7
    "INDICATION: Left pleural effusion.\nFINDINGS: The lungs are clear.",  # 8
    Reported(None),  # 9
    Reported(None, {"Pleural Effusion": 1}),  # 10
    Reported("FINDINGS: No pleural effusion.", {"Pleural Effusion": 1}),  # 11
]


def by_number(page: SearchResult) -> dict[int, Hit]:
    return dict(zip(numbers(page), page.images, strict=True))


async def found(query: str, mode: Mode = "auto", *, sees: bool = False, limit: int = 100) -> SearchResult:
    async with reported(STUDIES, ToyEmbedder() if sees else None) as archive:
        return await archive.search(query, mode=mode, limit=limit)


async def test_full_part_unknown_and_no_come_in_this_order() -> None:
    page = await found("left pleural effusion", sees=True)
    matched = [str(hit.matched) for hit in page.images]
    assert [matched.count(kind) for kind in ("full", "part", "unknown", "no")] == [3, 3, 1, 2]
    assert matched == sorted(matched, key=["full", "part", "unknown", "no"].index)
    assert set(numbers(page)[:2]) == {1, 3}
    assert numbers(page)[2] == 5, "possible after present"


async def test_without_vectors_only_what_words_touch_is_listed() -> None:
    page = await found("left pleural effusion")
    assert [hit.matched for hit in page.images] == ["full"] * 3 + ["part"] * 3 + ["no"]
    assert numbers(page)[-1] == 8
    assert page.images[-1].why == ["indication: pleural effusion"]


async def test_part_says_what_is_missing() -> None:
    hits = by_number(await found("left pleural effusion and edema"))
    assert "part" in {hits[1].matched, hits[7].matched}
    assert hits[1].missing == ["pulmonary edema: not mentioned"]
    assert hits[7].missing == ["pleural effusion, left: not mentioned"]
    assert hits[4].missing == ["pleural effusion, left: denied on the left", "pulmonary edema: not mentioned"]
    assert (hits[6].matched, hits[6].missing) == ("part", ["pleural effusion, left: denied"])


@pytest.mark.parametrize("mode", ["auto", "words", "vector"])
async def test_studies_that_deny_every_finding_are_left_out_in_every_mode_and_counted(mode: Mode) -> None:
    page = await found("pleural effusion", mode, sees=True)
    assert not {6, 11} & set(numbers(page))
    assert page.counts == {
        "present": 5,
        "possible": 1,
        "part": 0,
        "unknown": 1,
        "silent": 2,
        "denied": 2,
        "conflicting": 1,
    }
    assert page.matched_results == 6


async def test_by_vector_alone_each_hit_says_how_far_it_matches() -> None:
    hits = by_number(await found("left pleural effusion", "vector", sees=True))
    assert {number: hit.matched for number, hit in hits.items()} == {
        **dict.fromkeys((1, 3, 5), "full"),
        **dict.fromkeys((2, 4, 10), "part"),
        9: "unknown",
        **dict.fromkeys((7, 8), "no"),
    }
    assert hits[2].missing == ["pleural effusion: left asked for; moderate right stated"]


@pytest.mark.parametrize("sees", [False, True])
async def test_a_question_that_only_denies_has_three_counted_tiers(*, sees: bool) -> None:
    page = await found("no pleural effusion", sees=sees)
    assert (numbers(page)[0], page.images[0].matched) == (6, "full")
    assert {number: hit.matched for number, hit in by_number(page).items()} == {
        6: "full",
        7: "no",
        8: "no",
        9: "unknown",
    }
    assert numbers(page)[-1] == 9
    assert page.counts is not None
    assert (page.matched_results, page.counts["silent"], page.counts["unknown"]) == (1, 2, 1)
    assert page.counts["conflicting"] == 1, "11 is never returned by a denial"


@pytest.mark.parametrize("query", ["left", "small", "new", "right lower lobe", "not mild", "bilateral large"])
@pytest.mark.parametrize("sees", [False, True])
async def test_modifiers_alone_match_nothing_and_are_named(query: str, *, sees: bool) -> None:
    page = await found(query, sees=sees)
    assert page.matched_results == 0
    assert {hit.matched for hit in page.images} <= {"no", "unknown"}
    assert page.understood is not None
    assert page.understood.ignored
    assert "add the finding" in page.warnings[0]


async def test_an_indication_ranks_and_never_matches_unless_it_is_asked_for() -> None:
    hits = by_number(await found("pleural effusion"))
    assert hits[8].matched == "no"
    for query in ("history of pleural effusion", "indication pleural effusion"):
        page = await found(query)
        assert (numbers(page), page.matched_results) == ([8], 1)
        assert page.images[0].why == ["indication: pleural effusion"]
        assert page.images[0].report_excerpt == "Left pleural effusion."


async def test_a_finding_asked_for_in_the_history_may_be_denied_in_the_images() -> None:
    async with reported(["INDICATION: Pneumonia.\nFINDINGS: No pneumonia.", "FINDINGS: No pneumonia."]) as archive:
        page = await archive.search("history of pneumonia")
    assert (numbers(page), page.matched_results) == ([1], 1)


@pytest.mark.parametrize("query", ["possible pleural effusion", "questionable effusion", "effusion cannot be excluded"])
async def test_hedged_questions_put_possible_first(query: str) -> None:
    page = await found(query)
    assert numbers(page)[0] == 5
    assert {hit.matched for hit in page.images[:6]} == {"full"}


async def test_bilateral_serves_both_sides() -> None:
    for query in ("left effusion", "right effusion", "bilateral effusions"):
        assert by_number(await found(query))[3].matched == "full"
    assert by_number(await found("bilateral effusion"))[1].matched == "part"


async def test_side_size_and_place_must_be_of_one_mention() -> None:
    async with reported(
        [
            "FINDINGS: Small left pleural effusion. Large right pleural effusion.",
            "FINDINGS: Large left pleural effusion.",
            "FINDINGS: Large right pneumothorax. Left pleural effusion.",
        ]
    ) as archive:
        page = await archive.search("large left pleural effusion")
    assert (numbers(page)[0], page.images[0].matched) == (2, "full")
    assert page.matched_results == 1


async def test_or_takes_either_and_and_takes_both() -> None:
    reports = ["FINDINGS: Pneumothorax.", "FINDINGS: Rib fracture.", "FINDINGS: Pneumothorax and rib fracture."]
    async with reported(reports) as archive:
        either = await archive.search("pneumothorax or rib fracture")
        both = await archive.search("pneumothorax with rib fracture")
    assert (either.matched_results, both.matched_results) == (3, 1)
    assert both.counts is not None
    assert (numbers(both)[0], both.counts["part"]) == (3, 2)


async def test_what_is_ruled_out_is_no_reason_to_be_a_hit() -> None:
    reports = ["FINDINGS: No pneumothorax.", "FINDINGS: Edema. No pneumothorax.", "FINDINGS: Edema. Pneumothorax."]
    async with reported(reports) as archive:
        page = await archive.search("edema but no pneumothorax")
    assert (numbers(page), page.matched_results) == ([2], 1)


async def test_resolved_is_no_hit_for_the_finding_and_a_full_match_for_resolved() -> None:
    reports = ["FINDINGS: Resolved pneumonia.", "FINDINGS: Left lower lobe pneumonia.", "FINDINGS: No new pneumonia."]
    async with reported(reports) as archive:
        plain, without, resolved = [
            await archive.search(query) for query in ("pneumonia", "without pneumonia", "resolved pneumonia")
        ]
    assert 1 not in numbers(plain)
    assert 1 in numbers(without)
    assert 2 not in numbers(without)
    assert by_number(resolved)[1].matched == "full"


async def test_words_that_name_no_finding_must_all_be_there() -> None:
    reports = ["FINDINGS: Sponge near the spleen.", "FINDINGS: Sponge.", "FINDINGS: The lungs are clear."]
    async with reported(reports) as archive:
        page = await archive.search("sponge spleen")
    assert {number: (hit.matched, hit.missing) for number, hit in by_number(page).items()} == {
        1: ("full", []),
        2: ("no", []),
    }


async def test_reasons_are_of_that_finding_in_that_sentence() -> None:
    text = "FINDINGS: Right lower lobe pneumonia. Small left pleural effusion. No pneumothorax."
    async with reported([Reported(text, {"Pneumothorax": 0})]) as archive:
        one = (await archive.search("pneumonia")).images[0]
        two = (await archive.search("pneumonia without pneumothorax")).images[0]
    assert one.why == ["report: right lower lobe pneumonia"]
    assert one.report_excerpt == "Right lower lobe pneumonia."
    assert two.why == [
        "report: right lower lobe pneumonia",
        "report, denied: pneumothorax",
        "label, absent: Pneumothorax",
    ]


async def test_a_conflict_shows_both_sources() -> None:
    studies = [Reported("FINDINGS: Small pleural effusion.", {"Pleural Effusion": 0}), "FINDINGS: Edema."]
    async with reported(studies) as archive:
        page, without = await archive.search("pleural effusion"), await archive.search("without effusion")
    assert page.images[0].why == ["report: small pleural effusion", "label, absent: Pleural Effusion"]
    assert page.counts is not None
    assert page.counts["conflicting"] == 1
    assert numbers(without) == [2]


async def test_silent_and_unknown_hits_give_no_false_reason() -> None:
    hits = by_number(await found("no pleural effusion"))
    assert hits[7].why == ["not mentioned"]
    assert hits[9].why == ["no report that can be read, no label"]


@pytest.mark.parametrize("given", [{"query": "pneumothorax"}, {"has_report": True}, {"query": "no edema"}], ids=str)
async def test_without_vectors_a_frontal_image_stands_for_its_study(given: dict[str, Any]) -> None:
    views = [("LATERAL", "PA"), ("UNKNOWN", "LL", "AP"), ("LL",), ("AP", "PA")]
    async with reported([Reported("FINDINGS: Pneumothorax.", views=each) for each in views]) as archive:
        page = await archive.search(**given)
        lateral = await archive.search(**given, view=["LATERAL"])
        images = await archive.search(**given, group="none", limit=20)
    assert {number: hit.view_position for number, hit in by_number(page).items()} == {
        1: "PA",
        2: "AP",
        3: "LL",
        4: "AP",
    }
    assert {hit.view_position for hit in lateral.images} == {"LATERAL", "LL"}
    assert len({hit.image_id for hit in images.images}) == 8


@pytest.mark.parametrize("query", ["pleural effusion, but not on the left", "right effusion and not the left side"])
async def test_a_side_that_is_denied_is_ruled_out(query: str) -> None:
    page = await found(query)
    assert page.filters == {"without": ["pleural effusion, left"]}
    assert {2, 4} <= set(numbers(page))
    assert not {1, 3, 5} & set(numbers(page))


async def test_only_normal_reports_are_given_as_normal_and_abnormal_ones_say_why() -> None:
    reports = ["FINDINGS: Normal heart. The lungs are clear.", "FINDINGS: Mild edema.", None]
    async with reported(reports, ToyEmbedder()) as archive:
        normal, abnormal = by_number(await archive.search("normal chest")), await archive.search("abnormal")
    assert {number for number, hit in normal.items() if "report: normal" in hit.why} == {1}
    assert "report: mild pulmonary edema" in by_number(abnormal)[2].why


async def test_a_label_alone_says_that_a_study_is_normal_and_any_label_that_it_is_not() -> None:
    studies = [
        Reported(None, {"No Finding": 1}),
        Reported("FINDINGS: The lungs are clear.", {"Edema": 1}),
        Reported(None, {"No Finding": 1, "Support Devices": 1}),
        Reported("FINDINGS: Edema.", {"No Finding": 1}),
        Reported("No acute process.", {"No Finding": 1}),
    ]
    async with reported(studies) as archive:
        chest, no_finding = await archive.search("normal chest"), await archive.search("no finding")
    assert [(number, hit.why) for number, hit in sorted(by_number(chest).items())] == [
        (1, ["label: No Finding"]),
        (5, ["label: No Finding"]),
    ]
    assert set(numbers(no_finding)) == {1, 3, 5}


async def test_any_finding_that_is_present_comes_before_one_that_is_possible() -> None:
    studies = [
        "FINDINGS: Possible edema.",
        Reported(None, {"Fracture": -1}),
        "FINDINGS: Possible pneumonia. Moderate effusion.",
        Reported("FINDINGS: Possible edema.", {"Fracture": 1}),
    ]
    async with reported(studies) as archive:
        page = await archive.search("abnormal")
    assert page.counts
    assert (page.counts["present"], page.counts["possible"]) == (2, 2)
    assert {number: hit.why for number, hit in by_number(page).items()} == {
        1: ["report, possible: pulmonary edema"],
        2: ["label, uncertain: Fracture"],
        3: ["report: moderate pleural effusion"],
        4: ["label: Fracture"],
    }
    assert set(numbers(page)[:2]) == {3, 4}


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("no left effusion", "report, denied: left pleural effusion"),
        ("edema, no left effusion", "report, denied: left pleural effusion"),
        ("bilateral pneumothorax", "report: large right pneumothorax"),
        ("bilateral pneumothorax", "report: small left pneumothorax"),
        ("heart failure", "label: Edema"),
    ],
)
async def test_why_names_what_was_asked_for(query: str, reason: str) -> None:
    report = "FINDINGS: Small right effusion. No left effusion. Large right pneumothorax. Small left pneumothorax."
    async with reported([Reported(report, {"Edema": 1})]) as archive:
        page = await archive.search(query)
    assert reason in page.images[0].why


async def test_a_denial_of_one_side_denies_no_other() -> None:
    reports = ["FINDINGS: No left effusion.", "FINDINGS: No effusion.", "FINDINGS: Right effusion. No left effusion."]
    async with reported(reports) as archive:
        left, right, no_left, no_right, none = [
            await archive.search(query)
            for query in ("left effusion", "right effusion", "no left effusion", "no right effusion", "no effusion")
        ]
    assert [page.counts and page.counts["denied"] for page in (left, right)] == [2, 1]
    assert {number for number, hit in by_number(no_left).items() if hit.matched == "full"} == {1, 2, 3}
    assert {number: hit.matched for number, hit in by_number(no_right).items()} == {2: "full", 1: "no"}
    assert {number: hit.matched for number, hit in by_number(none).items()} == {2: "full", 1: "no"}


async def test_a_detail_that_another_one_holds_is_not_stated_twice() -> None:
    async with reported(["FINDINGS: Small nodule at the right base. Nodule at the right base."]) as archive:
        page = await archive.search("multiple nodules")
    assert page.images[0].missing == ["nodule: multiple asked for; small right base stated"]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("no effusion", "2 studies match; 2 do not mention it, or deny only a part"),
        ("no effusion and no pneumothorax", "1 study matches; 3 do not mention it, or deny only a part"),
    ],
)
async def test_studies_that_deny_a_part_are_not_said_to_mention_nothing(query: str, text: str) -> None:
    reports = ["No effusion. No pneumothorax.", "No effusion.", "No left effusion.", "Edema.", "Effusion."]
    async with reported([f"FINDINGS: {one}" for one in reports]) as archive:
        page = await archive.search(query)
    assert page.matches_text() == text


async def test_a_denial_that_no_study_states_says_so() -> None:
    async with reported(["FINDINGS: Edema."], ToyEmbedder()) as archive:
        page = await archive.search("no effusion")
    assert "No report or label denies all that the query rules out" in page.warnings[-1]
    assert not any("similarity alone" in warning for warning in page.warnings)


async def test_a_denial_without_results_says_nothing_of_those_listed() -> None:
    async with reported(["FINDINGS: Effusion."]) as archive:
        page = await archive.search("no effusion")
    assert page.total_results == 0
    assert not any("the studies listed" in warning for warning in page.warnings)


async def test_a_denial_at_one_place_leaves_no_study_out() -> None:
    reports = ["FINDINGS: No upper lobe consolidation.", "FINDINGS: No consolidation."]
    async with reported(reports) as archive:
        page = await archive.search("right lower lobe consolidation")
    assert page.counts
    assert (page.counts["denied"], page.counts["silent"]) == (1, 1)


async def test_two_sides_may_be_stated_at_different_names_of_one_place() -> None:
    reports = ["FINDINGS: Left basilar opacity. Right lower lobe opacity.", "FINDINGS: Left basilar opacity."]
    async with reported(reports) as archive:
        page = await archive.search("bilateral lower lobe opacities")
    assert [(hit.matched, bool(hit.missing)) for hit in page.images] == [("full", False), ("part", True)]


@pytest.mark.parametrize(("query", "side"), [("lingular nodule", "Left"), ("middle lobe nodule", "Right")])
async def test_the_lobe_in_the_middle_third_is_on_its_side(query: str, side: str) -> None:
    async with reported(["FINDINGS: Left mid lung nodule.", "FINDINGS: Right mid lung nodule."]) as archive:
        page = await archive.search(query)
    assert page.matched_results == 1
    assert page.images[0].why == [f"report: {side.lower()} mid lung nodule"]


async def test_what_the_report_denies_and_the_indication_names_is_said() -> None:
    report = "INDICATION: Pleural effusion.\nFINDINGS: No effusion."
    async with reported([report]) as archive:
        page = await archive.search("resolved effusion")
    assert page.images[0].why == ["report, denied: pleural effusion", "indication: pleural effusion"]


async def test_sides_stated_in_two_mentions_are_not_missing() -> None:
    async with reported(["FINDINGS: Large right effusion. Small left effusion."]) as archive:
        page = await archive.search("bilateral effusions and pneumothorax")
    assert [hit.missing for hit in page.images] == [["pneumothorax: not mentioned"]]


@pytest.mark.parametrize(
    ("query", "studies"),
    [
        ("RLL pneumonia", ["Right lower lobe consolidation.", "Left upper lobe pneumonia."]),
        ("small left effusion and edema", ["Left effusion and edema.", "Small left effusion."]),
        ("left effusion and edema", ["Right effusion. Edema.", "Edema."]),
    ],
)
async def test_what_is_stated_of_all_findings_and_their_places_comes_first(query: str, studies: list[str]) -> None:
    async with reported([f"FINDINGS: {one}" for one in reversed(studies)]) as archive:
        page = await archive.search(query)
    assert numbers(page) == [2, 1]
    assert [hit.matched for hit in page.images] == ["part", "part"]
