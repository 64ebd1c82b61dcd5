"""Studies are merged, and their words are found at once and ranked by BM25."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from anyio import create_task_group

from mcp_cxr.language import document_terms, terms
from mcp_cxr.records import Filter, ImageId, Study, StudyId, SubjectId, TermClause
from tests.contract.stores.backends import RANKING_BACKENDS, Backend
from tests.contract.stores.making import bm25, ids, image, vectors

if TYPE_CHECKING:
    from typing import Any

    from mcp_cxr.records import RankedImage
    from mcp_cxr.stores import Store

pytestmark = pytest.mark.parametrize("backend", RANKING_BACKENDS, indirect=True)

A = ImageId("a")
S1, P1 = StudyId("s1"), SubjectId("p1")
FULL = Study(S1, P1, "2180-05-06", "train", {"Edema": 1, "Pneumonia": -1}, "Small effusion.")


async def matched(store: Store, text: str, where: Filter | None = None) -> list[str]:
    return ids(await store.match(terms(text), where or Filter(), limit=100))


async def test_put_studies_counts_what_changed(store: Store) -> None:
    other = Study(StudyId("s2"), P1)
    assert await store.put_studies([FULL, other]) == 2
    assert await store.put_studies([FULL, other]) == 0
    assert await store.put_studies([replace(FULL, split="test"), other]) == 1
    assert await store.put_studies([]) == 0


async def test_empty_fields_keep_the_stored_values(store: Store) -> None:
    await store.put([image("a")], vectors(1))
    await store.put_studies([FULL])
    assert await store.put_studies([Study(S1, P1), Study(S1, P1, report="", split="")]) == 0
    assert (await store.get([A]))[A].study == FULL


@pytest.mark.parametrize(
    "change",
    [
        {"study_date": "2181-01-01"},
        {"split": "test"},
        {"labels": {"Fracture": 0}},
        {"report": "Clear."},
        {"sex": "F"},
        {"age": 0},
    ],
)
async def test_given_fields_replace_the_stored_values(store: Store, change: dict[str, Any]) -> None:
    await store.put([image("a")], vectors(1))
    await store.put_studies([FULL])
    assert await store.put_studies([Study(S1, P1, **change)]) == 1
    assert (await store.get([A]))[A].study == replace(FULL, **change)


async def test_labels_by_people_are_kept_when_a_program_s_arrive(store: Store) -> None:
    await store.put([image("a")], vectors(1))
    people = replace(FULL, labels_by="people")
    program = Study(S1, P1, labels={"Edema": 0}, labels_by="chexpert", positives_only=True)
    assert await store.put_studies([program]) == 1
    assert (await store.get([A]))[A].study == program
    assert [await store.put_studies([one]) for one in (people, program, replace(program, labels_by=None))] == [1, 0, 0]
    assert (await store.get([A]))[A].study == people
    assert (await store.images_after(None, limit=1))[0].study == people
    assert (await store.result_facts([A], Filter())).stored[A].study == people
    assert await store.put_studies([Study(S1, P1, labels={"Edema": 1}, labels_by="people")]) == 1
    assert (await store.get([A]))[A].study == replace(people, labels={"Edema": 1})


async def test_a_report_in_another_language_is_kept_and_not_read(store: Store) -> None:
    await store.put([image("a")], vectors(1))
    spanish = replace(FULL, report="Edema pulmonar.", labels={}, report_language="es", sex="F", age=61)
    await store.put_studies([spanish])
    assert await matched(store, "edema") == []
    assert (await store.get([A]))[A].study == spanish
    assert (await store.images_after(None, limit=1))[0].study == spanish
    await store.put_studies([replace(spanish, report="Edema.", report_language=None)])
    assert await matched(store, "edema") == ["a"]


async def test_labels_of_people_decide_what_a_document_says(store: Store) -> None:
    await store.put([image("a")], vectors(1))
    await store.put_studies([Study(S1, P1, report="No edema.", labels={"Edema": 1}, labels_by="chexpert")])
    says = Filter(clauses=(TermClause(any_of=("0ispulmonaryedema",)),))
    assert await store.count(says) == 0
    await store.put_studies([Study(S1, P1, labels={"Edema": 1}, labels_by="people")])
    assert await store.count(says) == 1


async def test_one_study_given_twice_is_merged_in_order_and_counts_once(store: Store) -> None:
    await store.put([image("a")], vectors(1))
    assert await store.put_studies([Study(S1, P1, split="train"), Study(S1, P1, split="test", report="Clear.")]) == 1
    assert (await store.get([A]))[A].study == Study(S1, P1, split="test", report="Clear.")


async def test_a_study_is_found_by_its_report_present_labels_view_and_tags(store: Store) -> None:
    await store.put([image("a", view_position="LATERAL", tags={"StudyDescription": "Portable", "KVP": 90})], vectors(1))
    await store.put_studies([FULL])
    for text in ("effusions", "Edema", "lateral", "portable"):
        assert await matched(store, text) == ["a"]
    for text in ("pneumonia", "90", "fracture"):
        assert await matched(store, text) == []


async def test_all_images_of_a_study_are_found_by_any_of_its_words(store: Store) -> None:
    await store.put([image("b", tags={"StudyDescription": "Portable"}), image("a"), image("c", "s2")], vectors(3))
    assert await matched(store, "portable") == ["a", "b"]


async def test_words_change_with_the_report_the_labels_and_the_tags(store: Store) -> None:
    await store.put([image("a", tags={"StudyDescription": "Portable"})], vectors(1))
    await store.put_studies([FULL])
    await store.put_studies([Study(S1, P1, report="Clear lungs.", labels={"Fracture": 1})])
    await store.put([image("a", tags={"StudyDescription": "Upright"})], vectors(1))
    for text in ("clear", "fracture", "upright"):
        assert await matched(store, text) == ["a"]
    for text in ("effusion", "edema", "portable"):
        assert await matched(store, text) == []


async def test_a_study_without_images_is_found_once_it_has_one(store: Store) -> None:
    await store.put_studies([FULL])
    assert await matched(store, "effusion") == []
    await store.put([image("a")], vectors(1))
    assert await matched(store, "effusion") == ["a"]


async def test_studies_are_counted_by_the_facts_they_have(store: Store) -> None:
    await store.put([image("a"), image("b", "s2", view_position="UNKNOWN"), image("c", "s3")], vectors(3))
    await store.put_studies(
        [FULL, Study(StudyId("s2"), P1, "2180-01-01"), Study(StudyId("s3"), P1, labels={"Mass": 0})]
    )
    asked = [S1, StudyId("s2"), StudyId("never seen")]
    assert await store.count_study_facts(asked) == {"report": 1, "labels": 1, "view": 1, "date": 2, "split": 1}
    assert (await store.count_study_facts([*asked, StudyId("s3")]))["labels"] == 2
    assert set((await store.count_study_facts([])).values()) == {0}


async def test_studies_without_images_are_counted_and_removed(store: Store, backend: Backend) -> None:
    await store.put([image("a")], vectors(1))
    await store.put_studies([FULL, replace(FULL, study_id=StudyId("s2")), replace(FULL, study_id=StudyId("s3"))])
    backend.put_external("e", "s3", "p1")
    assert await store.count_empty_studies() == 1
    assert await store.count_empty_studies(remove=True) == 1
    assert await store.count_empty_studies() == 0
    await store.put([image("b", study_id="s2")], vectors(1))
    found = [one.study for one in (await store.get([A, ImageId("b"), ImageId("e")])).values()]
    assert [one.report for one in found] == [FULL.report, None, FULL.report]
    assert found[1] == Study(StudyId("s2"), P1)


async def test_a_document_left_without_images_does_not_count_in_the_ranking(store: Store) -> None:
    reports = {"s1": "effusion left", "s2": "effusion effusion", "s3": "clear lungs here", "s4": "clear effusion"}
    await store.put([image(f"i{study}", study) for study in reports], vectors(4))
    await store.put_studies([Study(StudyId(study), P1, report=text) for study, text in reports.items()])
    await store.put([image("is3", "s2")], vectors(1))
    now = {
        study: document_terms(Study(StudyId(study), P1, report=text), [("PA", {})])
        for study, text in reports.items()
        if study != "s3"
    }
    await assert_ranked_as(store, now, "clear")


async def assert_ranked_as(store: Store, documents: dict[str, list[str]], text: str) -> None:
    expected = bm25(documents, terms(text))
    found = await store.match(terms(text), Filter(), limit=1000)
    assert {hit.study_id for hit in found} == expected.keys()
    for hit in found:
        assert hit.score == pytest.approx(expected[hit.study_id], rel=1e-9)
    assert found == sorted(found, key=lambda hit: (-hit.score, hit.image_id))


@pytest.mark.parametrize("text", ["effusion", "left effusion", "pneumothorax or edema left", "lung", "rib"])
async def test_ranking_is_bm25_as_fts5_counts_it(store: Store, text: str) -> None:
    draw = random.Random(7)  # noqa: S311  # not for security
    words = ["lung"] * 12 + ["effusion"] * 5 + "left right edema small pneumothorax clear heart".split() * 2 + ["rib"]
    reports = {f"s{n}": " ".join(draw.choices(words, k=draw.randint(1, 40))) for n in range(40)}
    await store.put([image(f"i{study}", study) for study in reports], vectors(len(reports)))
    await store.put_studies([Study(StudyId(study), P1, report=report) for study, report in reports.items()])
    documents = {
        study: document_terms(Study(StudyId(study), P1, report=report), [("PA", {})])
        for study, report in reports.items()
    }
    await assert_ranked_as(store, documents, text)


async def test_by_presence_the_order_depends_on_who_has_the_terms_and_on_nothing_else(store: Store) -> None:
    """Neither on how often a document has a term, nor on how long the documents are."""
    asked = ["effus", "edema", "rib"]
    scores: list[list[RankedImage]] = []
    for padding in ("Marble.", "Sponge. Marble and sponge, twice and again. Effusion."):
        reports = {
            "s1": f"Effusion. {padding}",
            "s2": f"Edema. {padding if 'Effusion' not in padding else 'Edema edema edema.'}",
            "s3": "Effusion. Edema. Rib.",
            "s4": "Heart.",
            "s5": f"Rib. {padding.replace('Effusion', 'Rib')}",
        }
        await store.put([image(f"i{study}", study) for study in reports], vectors(len(reports)))
        await store.put_studies([Study(StudyId(study), P1, report=report) for study, report in reports.items()])
        scores.append(await store.match(asked, Filter(), limit=9, by_presence=True))
    assert scores[0] == scores[1]
    assert ids(scores[0]) == ["is3", "is1", "is2", "is5"]
    assert scores[0][0].score == pytest.approx(sum(hit.score for hit in scores[0][1:]))


async def test_repeated_terms_count_once(store: Store) -> None:
    await store.put([image("a"), image("b", "s2"), image("c", "s3")], vectors(3))
    await store.put_studies([FULL])
    once = await store.match(["effus", "small"], Filter(), limit=9)
    assert await store.match(["small", "effus", "effus", "small"], Filter(), limit=9) == once


async def test_terms_are_never_operators(store: Store) -> None:
    await store.put([image("a")], vectors(1))
    await store.put_studies([Study(S1, P1, report="near and or")])
    assert ids(await store.match(["not", "near", 'a" OR "b', "", "*", "terms:"], Filter(), limit=9)) == ["a"]


async def test_match_takes_hundreds_of_terms(store: Store) -> None:
    await store.put([image("a")], vectors(1))
    await store.put_studies([FULL])
    many = [f"word{n}" for n in range(800)] + ["effus"]
    assert ids(await store.match(many, Filter(), limit=9)) == ["a"]


async def test_no_terms_match_nothing(store: Store) -> None:
    await store.put([image("a")], vectors(1))
    assert await store.match([], Filter(), limit=9) == []


async def test_equal_scores_are_ordered_by_image_id_and_cut_there(store: Store) -> None:
    names = ["d", "b", "e", "a", "c"]
    await store.put([image(name, f"s{name}") for name in names], vectors(5))
    assert ids(await store.match(["pa"], Filter(), limit=3)) == ["a", "b", "c"]


async def test_reports_and_images_that_two_writers_store_at_once_are_found(store: Store, backend: Backend) -> None:
    names = [f"n{n}" for n in range(60)]
    studies = [Study(StudyId(f"s{name}"), P1, labels={"Edema": 1}, report="Small effusion.") for name in names]
    async with backend.store() as other, create_task_group() as group:
        group.start_soon(store.put_studies, studies)
        group.start_soon(other.put, [image(name, f"s{name}") for name in names], vectors(60))
    assert len(await matched(store, "effusion")) == 60
