"""Words that are no findings: views, ids, limits, sex and age, misspellings, other languages, and what is ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_cxr.errors import QueryError
from mcp_cxr.records import SearchArguments
from tests.support.reported import Reported, image_id, numbers, reported, study_id, subject_id
from tests.support.toy import ToyEmbedder

if TYPE_CHECKING:
    from mcp_cxr.records import SearchResult

VIEWS = [
    Reported("FINDINGS: Left pneumothorax.", views=("PA", "LATERAL")),  # 1
    Reported("FINDINGS: Small pneumothorax.", views=("AP",)),  # 2
    Reported("FINDINGS: Pneumothorax.", views=("UNKNOWN",)),  # 3
    Reported("FINDINGS: No pneumothorax.", views=("PA",)),  # 4
    Reported("FINDINGS: Edema.", views=("LL",)),  # 5
]
REPORTS = [
    "FINDINGS: Pleural effusion. Cardiomegaly.",  # 1
    "FINDINGS: Pneumothorax. A sponge near the spleen.",  # 2
    "FINDINGS: Nodule in the right upper lobe.",  # 3
]


async def found(query: str, *, sees: bool = False, **given: object) -> SearchResult:
    async with reported(VIEWS, ToyEmbedder() if sees else None) as archive:
        return await archive.search(query, **given)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("query", "views", "studies"),
    [
        ("PA pneumothorax", ["PA"], {1}),
        ("pneumothorax PA view", ["PA"], {1}),
        ("AP chest pneumothorax", ["AP"], {2}),
        ("pneumothorax on lateral films", ["LATERAL"], {1}),
        ("pneumothorax, frontal view", ["FRONTAL"], {1, 2}),
        ("pneumothorax PA or AP", ["PA", "AP"], {1, 2}),
    ],
)
async def test_view_words_are_a_filter_that_is_shown(query: str, views: list[str], studies: set[int]) -> None:
    page = await found(query)
    assert (set(numbers(page)), page.filters, page.matched_results) == (studies, {"view": views}, len(studies))
    assert page.understood is not None
    assert page.understood.view == views
    assert "Matching studies left out because their view is unknown: 1." in page.warnings


@pytest.mark.parametrize(
    "query", ["PA catheter", "pulmonary artery", "lateral rib fracture", "lateral wall nodule", "arterial line"]
)
async def test_before_anatomy_a_view_word_is_text(query: str) -> None:
    page = await found(query)
    assert "view" not in page.filters


async def test_a_view_that_is_given_wins_over_the_words() -> None:
    page = await found("PA pneumothorax", view=["AP"])
    assert (numbers(page), page.filters) == ([2], {"view": ["AP"]})
    assert page.warnings == ["'PA' was not applied: the argument view is given."]
    assert page.understood is not None
    assert page.understood.view == []
    same = await found("PA pneumothorax", view=["PA"])
    assert (same.warnings, same.understood and same.understood.view) == ([], ["PA"])


async def test_view_words_alone_list_those_images() -> None:
    page = await found("PA view")
    assert (page.search_mode, set(numbers(page)), page.filters) == ("filter", {1, 4}, {"view": ["PA"]})
    assert page.warnings == ["Matching studies left out because their view is unknown: 1."]


async def test_ids_pasted_whole_are_that_patient_study_or_image() -> None:
    for word, name in (
        (subject_id(2), "subject_id"),
        (study_id(2), "study_id"),
        (image_id(2), "image_id"),
        (study_id(2).upper(), "study_id"),
    ):
        page = await found(word)
        assert (numbers(page), page.search_mode) == ([2], "filter"), word
        assert page.filters == {name: word.lower()}
        assert page.understood is not None
        assert page.understood.ids == [word.lower()]


@pytest.mark.parametrize("words", ["50000002", "study 50000002", "Patient 10000002"])
async def test_an_id_may_be_pasted_without_its_letter(words: str) -> None:
    page = await found(words)
    assert (numbers(page), page.search_mode) == ([2], "filter")
    assert page.understood is not None
    assert page.understood.ids in (["s50000002"], ["p10000002"])


@pytest.mark.parametrize(
    ("query", "name", "stored"),
    [
        ("Patient 10000002 with edema", "subject_id", "p10000002"),
        ("edema of patient 10000002", "subject_id", "p10000002"),
        ("study 50000002: edema", "study_id", "s50000002"),
    ],
)
async def test_an_id_without_its_letter_is_a_filter_beside_other_words(query: str, name: str, stored: str) -> None:
    page = await found(query)
    assert page.filters == {name: stored}
    assert page.understood is not None
    assert (page.understood.ids, page.understood.findings) == ([stored], ["pulmonary edema"])


@pytest.mark.parametrize(
    ("query", "ignored"),
    [("no new pneumothorax", None), ("edema, no worsening pneumothorax", ["pneumothorax"]), ("new edema", [])],
)
async def test_a_finding_of_which_only_a_change_is_denied_is_named(query: str, ignored: list[str] | None) -> None:
    if ignored is None:
        with pytest.raises(QueryError, match="Ask for 'pneumothorax', 'no pneumothorax' or 'unchanged"):
            await found(query)
        return
    page = await found(query)
    assert page.understood is not None
    assert page.understood.ignored == ignored
    assert any("Only a change is denied" in warning for warning in page.warnings) == bool(ignored)


async def test_a_view_word_before_anatomy_finds_no_image_of_that_view() -> None:
    assert (await found("PA catheter")).total_results == 0


async def test_an_id_beside_words_filters_them() -> None:
    page = await found(f"pneumothorax in {subject_id(1)}")
    assert (numbers(page), page.matched_results) == ([1], 1)
    assert (await found(f"pneumothorax in {subject_id(5)}")).matched_results == 0


@pytest.mark.parametrize("query", ["show 2 pneumothorax", "give me two pneumothorax studies", "find 2 pneumothorax"])
async def test_a_number_in_the_words_is_the_limit_but_never_against_a_given_one(query: str) -> None:
    async with reported(["FINDINGS: Pneumothorax."] * 8) as archive:
        page, given = await archive.search(query), await archive.search(query, limit=5)
    assert (page.results_count, page.matched_results) == (2, 8)
    assert page.understood is not None
    assert page.understood.limit == 2
    assert given.results_count == 5
    assert given.understood is not None
    assert given.understood.limit is None


@pytest.mark.parametrize("query", ["find 3 mm nodule", "show 2 cm mass", "7th rib fracture"])
async def test_a_number_with_a_unit_is_no_limit(query: str) -> None:
    page = await found(query)
    assert page.understood is not None
    assert page.understood.limit is None


@pytest.mark.parametrize(
    ("query", "warns"),
    [
        ("kein pneumothorax", True),
        ("pneumothorax à droite", True),
        ("Pneumothorax links", True),
        ("pneumothorax", False),
    ],
)
async def test_a_query_with_words_of_another_language_is_told_that_reports_are_read_in_english(
    query: str, warns: bool
) -> None:
    page = await found(query)
    assert any("read in English" in warning for warning in page.warnings) == warns


async def test_what_is_asked_for_as_possible_is_said() -> None:
    page = await found("possible pneumothorax")
    assert page.understood is not None
    assert page.understood.findings == ["pneumothorax, possible ones first"]


async def test_request_words_are_not_matched_and_not_named() -> None:
    async with reported([*REPORTS, "FINDINGS: Please show all images."]) as archive:
        page = await archive.search("Please could you show me all images of patients that have cardiomegaly?")
    assert (numbers(page), page.matched_results) == ([1], 1)
    assert page.understood is not None
    assert (page.understood.ignored, page.warnings) == ([], [])


async def test_words_no_field_knows_are_named() -> None:
    async with reported(REPORTS) as archive:
        page = await archive.search("pneumothorax xylophone")
    assert (numbers(page), page.matched_results) == ([2], 1)
    assert page.understood is not None
    assert page.understood.ignored == ["xylophone"]
    assert "No report, label or tag states 'xylophone' as present; ignored in this search." in page.warnings


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("pnuemothorax", "pneumothorax"),
        ("cardiomegally", "cardiomegaly"),
        ("efusion", "effusion"),
        ("nodulle", "nodule"),
    ],
)
async def test_misspelt_words_are_corrected_and_the_answer_says_so(typed: str, meant: str) -> None:
    async with reported(REPORTS) as archive:
        page, right = await archive.search(typed), await archive.search(meant)
    assert (page.images, page.matched_results) == (right.images, 1)
    assert page.understood is not None
    assert page.understood.corrected == {typed: meant}
    assert f"Searched for {meant!r} instead of {typed!r}." in page.warnings


async def test_a_word_of_the_reports_is_corrected_too_but_not_by_the_table_alone() -> None:
    async with reported(REPORTS) as archive:
        page = await archive.search("spong")
        hidden = await archive.search_with(SearchArguments(query="sponge"), searchable_words="findings")
    assert (numbers(page), page.matched_results) == ([2], 1)
    assert hidden.matched_results == 0
    assert hidden.understood is not None
    assert hidden.understood.ignored == ["sponge"]


async def test_a_word_of_the_reports_is_not_taken_for_a_word_that_they_lack() -> None:
    async with reported(["BEFUND: Erguss links.", "FINDINGS: Sternal wires."]) as archive:
        page = await archive.search("erguss links")
        misspelt = await archive.search("linkss")
    assert (numbers(page), page.matched_results, page.warnings) == ([1], 1, [])
    assert misspelt.understood is not None
    assert misspelt.understood.corrected == {"linkss": "links"}


@pytest.mark.parametrize("typed", ["mortar", "pericholecystik"])
async def test_a_word_is_not_taken_for_another_that_may_be_a_misspelling(typed: str) -> None:
    """Neither is an everyday word corrected, nor is any word corrected to one that stands in one report alone."""
    async with reported(["FINDINGS: A morter.", "FINDINGS: Pericholecystic."]) as archive:
        page = await archive.search(f"pneumothorax {typed}")
    assert page.understood is not None
    assert (page.understood.corrected, page.understood.ignored) == ({}, [typed])


async def test_a_word_of_several_reports_that_no_list_knows_is_searched_for_a_misspelt_one() -> None:
    async with reported(["FINDINGS: Pericholecystic.", "FINDINGS: Pericholecystic."]) as archive:
        page = await archive.search("pericholecystik")
    assert page.understood is not None
    assert page.understood.corrected == {"pericholecystik": "pericholecystic"}


async def test_a_word_of_a_label_is_not_said_to_be_in_the_report() -> None:
    report = "FINDINGS: Erguss links."
    async with reported([Reported(report, {"kein Befund": 1}), Reported(report, {"Herz links": 1})]) as archive:
        page = await archive.search("kein befund")
        both = await archive.search("erguss links")
    assert [hit.why for hit in page.images] == [["label: kein Befund"]]
    assert ["report: erguss links"] in [hit.why for hit in both.images]
    assert ["report: erguss links", "label: Herz links"] in [hit.why for hit in both.images]


@pytest.mark.parametrize("word", ["HIV", "Quill", "born", "sponge", "telephone", "without HIV"])
async def test_a_report_is_not_read_out_word_by_word(word: str) -> None:
    """The answer is the same whether the study's report has the word or not."""
    reports = [
        "INDICATION: Quill, HIV, pneumothorax in 2019. FINDINGS: Small left effusion. HIV positive, born 1961. Sponge.",
        "REPORT: Told by telephone. Small left pleural effusion. Small left effusion is seen.",
    ]
    async with reported(reports) as archive:
        for query in (word, f"effusion {word}"):
            page = await archive.search_with(SearchArguments(query=query, mode="words"), searchable_words="findings")
            assert page.understood is not None
            assert [one.lower() for one in page.understood.ignored] == [word.lower().removeprefix("without ")]
            facts = {(hit.matched, tuple(hit.why), tuple(hit.missing), hit.report_excerpt) for hit in page.images}
            assert facts in (set(), {("full", ("report: small left pleural effusion",), (), None)})
            assert page.results_count == (2 if "effusion" in query else 0)
            assert any(warning.startswith("Without report text, only imaging findings") for warning in page.warnings)


async def test_words_of_public_labels_are_searched_without_reports() -> None:
    studies = [
        Reported("FINDINGS: Gynecomastia."),
        Reported(None, {"gynecomastia": 1, "Quill trial": 1}),
        Reported("FINDINGS: No effusion.", {"gynecomastia": 0}),
    ]
    async with reported(studies) as archive:
        for query, found, ignored in (
            ("gynecomastia", [2], []),
            ("gynecomastia sponge", [2], ["sponge"]),
            ("without gynecomastia", [1, 3], []),
        ):
            page = await archive.search_with(SearchArguments(query=query, mode="words"), searchable_words="findings")
            assert page.understood is not None
            assert (sorted(numbers(page)), page.understood.ignored) == (found, ignored)
            assert all(hit.why == ["label: gynecomastia"] for hit in page.images if found == [2])


async def test_short_words_ids_and_known_words_are_not_corrected() -> None:
    async with reported(REPORTS) as archive:
        for query in ("mas", "effusion 12345678", "spleen", "nodular"):
            page = await archive.search(query)
            assert page.understood is not None
            assert page.understood.corrected == {}


async def test_a_tie_is_asked() -> None:
    async with reported(["FINDINGS: A candle.", "FINDINGS: A handle."]) as archive:
        page = await archive.search("pandle")
    assert page.matched_results == 0
    assert "'pandle' is not known. Did you mean 'candle' or 'handle'?" in page.warnings


@pytest.mark.parametrize(
    "query", ["左侧胸腔积液", "плевральный выпот", "الانصباب الجنبي", "Pleuraerguss links", "derrame pleurale"]
)
@pytest.mark.parametrize("sees", [False, True])
async def test_other_scripts_and_languages_say_that_reports_are_read_in_english(query: str, *, sees: bool) -> None:
    async with reported(REPORTS, ToyEmbedder() if sees else None) as archive:
        page = await archive.search(query)
    assert any(warning.startswith("Reports are read in English") for warning in page.warnings)


async def test_a_query_of_nothing_but_request_words_is_refused() -> None:
    async with reported(REPORTS) as archive:
        with pytest.raises(QueryError, match="no searchable word"):
            await archive.search("show me the images, please")


async def test_a_dog_on_the_beach_matches_nothing_and_images_are_ranked_by_similarity_alone() -> None:
    embedder = ToyEmbedder()
    async with reported(REPORTS, embedder) as archive:
        page = await archive.search("a dog on the beach")
    assert (page.matched_results, page.total_results, page.search_mode) == (0, 3, "semantic")
    assert {hit.matched for hit in page.images} == {"no"}
    assert (
        "No report, label or tag matches. The images are ranked by similarity alone; even the first may be "
        in (page.warnings[-1])
    )
    assert page.understood is not None
    assert page.understood.embedded == "a dog on the beach"
    async with reported(REPORTS, embedder) as archive:
        empty = await archive.search("a dog on the beach", subject_id="nobody")
    assert empty.total_results == 0
    assert not any("ranked" in warning for warning in empty.warnings)


@pytest.mark.parametrize(
    ("query", "embedded"),
    [
        ("Could you find a small effusion on the left please", "small left pleural effusion"),
        ("pneumothorax without effusion", "pneumothorax"),
        ("bilateral effusions or cardiomegaly", "bilateral pleural effusion or cardiomegaly"),
        ("no effusion", None),
    ],
)
async def test_the_embedder_is_given_the_findings_as_understood(query: str, embedded: str | None) -> None:
    embedder = ToyEmbedder()
    async with reported(REPORTS, embedder) as archive:
        page = await archive.search(query)
    assert page.understood is not None
    assert page.understood.embedded == embedded
    assert embedded is None or embedder.texts[0] == embedded


async def test_too_many_alternatives_with_two_sides_are_refused() -> None:
    names = (
        "atelectasis pneumonia opacity nodule mass pneumothorax effusion infiltrate scar granuloma cyst bulla".split()
    )
    async with reported(["FINDINGS: Edema."]) as archive:
        with pytest.raises(QueryError, match="fewer"):
            await archive.search(" or ".join(f"bilateral {name}" for name in names))
