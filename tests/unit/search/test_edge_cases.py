"""Empty and missing archives, other embedders, unusual vectors, and what a result says about itself.

Imports private modules: the cache is too large to fill, and excerpts are cut from texts no report here has.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mcp_cxr.embeddings import OfflineEmbedder
from mcp_cxr.errors import EmbeddingUnavailable, FingerprintMismatch, QueryError, StoreMissing
from mcp_cxr.images import PREPROCESSING
from mcp_cxr.language.query import parse_query_text
from mcp_cxr.records import ImageId, ImageRecord, SearchArguments, StoredImage, Study, StudyId, SubjectId
from mcp_cxr.search import _text_vector_cache, check_arguments
from mcp_cxr.search._reasons import Reasons
from tests.support.archives import image_ids, ingested_in_memory, opened_in_memory, set_vectors
from tests.support.image_files import mimic, report
from tests.support.toy import OUTAGE, ToyEmbedder

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_cxr.archive import Archive
    from mcp_cxr.demo import DemoDataSet
    from mcp_cxr.records import Mode, Vector

QUERIES: list[dict[str, Any]] = [
    {"query": "effusion"},
    {"query": "effusion", "mode": "words"},
    {"query": "effusion", "mode": "vector"},
    {"view": ["PA"]},
]


@pytest.fixture
async def small(tmp_path: Path) -> Path:
    """Three images of three studies with reports, ingested with the toy embedder."""
    for number in range(3):
        report(mimic(tmp_path / "films", number), "IMPRESSION: Edema.")
    await ingested_in_memory(tmp_path / "data", tmp_path / "films")
    return tmp_path / "data"


async def vector_of(archive: Archive, image_id: ImageId) -> Vector:
    vector = (await archive.store.get([image_id], with_vectors=True))[image_id].vector
    assert vector is not None
    return vector


@pytest.mark.parametrize("query", QUERIES, ids=str)
@pytest.mark.parametrize("down", [False, True])
async def test_a_missing_archive_is_reported_before_anything_is_embedded(
    tmp_path: Path, query: dict[str, Any], down: bool
) -> None:
    async with opened_in_memory(tmp_path / "data", ToyEmbedder(down=down)) as archive:
        with pytest.raises(StoreMissing, match="mcp-cxr ingest PATH"):
            await archive.search(**query)


@pytest.mark.parametrize(
    ("query", "mode"), list(zip(QUERIES, ["hybrid", "keyword", "semantic", "filter"], strict=True))
)
async def test_an_empty_archive_returns_an_empty_page(tmp_path: Path, query: dict[str, Any], mode: str) -> None:
    async with opened_in_memory(tmp_path / "data") as archive:
        await archive.store.create()
        page = await archive.search(**query)
    assert (page.search_mode, page.total_results, page.images, page.next_offset) == (mode, 0, [], None)


@pytest.mark.parametrize("query", QUERIES, ids=str)
@pytest.mark.parametrize("offset", [1000, 2**62])
async def test_a_page_behind_the_last_one_is_empty_and_has_the_total(
    toy_data: Path, query: dict[str, Any], offset: int
) -> None:
    async with opened_in_memory(toy_data) as archive:
        first, behind = await archive.search(**query), await archive.search(**query, offset=offset)
    assert (behind.images, behind.next_offset) == ([], None)
    assert behind.total_results == first.total_results > 0


async def test_an_embedder_without_text_is_the_fallback_reason_and_words_are_matched(sketch_data: Path) -> None:
    async with opened_in_memory(sketch_data, OfflineEmbedder(preprocessing=PREPROCESSING)) as archive:
        page = await archive.search("effusion")
        assert page.search_mode == "keyword"
        assert page.fallback_reason
        assert "cannot embed text" in page.fallback_reason
        with pytest.raises(QueryError, match="Use mode='auto', or give an example"):
            await archive.search("effusion", mode="vector")
        both = await archive.search("effusion", like=[page.images[0].image_id])
        assert (both.search_mode, bool(both.fallback_reason)) == ("hybrid", True)


async def test_vector_mode_fails_while_the_embedder_is_down_but_examples_work(toy_data: Path) -> None:
    async with opened_in_memory(toy_data, ToyEmbedder(down=True)) as archive:
        with pytest.raises(EmbeddingUnavailable, match="Cannot reach"):
            await archive.search("effusion", mode="vector")
        page = await archive.search("effusion")
        assert page.fallback_reason == f"{OUTAGE} The query was matched by words in reports, labels and tags."
        similar = await archive.search(like=[page.images[0].image_id])
        assert (similar.search_mode, similar.fallback_reason) == ("similar", None)


@pytest.mark.parametrize("mode", ["auto", "vector"])
async def test_another_fingerprint_is_refused_but_words_and_examples_work(
    own_data: Path, demo: DemoDataSet, mode: Mode
) -> None:
    async with opened_in_memory(own_data, ToyEmbedder(preprocessing="other")) as archive:
        with pytest.raises(FingerprintMismatch, match="use mode='words', or set MCP_CXR_DATA_DIR to a new folder"):
            await archive.search("effusion", mode=mode)
        with pytest.raises(FingerprintMismatch, match="Set NVCLIP_IMAGE_SIZE to its old value"):
            await archive.ingest(demo.folder)
        page = await archive.search("effusion", mode="words")
        assert page.total_results
        assert (await archive.search(view=["PA"])).total_results
        assert (await archive.show(page.images[0].image_id)).labels
        assert (await archive.overview()).images == len(demo.images)
        assert [finding.name for finding in await archive.doctor() if not finding.ok] == ["fingerprint"]
        await archive.store.drop()


async def test_cached_vectors_are_keyed_by_fingerprint(own_data: Path) -> None:
    embedder = ToyEmbedder()
    async with opened_in_memory(own_data, embedder) as archive:
        hits = [(await archive.search(query)).cache_hit for query in ["left", "left"]]
        embedder._fingerprint = replace(embedder._fingerprint, service="2.0")
        hits += [(await archive.search(query)).cache_hit for query in ["right", "left", "left"]]
    assert hits == [False, True, False, False, True]
    assert embedder.texts == ["left", "right", "left"]


async def test_the_cache_drops_the_least_recently_used_query(toy_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_text_vector_cache, "_MAX_CACHED", 2)
    async with opened_in_memory(toy_data) as archive:
        asked = [
            (await archive.search(query)).cache_hit for query in ["left", "right", "left", "upper", "left", "right"]
        ]
    assert asked == [False, False, True, False, True, False]


async def test_a_failed_query_is_not_cached(toy_data: Path) -> None:
    embedder = ToyEmbedder(down=True)
    async with opened_in_memory(toy_data, embedder) as archive:
        assert (await archive.search("left effusion")).search_mode == "keyword"
        embedder.down = False
        page = await archive.search("left effusion")
    assert (page.search_mode, page.cache_hit, page.fallback_reason) == ("hybrid", False, None)


async def test_examples_that_cancel_each_other_out_are_refused(small: Path) -> None:
    async with opened_in_memory(small) as archive:
        first, second, _ = await image_ids(archive)
        await set_vectors(archive, {second: -(await vector_of(archive, first))})
        with pytest.raises(QueryError, match="cancel each other out"):
            await archive.search(like=[first, second])


async def test_equal_images_have_no_z_score(small: Path) -> None:
    async with opened_in_memory(small) as archive:
        example, *others = await image_ids(archive)
        await set_vectors(archive, dict.fromkeys((example, *others), await vector_of(archive, example)))
        page = await archive.search(like=[example])
    assert [(hit.similarity_z, hit.percentile) for hit in page.images] == [(None, 0.0), (None, 0.0)]
    assert [hit.image_id for hit in page.images] == others


async def test_a_copy_of_the_example_is_less_similar_than_nothing_but_above_all_others(own_data: Path) -> None:
    async with opened_in_memory(own_data) as archive:
        example, copy, *others = await image_ids(archive)
        await set_vectors(archive, {copy: await vector_of(archive, example)})
        hit = (await archive.search(like=[example], group="none")).images[0]
    assert hit.image_id == copy
    assert hit.similarity_score == pytest.approx(1, abs=1e-6)
    assert hit.percentile == round(100 * len(others) / (len(others) + 2), 2)


async def test_a_match_in_the_tags_of_another_image_of_the_study_is_explained(tmp_path: Path) -> None:
    mimic(tmp_path / "films", 1, study=1, subject=1, ViewPosition="PA")
    mimic(tmp_path / "films", 2, study=1, subject=1, ViewPosition="LATERAL", SeriesDescription="swimmer")
    async with opened_in_memory(tmp_path / "data") as archive:
        await archive.ingest(tmp_path / "films")
        (hit,) = (await archive.search("swimmer", mode="words", view=["PA"])).images
        (own,) = (await archive.search("swimmer", mode="words", view=["LATERAL"])).images
    assert (hit.view_position, hit.why) == ("PA", ["tags of the study's other images"])
    assert own.why == ["tags: swimmer"]


async def test_pixels_are_a_reason_only_if_vectors_were_compared(toy_data: Path) -> None:
    async with opened_in_memory(toy_data) as archive:
        assert all(hit.why[0] == "pixels" for hit in (await archive.search("left", mode="vector")).images)
        assert all("pixels" not in hit.why for hit in (await archive.search("effusion", mode="words")).images)
        assert all(hit.why == ["filter"] for hit in (await archive.search(view=["PA"])).images)


async def test_filters_are_shown_as_understood_and_those_not_given_are_left_out(toy_data: Path) -> None:
    async with opened_in_memory(toy_data) as archive:
        page = await archive.search(
            view=["ll", "frontal"], has_report=False, split=" train ", date_from="21200101", labels_absent=["edema"]
        )
    assert page.filters == {
        "view": ["LL", "FRONTAL"],
        "labels_absent": ["Edema"],
        "split": "train",
        "date_from": "2120-01-01",
        "has_report": False,
    }


async def test_a_small_archive_warns_of_coarse_statistics(toy_data: Path, demo: DemoDataSet) -> None:
    async with opened_in_memory(toy_data) as archive:
        page = await archive.search("left effusion", mode="vector")
        assert page.warnings == [
            f"z-scores and percentiles are imprecise: the archive has only {len(demo.images)} images to compare with."
        ]
        assert (await archive.search("left effusion", mode="words")).warnings == []


REPORT = "INDICATION: Cough.\nFINDINGS: Small left effusion. Lungs clear.\nIMPRESSION: Nothing acute."


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("left effusion", "Small left effusion."),
        ("history of cough", "Cough."),
        ("scoliosis", "Nothing acute."),
    ],
)
def test_the_excerpt_is_the_sentence_that_agrees_most_or_the_impression(query: str, sentence: str) -> None:
    assert excerpt(query, REPORT) == sentence
    assert excerpt(query, None) is None


def excerpt(query: str, report: str | None) -> str | None:
    image = ImageRecord(ImageId("i"), StudyId("s"), SubjectId("p"), "PA", "none", "", "/")
    return Reasons(
        parse_query_text(query), StoredImage(image, Study(StudyId("s"), SubjectId("p"), report=report), external=False)
    ).excerpt()


def test_a_long_excerpt_is_cut() -> None:
    cut = excerpt("edema", f"IMPRESSION: {'word ' * 100}")
    assert cut is not None
    assert (len(cut) <= 300, cut[-6:]) == (True, " word…")


async def test_a_query_of_more_than_2000_characters_is_refused() -> None:
    with pytest.raises(QueryError, match="2001 characters; at most 2000"):
        check_arguments(SearchArguments("x" * 2001))
