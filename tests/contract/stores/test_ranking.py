"""Images are ranked by cosine, listed by date and counted, within any filter."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest

from mcp_cxr.records import Filter, ImageId, Study, StudyId, SubjectId, TermClause
from mcp_cxr.stores import Store
from tests.contract.stores.backends import RANKING_BACKENDS
from tests.contract.stores.making import FINGERPRINT, at_cosine, axis, ids, image, vectors

if TYPE_CHECKING:
    from typing import Any

    from mcp_cxr.records import ResultFacts
    from tests.contract.stores.backends import Backend

pytestmark = pytest.mark.parametrize("backend", RANKING_BACKENDS, indirect=True)


def clauses(*given: TermClause) -> Filter:
    return Filter(clauses=given)


def any_of(*terms: str) -> TermClause:
    return TermClause(any_of=terms)


def lacks(*terms: str) -> TermClause:
    return TermClause(or_lacks=terms)


FILTERS: dict[str, tuple[Filter, set[str]]] = {
    "nothing": (Filter(), {"a1", "a2", "b1", "b2", "c1", "d1"}),
    "one view": (Filter(view=("LATERAL",)), {"a2"}),
    "views": (Filter(view=("PA", "AP")), {"a1", "b1", "b2", "d1"}),
    "an image": (Filter(image_id=ImageId("b1")), {"b1"}),
    "a study": (Filter(study_id=StudyId("sa")), {"a1", "a2"}),
    "a subject": (Filter(subject_id=SubjectId("p1")), {"a1", "a2", "b1", "b2"}),
    "a label": (Filter(labels=("Edema",)), {"a1", "a2", "c1"}),
    "labels": (Filter(labels=("Edema", "Fracture")), {"a1", "a2"}),
    "an absent label": (Filter(labels_absent=("Fracture",)), {"b1", "b2", "c1"}),
    "absent labels": (Filter(labels_absent=("Fracture", "Pneumonia")), {"c1"}),
    "a label never mentioned": (Filter(labels_absent=("Lung Lesion",)), {"a1", "a2", "b1", "b2", "c1"}),
    "a blank label": (Filter(labels_blank=("Pneumonia", "Edema", "Edema")), {"a1", "a2", "c1"}),
    "a label blank everywhere": (Filter(labels_blank=("Lung Lesion",)), {"a1", "a2", "b1", "b2", "c1"}),
    "a label and an absent one": (Filter(labels=("Edema",), labels_absent=("Fracture",)), {"c1"}),
    "a label twice": (Filter(labels=("Edema", "Edema")), {"a1", "a2", "c1"}),
    "a split": (Filter(split="test"), {"c1"}),
    "sex": (Filter(sex="F"), {"a1", "a2", "b1", "b2"}),
    "age from": (Filter(age_from=61), {"a1", "a2"}),
    "age to": (Filter(age_to=60), {"c1"}),
    "age from and to": (Filter(age_from=40, age_to=61), {"a1", "a2", "c1"}),
    "without sex": (Filter(lacks_sex=True), {"d1"}),
    "with sex": (Filter(lacks_sex=False), {"a1", "a2", "b1", "b2", "c1"}),
    "without age": (Filter(lacks_age=True), {"b1", "b2", "d1"}),
    "from": (Filter(date_from="2180-02-01"), {"b1", "b2", "c1"}),
    "to": (Filter(date_to="2180-02-01"), {"a1", "a2", "b1", "b2"}),
    "from and to": (Filter(date_from="2180-02-01", date_to="2180-02-01"), {"b1", "b2"}),
    "a report": (Filter(has_report=True), {"a1", "a2"}),
    "no report": (Filter(has_report=False), {"b1", "b2", "c1", "d1"}),
    "not a subject": (Filter(exclude_subject=SubjectId("p1")), {"c1", "d1"}),
    "a term": (clauses(any_of("edema")), {"a1", "a2", "c1"}),
    "any of two terms": (clauses(any_of("edema", "ap")), {"a1", "a2", "b1", "b2", "c1"}),
    "two terms": (clauses(any_of("edema"), any_of("pa")), {"a1", "a2"}),
    "an absent term": (clauses(lacks("edema")), {"b1", "b2", "d1"}),
    "absent terms": (clauses(lacks("edema"), lacks("0noedema"), lacks('a" OR "pa')), {"b1", "b2", "d1"}),
    "a denied finding": (clauses(lacks("0nopulmonaryedema")), {"a1", "a2", "c1", "d1"}),
    "not both of two terms": (clauses(lacks("edema", "pa")), {"b1", "b2", "c1", "d1"}),
    "a term given twice": (clauses(lacks("edema", "edema"), any_of("pa", "pa")), {"b1", "b2", "d1"}),
    "a term present or another absent": (clauses(TermClause(any_of=("ap",), or_lacks=("pa",))), {"b1", "b2", "c1"}),
    "several clauses": (clauses(any_of("pa", "ll"), lacks("ap"), TermClause(("edema",), ("pa",))), {"a1", "a2", "c1"}),
    "no document's terms": (clauses(any_of('a" OR "pa', "", "pa lateral", "instr")), set()),
    "no document's terms, absent": (
        clauses(lacks("edema", ""), lacks("edema", "edema pa")),
        {"a1", "a2", "b1", "b2", "c1", "d1"},
    ),
    "a clause without terms": (clauses(TermClause()), set()),
    "only these": (Filter(only_images=(ImageId("a1"), ImageId("c1"), ImageId("none"))), {"a1", "c1"}),
    "not these": (Filter(exclude_images=(ImageId("a1"), ImageId("d1"))), {"a2", "b1", "b2", "c1"}),
}
FURTHER = (
    clauses(any_of("edema")),
    Filter(clauses=(any_of("edema"), any_of("pa")), labels=("Edema",), labels_absent=("Pneumonia",)),
    Filter(),
    clauses(any_of("nowher")),
)


@pytest.fixture
async def filled(store: Store) -> Store:
    await store.put(
        [
            image("a1", "sa", "p1"),
            image("a2", "sa", "p1", view_position="LATERAL"),
            image("b1", "sb", "p1", view_position="AP"),
            image("b2", "sb", "p1"),
            image("c1", "sc", "p2", view_position="LL"),
            image("d1", "sd", "p3"),
        ],
        vectors(6),
    )
    p1, p2 = SubjectId("p1"), SubjectId("p2")
    await store.put_studies(
        [
            Study(StudyId("sa"), p1, "2180-01-31", "train", {"Edema": 1, "Fracture": 1}, "Edema.", sex="F", age=61),
            Study(StudyId("sb"), p1, "2180-02-01", "train", {"Edema": 0, "Fracture": 0, "Pneumonia": -1}, sex="F"),
            Study(StudyId("sc"), p2, "2181-01-01", "test", {"Edema": 1, "Fracture": 0}, sex="M", age=45),
        ]
    )
    return store


def both(first: Filter, second: Filter) -> Filter | None:
    """Return the filter in which both hold; None where they give the same field."""
    names = [name for name in Filter.__slots__ if getattr(first, name) != getattr(Filter(), name)]
    others = [name for name in Filter.__slots__ if getattr(second, name) != getattr(Filter(), name)]
    if set(names) & set(others):
        return None
    given = {name: getattr(first, name) for name in names} | {name: getattr(second, name) for name in others}
    return Filter(**given)


async def assert_passes(store: Store, where: Filter, expected: set[str]) -> None:
    everything = {hit.image_id: hit for hit in await store.nearest(axis(), Filter(), limit=99)}
    near = await store.nearest(axis(), where, limit=99)
    assert {hit.image_id for hit in near} == expected
    assert near == [everything[hit.image_id] for hit in near], "the filter changes no score"
    assert set(ids(await store.browse(where, limit=99))) == expected
    assert set(ids(await store.match(["pa", "ap"], where, limit=99))) == expected - {"c1"}
    assert await store.count(where) == len(expected)
    assert await store.count(where, distinct="study") == len({name[0] for name in expected})


@pytest.mark.parametrize("name", FILTERS)
async def test_each_filter_passes_the_expected_images(filled: Store, name: str) -> None:
    await assert_passes(filled, *FILTERS[name])


async def test_filters_combine(filled: Store) -> None:
    pairs = list(itertools.combinations(FILTERS.values(), 2))
    combined = [(where, a & b) for (first, a), (second, b) in pairs if (where := both(first, second))]
    for where, expected in combined:
        assert set(ids(await filled.browse(where, limit=99))) == expected, where
    assert len(combined) > 150


@pytest.mark.usefixtures("backend")
async def test_every_field_of_a_filter_is_tried() -> None:
    tried = {name for where, _ in FILTERS.values() for name in Filter.__slots__ if getattr(where, name)}
    assert tried == set(Filter.__slots__)


async def test_a_filter_excludes_thousands_of_images(filled: Store) -> None:
    many = tuple(ImageId(f"none{n}") for n in range(40_000))
    assert ids(await filled.browse(Filter(exclude_images=(*many, ImageId("a1"))), limit=1)) == ["c1"]


async def test_a_filter_names_hundreds_of_thousands_of_images(filled: Store) -> None:
    only = (
        *(ImageId(f"{'none' * 10}{n}") for n in range(90_000)),
        ImageId("c1"),
        ImageId("b1"),
    )  # over 3.6 million characters
    where = replace(clauses(any_of("edema")), only_images=only)
    assert ids(await filled.browse(where, limit=9)) == ["c1"]
    assert ids(await filled.nearest(axis(), Filter(only_images=only), limit=9)) == ids(
        await filled.nearest(axis(), Filter(only_images=only[-2:]), limit=9)
    )
    assert ids(await filled.match(["edema"], Filter(only_images=only), limit=9)) == ["c1"]
    assert await filled.count(Filter(only_images=only), distinct="subject") == 2


async def test_nearest_is_the_cosine_best_first(store: Store) -> None:
    cosines = [0.3, -1.0, 0.9, 0.0, 1.0, 0.30001]
    await store.put([image(name) for name in "abcdef"], at_cosine(*cosines) * np.float32(7))
    found = await store.nearest(axis() * np.float32(0.01), Filter(), limit=99)
    assert ids(found) == ["e", "c", "f", "a", "d", "b"]
    assert [hit.score for hit in found] == pytest.approx(sorted(cosines, reverse=True), abs=1e-6)
    assert all(-1 <= hit.score <= 1 for hit in found)
    assert (found[0].study_id, found[0].subject_id) == ("s1", "p1")


async def test_nearest_agrees_with_numpy_over_several_blocks(store: Store) -> None:
    count = 2500
    rows = vectors(count)
    names = [f"i{(n * 7919) % 10_000:04d}" for n in range(count)]
    await store.put([image(name) for name in names], rows)
    query = vectors(1, seed=1)[0]
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(query)
    cosines = rows.astype(np.float64) @ query / lengths
    best = np.argsort(-cosines)[:50]
    found = await store.nearest(query, Filter(), limit=50)
    assert ids(found) == [names[n] for n in best]
    np.testing.assert_allclose([hit.score for hit in found], cosines[best], atol=1e-6)
    alone = [await store.nearest(query, Filter(image_id=hit.image_id), limit=1) for hit in found]
    assert alone == [[hit] for hit in found], "the other images change no score"


async def test_equal_vectors_tie_exactly_and_are_cut_by_image_id(store: Store) -> None:
    count = 2200
    twin = vectors(1)
    names = [f"i{(n * 7919) % 10_000:04d}" for n in range(count)]
    await store.put([image(name) for name in names], np.repeat(twin, count, axis=0))
    await store.put([image("best"), image("worst")], np.stack([axis(), -axis()]))
    found = await store.nearest(axis(), Filter(), limit=6)
    assert ids(found) == ["best", *sorted(names)[:5]]
    assert len({hit.score for hit in found[1:]}) == 1


async def test_a_limit_above_the_number_of_images_returns_all(filled: Store) -> None:
    assert len(await filled.nearest(axis(), Filter(), limit=1000)) == 6
    assert await filled.nearest(axis(), Filter(subject_id=SubjectId("nobody")), limit=5) == []


async def test_browse_lists_newest_first_undated_last_then_by_id(filled: Store) -> None:
    found = await filled.browse(Filter(), limit=99)
    assert ids(found) == ["c1", "b1", "b2", "a1", "a2", "d1"]
    assert {hit.score for hit in found} == {0.0}
    assert ids(await filled.browse(Filter(), limit=2)) == ["c1", "b1"]


async def test_the_first_study_of_each_subject_is_the_earliest_dated_one(store: Store) -> None:
    dates = {("p1", "s1"): "2019-01-31", ("p1", "s2"): "2018-12-01", ("p1", "s3"): None, ("p2", "s4"): None}
    images = [image(f"{study} {number}", study, subject) for subject, study in dates for number in range(2)]
    await store.put(images, at_cosine(*[0.5] * len(images)))
    await store.put_studies(
        [Study(StudyId(study), SubjectId(subject), study_date=date) for (subject, study), date in dates.items()]
    )
    asked = {SubjectId(name) for name in ("p1", "p2", "nobody")}
    assert await store.first_study_dates(asked) == {"p1": "2018-12-01"}


async def test_a_blank_label_is_absent_unless_only_positives_are_named(filled: Store) -> None:
    where, blank = Filter(labels_absent=("Pneumonia",)), Filter(labels_blank=("Pneumonia",))
    await assert_passes(filled, where, {"a1", "a2", "c1"})
    p2 = SubjectId("p2")
    await filled.put_studies([Study(StudyId("sc"), p2, labels={"Edema": 1}, labels_by="chexpert", positives_only=True)])
    await assert_passes(filled, where, {"a1", "a2"})
    await assert_passes(filled, replace(where, subject_id=p2), set())
    await assert_passes(filled, replace(where, labels_blank=("Pneumonia",)), {"a1", "a2"})
    await assert_passes(filled, blank, {"a1", "a2", "c1"})
    await filled.put_studies([Study(StudyId("sc"), p2, labels={"Edema": 1}, labels_by="chexpert")])
    await assert_passes(filled, where, {"a1", "a2", "c1"})


VIEWED = (("e5", "PA"), ("e4", "OTHER"), ("e3", "RL"), ("e2", "AP"), ("e1", "UNKNOWN"), ("e0", "LATERAL"))


@pytest.mark.parametrize("date", ["2180-01-01", None])
async def test_ties_are_listed_frontal_before_lateral_before_others(store: Store, date: str | None) -> None:
    await store.put([image(name, f"s{n % 3}", view_position=view) for n, (name, view) in enumerate(VIEWED)], vectors(6))
    studies = [Study(StudyId(f"s{n}"), SubjectId("p1"), study_date=date, report="Edema.") for n in range(3)]
    await store.put_studies([replace(study, labels={"Edema": 1}) for study in studies])
    expected = "e2 e5 e0 e3 e1 e4".split()
    filters = [
        Filter(),
        Filter(has_report=True),
        Filter(labels=("Edema",)),
        clauses(any_of("edema")),
        Filter(subject_id=SubjectId("p1")),
        Filter(exclude_images=(ImageId("e9"),)),
    ]
    for where in filters:
        for limit in (1, 3, 9):
            assert ids(await store.browse(where, limit=limit)) == expected[:limit], where
    within = replace(clauses(any_of("edema")), study_id=StudyId("s1"))
    assert ids(await store.browse(within, limit=9)) == ["e1", "e4"]
    assert ids(await store.browse(Filter(view=("UNKNOWN", "RL", "LATERAL")), limit=9)) == ["e0", "e3", "e1"]


@pytest.mark.parametrize("limit", [1, 3, 9])
async def test_words_that_tie_are_listed_frontal_before_lateral_before_others(store: Store, limit: int) -> None:
    await store.put([image(name, view_position=view) for name, view in VIEWED], vectors(6))
    await store.put_studies([Study(StudyId("s1"), SubjectId("p1"), report="Edema.")])
    for where in (Filter(), Filter(has_report=True), Filter(study_id=StudyId("s1")), clauses(any_of("edema"))):
        assert ids(await store.match(["edema"], where, limit=limit)) == "e2 e5 e0 e3 e1 e4".split()[:limit], where


async def test_count_counts_images_studies_or_subjects(filled: Store) -> None:
    assert await filled.count(Filter()) == 6
    assert await filled.count(Filter(), distinct="study") == 4
    assert await filled.count(Filter(), distinct="subject") == 3
    assert await filled.count(Filter(view=("LL",)), distinct="subject") == 1


async def test_result_facts_equal_the_results_of_the_single_methods(filled: Store, backend: Backend) -> None:
    backend.put_external("f1", "sa", "p1")
    hits = [ImageId(name) for name in ("c1", "gone", "f1", "a1")]
    how: list[dict[str, Any]] = [
        {},
        {"distinct": "study", "with_vectors": True, "also_count": FURTHER},
        {"distinct": "subject", "with_vectors": True},
        {"also_count": FURTHER[:1]},
    ]
    for (where, _), more in itertools.product(FILTERS.values(), how):
        for asked in (hits, []):
            together, one_by_one = (
                await filled.result_facts(asked, where, **more),
                await Store.result_facts(filled, asked, where, **more),
            )
            assert flat(together) == flat(one_by_one)
            assert (together.fingerprint, together.external) == (FINGERPRINT, 1)


async def test_result_facts_count_further_filters(filled: Store) -> None:
    by_unit: dict[Literal["study", "subject"] | None, tuple[int, ...]] = {
        None: (3, 2, 6, 0),
        "study": (2, 1, 4, 0),
        "subject": (2, 1, 3, 0),
    }
    for distinct, expected in by_unit.items():
        facts = await filled.result_facts([], Filter(view=("LL",)), distinct=distinct, also_count=FURTHER)
        assert facts.counts == expected
        assert facts.total == 1
    assert (await filled.result_facts([], Filter())).counts == ()


async def test_term_counts_are_the_studies_whose_documents_have_each_term(filled: Store, backend: Backend) -> None:
    backend.put_external("f1", "sd", "p1")
    given = ["edema", "pa", "ll", "nowher", "", "pa ap", "edema", "7"]
    assert await filled.term_counts(given) == {"edema": 2, "pa": 3, "ll": 1}
    await filled.put_studies([Study(StudyId("sd"), SubjectId("p3"), report="Edema 7 edema 007, 1.0.")])
    assert await filled.term_counts([*given, "007"]) == {"edema": 3, "pa": 3, "ll": 1, "7": 1, "007": 1}
    await filled.forget(Filter(study_id=StudyId("sa")))
    assert await filled.term_counts(given) == {"edema": 2, "pa": 2, "ll": 1, "7": 1}
    assert await filled.term_counts([]) == {}


def flat(facts: ResultFacts) -> list[Any]:
    """Return the values as lists, which `==` can compare, unlike arrays."""
    seen = {one: (found, found.vector is None or found.vector.tobytes()) for one, found in facts.stored.items()}
    stored = [(one, replace(found, vector=None), vector) for one, (found, vector) in seen.items()]
    sample = facts.sample and (facts.sample.ids, facts.sample.vectors.tobytes())
    return [facts.fingerprint, facts.total, facts.external, stored, sample, facts.counts]


async def test_a_study_that_is_changed_or_left_without_images_changes_what_its_clauses_match(filled: Store) -> None:
    """The embedded store keeps the place of a changed document in its index block, and clears it."""
    has_edema, lacks_edema = clauses(any_of("edema")), clauses(lacks("edema"))
    await filled.put_studies([Study(StudyId("sc"), SubjectId("p2"), labels={"Edema": 0})])
    await assert_passes(filled, has_edema, {"a1", "a2"})
    await filled.put([image("a1", "sd", "p3"), image("a2", "sd", "p3")], vectors(2))
    assert set(ids(await filled.browse(has_edema, limit=9))) == set()
    assert set(ids(await filled.browse(lacks_edema, limit=9))) == {"a1", "a2", "b1", "b2", "c1", "d1"}
    assert [await filled.count(where, distinct="study") for where in (has_edema, lacks_edema)] == [0, 3]
    await filled.forget(Filter(study_id=StudyId("sc")))
    assert await filled.count(lacks_edema) == 5


async def test_browse_within_clauses_lists_newest_first_undated_last_then_by_id(filled: Store) -> None:
    await filled.put([image("e2", "se", "p4"), image("e1", "se", "p4")], vectors(2))
    assert ids(await filled.browse(clauses(any_of("pa", "ll")), limit=99)) == "c1 b1 b2 a1 a2 d1 e1 e2".split()
    assert ids(await filled.browse(clauses(lacks("edema")), limit=3)) == ["b1", "b2", "d1"]
    where = replace(clauses(lacks("edema")), view=("PA",), exclude_images=(ImageId("d1"),))
    assert ids(await filled.browse(where, limit=2)) == ["b2", "e1"]
