"""Images are written with their vectors, replaced, read one by one, walked and forgotten."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mcp_cxr.errors import DimensionMismatch, VectorRefused
from mcp_cxr.records import Filter, ImageId, Study, StudyId, SubjectId
from mcp_cxr.stores import SAMPLE_SIZE, sample_key
from tests.contract.stores.making import DIMENSION, at_cosine, axis, ids, image, outcome, vectors

if TYPE_CHECKING:
    from mcp_cxr.records import StoredImage
    from mcp_cxr.stores import Store
    from tests.contract.stores.backends import Backend

A, B, C = ImageId("a"), ImageId("b"), ImageId("c")


async def stored(store: Store, image_id: str) -> StoredImage:
    found = await store.get([ImageId(image_id)], with_vectors=True)
    return found[ImageId(image_id)]


async def walk(store: Store, *, limit: int) -> list[StoredImage]:
    walked: list[StoredImage] = []
    while page := await store.images_after(walked[-1].image.image_id if walked else None, limit=limit):
        assert len(page) <= limit
        walked += page
    return walked


async def test_an_image_comes_back_as_it_was_put(store: Store) -> None:
    record = image(
        "a",
        "s50414267",
        "p10000032",
        view_position="LATERAL",
        view_source="ViewCodeSequence",
        tags={
            "Rows": 2544,
            "StudyDescription": "CHEST (PA AND LAT) \u00fc",
            "KVP": 1.5,
        },
        grayscale={"window": [1, 2], "inverted": True, "lut": None},
    )
    await store.put([record], vectors(1))
    found = await stored(store, "a")
    assert found.image == record
    assert not found.external
    assert found.study == Study(StudyId("s50414267"), SubjectId("p10000032"))


async def test_a_path_of_invalid_unicode_comes_back_as_it_was_put(store: Store) -> None:
    record = image("a", image_path="images/\udcff.dcm", root="/arch\udce9ve")
    await store.put([record], vectors(1))
    assert (await stored(store, "a")).image == record


async def test_vectors_of_any_length_are_normalized(store: Store) -> None:
    rows = vectors(3)
    given = rows * np.array([[1e-30], [1.0], [1e30]], np.float32)
    await store.put([image("a"), image("b"), image("c")], given)
    for name, row in zip("abc", rows, strict=True):
        vector = (await stored(store, name)).vector
        assert vector is not None
        assert vector.dtype == np.float32
        np.testing.assert_allclose(vector, row / np.linalg.norm(row), atol=1e-6)


async def test_a_unit_vector_is_kept_bit_by_bit(store: Store) -> None:
    images = [image(f"i{n:04d}") for n in range(2000)]
    await store.put(images, vectors(len(images)))
    once = np.stack([item.vector for item in await store.images_after(None, limit=9999) if item.vector is not None])
    await store.put(images, once)
    again = np.stack([item.vector for item in await store.images_after(None, limit=9999) if item.vector is not None])
    np.testing.assert_array_equal(again, once)


async def test_get_returns_vectors_only_if_asked(store: Store) -> None:
    await store.put([image("a")], vectors(1))
    assert (await store.get([A]))[A].vector is None


async def test_get_keeps_the_order_of_ids_and_leaves_out_unknown_ones(store: Store) -> None:
    await store.put([image("a"), image("b")], vectors(2))
    assert list(await store.get([C, B, A])) == ["b", "a"]


async def test_known_ids_takes_thousands_of_ids(store: Store) -> None:
    await store.put([image("a"), image("b")], vectors(2))
    asked = [ImageId(f"none{n}") for n in range(40_000)] + [A]
    assert await store.known_ids(asked) == {"a"}
    assert await store.known_ids([]) == set()


async def test_put_twice_keeps_one_row_with_what_came_last(store: Store) -> None:
    await store.put([image("a", view_position="AP")], at_cosine(0.1))
    await store.put([image("a", view_position="PA")], at_cosine(0.9))
    assert (await store.totals()).images == 1
    assert (await stored(store, "a")).image.view_position == "PA"
    assert [round(hit.score, 5) for hit in await store.nearest(axis(), Filter(), limit=5)] == [0.9]


async def test_put_of_no_images_does_nothing(store: Store) -> None:
    await store.put([], np.empty((0, DIMENSION), np.float32))
    assert (await store.totals()).images == 0


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (np.zeros(DIMENSION), VectorRefused),
        (np.full(DIMENSION, np.nan), VectorRefused),
        (np.append(np.ones(DIMENSION - 1), np.inf), VectorRefused),
        (np.ones(DIMENSION + 1), DimensionMismatch),
    ],
    ids=["zero", "NaN", "infinity", "dimension"],
)
async def test_an_invalid_vector_is_refused_and_nothing_is_written(
    store: Store, bad: np.ndarray, error: type[Exception]
) -> None:
    rows = np.ones((2, len(bad)), np.float32)
    rows[1] = bad
    with pytest.raises(error):
        await store.put([image("a"), image("b")], rows)
    assert (await store.totals()).images == 0
    with pytest.raises(error):
        await store.nearest(rows[1], Filter(), limit=1)


async def test_put_adds_a_missing_study_and_keeps_an_existing_one(store: Store) -> None:
    known = Study(StudyId("s1"), SubjectId("p1"), "2180-05-06", "test", {"Edema": 1}, "Effusion.")
    await store.put_studies([known])
    await store.put([image("a", "s1"), image("b", "s2")], vectors(2))
    found = await store.get([A, B])
    assert found[A].study == known
    assert found[B].study == Study(StudyId("s2"), SubjectId("p1"))


async def test_external_images_are_returned_and_counted_in_totals_but_never_ranked(
    store: Store, backend: Backend
) -> None:
    await store.put([image("a")], vectors(1))
    backend.put_external("b", "s1", "p1", "LATERAL")
    found = await store.get([A, B], with_vectors=True)
    assert (found[A].external, found[B].external) == (False, True)
    assert (found[B].image.view_position, found[B].study.study_id) == ("LATERAL", "s1")
    totals = await store.totals()
    assert (totals.images, totals.external, totals.by_view) == (2, 1, {"PA": 1, "LATERAL": 1})
    assert [item.external for item in await store.images_after(None, limit=9)] == [False, True]
    assert ids(await store.nearest(axis(), Filter(), limit=9)) == ["a"]
    assert ids(await store.match(["pa", "lateral"], Filter(), limit=9)) == ["a"]
    assert ids(await store.browse(Filter(), limit=9)) == ["a"]
    assert await store.count(Filter()) == 1
    assert await store.known_ids([A, B]) == {"a"}
    assert (await store.reference_sample()).ids == ("a",)


async def test_an_external_image_of_an_unknown_study_is_returned(store: Store, backend: Backend) -> None:
    backend.put_external("b", "s77", "p7")
    found = await stored(store, "b")
    assert found.study == Study(StudyId("s77"), SubjectId("p7"))
    totals = await store.totals()
    assert (totals.images, totals.studies, totals.subjects) == (1, 1, 1)


async def test_put_replaces_an_external_image(store: Store, backend: Backend) -> None:
    backend.put_external("b")
    await store.put([image("b")], at_cosine(0.5))
    totals = await store.totals()
    assert (totals.images, totals.external) == (1, 0)
    assert ids(await store.nearest(axis(), Filter(), limit=9)) == ["b"]
    assert ids(await store.match(["pa"], Filter(), limit=9)) == ["b"]


async def test_totals_count_images_studies_subjects_views_and_present_labels(store: Store) -> None:
    await store.put(
        [image("a"), image("b", view_position="LATERAL"), image("c", "s2"), image("d", "s3", "p2")], vectors(4)
    )
    await store.put_studies(
        [
            Study(StudyId("s1"), SubjectId("p1"), labels={"Edema": 1, "Pneumonia": -1}),
            Study(StudyId("s2"), SubjectId("p1"), labels={"Edema": 1, "Pneumonia": 0}),
            Study(StudyId("s9"), SubjectId("p9"), labels={"Fracture": 1}),
        ]
    )
    totals = await store.totals()
    assert (totals.images, totals.studies, totals.subjects, totals.external) == (4, 3, 2, 0)
    assert totals.by_view == {"PA": 3, "LATERAL": 1}
    assert totals.by_label == {"Edema": 2}


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
async def test_images_after_walks_everything_once_by_id_with_vectors(
    store: Store, backend: Backend, limit: int
) -> None:
    names = [f"{n:02d}" for n in (5, 3, 9, 1, 7, 0)]
    await store.put([image(name) for name in names], vectors(len(names)))
    backend.put_external("04")
    walked = await walk(store, limit=limit)
    assert [item.image.image_id for item in walked] == sorted([*names, "04"])
    assert all(item.vector is not None for item in walked)


async def test_what_verify_checks_is_that_of_the_images_and_of_the_outcomes_of_their_files(
    store: Store, backend: Backend
) -> None:
    put = [
        image("a", reading=3),
        image("b", image_path="images/\udcff.dcm", root="/arch\udce9ve"),
        image("c", image_path="c.dcm", root="/"),
        image("d", image_path="x//d.dcm"),
        image("g"),
    ]
    await store.put(put, vectors(len(put)))
    backend.put_external("f")
    files = {one.image_id: str(one.file) for one in put}
    recorded = [outcome(files[A], "a"), outcome(files[B], "b"), outcome(files[C], reason="not DICOM")]
    await store.record_outcomes([*recorded, outcome(files[ImageId("d")], "other")])
    walked = [
        *(first := await store.vectors_and_files_after(None, limit=4)),
        *await store.vectors_and_files_after(first[-1].image_id, limit=4),
    ]
    whole = await walk(store, limit=9)
    by_path = await store.outcomes([str(stored.image.file) for stored in whole])
    assert sorted(by_path) == sorted(files[ImageId(name)] for name in "abcd")
    for row, stored in zip(walked, whole, strict=True):
        file = str(stored.image.file)
        assert (row.image_id, row.file, row.external) == (stored.image.image_id, file, stored.external)
        assert (row.reading, row.outcome) == (stored.image.reading, by_path.get(file))
        np.testing.assert_array_equal(row.vector, stored.vector)


async def test_the_reference_sample_is_the_images_with_the_lowest_keys(store: Store) -> None:
    count = SAMPLE_SIZE + 50
    images = [image(f"i{n}", f"s{n // 9}") for n in range(count)]
    rows = vectors(count)
    await store.put(images, rows)
    sample = await store.reference_sample()
    expected = sorted(range(count), key=lambda n: sample_key(images[n].image_id))[:SAMPLE_SIZE]
    assert list(sample.ids) == [images[n].image_id for n in expected]
    assert sample.vectors.dtype == np.float32
    lengths = np.linalg.norm(rows[expected], axis=1, keepdims=True)
    np.testing.assert_allclose(sample.vectors, rows[expected] / lengths, atol=1e-6)


async def test_forget_removes_images_outcomes_studies_and_words_only(store: Store, backend: Backend) -> None:
    await store.put([image("a"), image("b"), image("c", "s2", "p2")], vectors(3))
    backend.put_external("f", "s1", "p1")
    await store.put_studies(
        [Study(StudyId(f"s{n}"), SubjectId(f"p{n}"), report="Effusion.", labels={"Edema": 1}) for n in (1, 2)]
    )
    await store.record_outcomes(
        [outcome("/a", "a"), outcome("/b", "b"), outcome("/c", "c"), outcome("/x", reason="not DICOM")]
    )
    assert await store.forget(Filter(subject_id=SubjectId("p1"))) == 3
    assert set(await store.get([A, B, C, ImageId("f")])) == {"c"}
    assert set(await store.outcomes(["/a", "/b", "/c", "/x"])) == {"/c", "/x"}
    assert ids(await store.nearest(axis(), Filter(), limit=9)) == ["c"]
    assert ids(await store.match(["effus"], Filter(), limit=9)) == ["c"]
    totals = await store.totals()
    assert (totals.images, totals.studies, totals.by_label) == (1, 1, {"Edema": 1})


async def test_a_study_stays_while_it_has_images(store: Store) -> None:
    study = Study(StudyId("s1"), SubjectId("p1"), report="Effusion.")
    await store.put([image("a", tags={"SeriesDescription": "bedside"}), image("b")], vectors(2))
    await store.put_studies([study])
    assert await store.forget(Filter(image_id=A)) == 1
    assert (await store.get([B]))[B].study == study
    assert ids(await store.match(["effus"], Filter(), limit=9)) == ["b"]
    assert await store.match(["bedsid"], Filter(), limit=9) == []


async def test_a_forgotten_study_is_empty_if_an_image_of_it_is_put_again(store: Store) -> None:
    await store.put([image("a")], vectors(1))
    await store.put_studies([Study(StudyId("s1"), SubjectId("p1"), report="Effusion.", labels={"Edema": 1})])
    await store.forget(Filter(study_id=StudyId("s1")))
    await store.put([image("a")], vectors(1))
    assert (await stored(store, "a")).study == Study(StudyId("s1"), SubjectId("p1"))


async def test_a_study_that_never_had_images_is_forgotten_with_its_subject(store: Store) -> None:
    await store.put_studies([Study(StudyId(f"s{n}"), SubjectId(f"p{n}"), report="Effusion.") for n in (1, 2)])
    assert await store.forget(Filter(subject_id=SubjectId("p1"))) == 0
    await store.put([image("a", "s1", "p1"), image("b", "s2", "p2")], vectors(2))
    assert ids(await store.match(["effus"], Filter(), limit=9)) == ["b"]


async def test_forget_refuses_an_empty_filter(store: Store) -> None:
    await store.put([image("a")], vectors(1))
    with pytest.raises(ValueError, match="drop"):
        await store.forget(Filter())
    assert (await store.totals()).images == 1


async def test_forget_of_an_unknown_image_does_nothing(store: Store) -> None:
    assert await store.forget(Filter(image_id=A)) == 0


async def test_an_image_that_moves_to_another_study_takes_its_words_along(store: Store) -> None:
    bedside = image("a", "s1", tags={"SeriesDescription": "bedside"})
    await store.put([bedside, image("b", "s1")], vectors(2))
    await store.put([replace(bedside, study_id=StudyId("s2"))], vectors(1))
    assert ids(await store.match(["bedsid"], Filter(), limit=9)) == ["a"]
    assert await store.count(Filter(), distinct="study") == 2
