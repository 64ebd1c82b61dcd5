"""Rankings, fusion, similarity statistics and paging equal independent computations with numpy.

Imports private names: the texts whose mean is subtracted, to compute the same vectors, and the plan's terms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mcp_cxr.errors import NotFound, QueryError
from mcp_cxr.language.query import parse_query_text
from mcp_cxr.records import Filter
from mcp_cxr.search._plan import plan_words
from mcp_cxr.search._text_vector_cache import TYPICAL_TEXTS
from tests.support.archives import opened_in_memory
from tests.support.toy import ToyEmbedder

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from mcp_cxr.archive import Archive
    from mcp_cxr.records import Hit, StoredImage, Vector

MODES: list[dict[str, Any]] = [
    {"query": "left effusion"},
    {"query": "left effusion", "mode": "vector"},
    {"query": "left effusion", "mode": "words"},
    {"query": "left effusion", "group": "none"},
    {"query": "left effusion", "group": "subject"},
    {"labels": ["Pleural Effusion"]},
    {"view": ["FRONTAL"], "group": "none"},
]


@pytest.fixture
async def archive(toy_data: Path) -> AsyncGenerator[Archive]:
    async with opened_in_memory(toy_data, ToyEmbedder()) as archive:
        yield archive


async def stored(archive: Archive) -> list[StoredImage]:
    return await archive.store.images_after(None, limit=1000)


async def cosines(archive: Archive, text: str) -> dict[str, float]:
    query = (await archive.embedder.embed_texts([text]))[0]
    return {one.image.image_id: float(one.vector @ query) for one in await stored(archive) if one.vector is not None}


async def pages(archive: Archive, query: dict[str, Any], *, limit: int) -> list[Hit]:
    page = await archive.search(**query, limit=limit)
    hits = page.images
    while page.next_offset is not None:
        page = await archive.search(**query, limit=limit, offset=page.next_offset)
        assert page.results_count == len(page.images) > 0
        hits += page.images
    assert page.total_results == len(hits)
    return hits


@pytest.mark.parametrize("query", MODES, ids=str)
async def test_pages_together_equal_one_large_page(archive: Archive, query: dict[str, Any]) -> None:
    small, large = await pages(archive, query, limit=3), await pages(archive, query, limit=100)
    assert small == large
    assert [hit.rank for hit in large] == list(range(1, len(large) + 1))


@pytest.mark.parametrize("query", MODES, ids=str)
async def test_each_group_appears_once(archive: Archive, query: dict[str, Any]) -> None:
    hits = await pages(archive, query, limit=100)
    by: Any = {"none": lambda hit: hit.image_id, "subject": lambda hit: hit.subject_id}
    keys = [by.get(query.get("group"), lambda hit: hit.study_id)(hit) for hit in hits]
    assert len(set(keys)) == len(keys) > 3


async def test_scores_are_the_raw_cosines_in_falling_order(archive: Archive) -> None:
    hits = await pages(archive, {"query": "left", "mode": "vector", "group": "none"}, limit=100)
    true = await cosines(archive, "left")
    assert [hit.image_id for hit in hits] == sorted(true, key=lambda one: (-true[one], one))
    for hit in hits:
        assert hit.similarity_score == pytest.approx(true[hit.image_id], abs=1e-6)


async def test_z_and_percentile_are_those_of_the_reference_sample(archive: Archive) -> None:
    hits = await pages(archive, {"query": "left", "mode": "vector", "group": "none"}, limit=100)
    all_of_them = np.array(list((await cosines(archive, "left")).values()))  # the archive is smaller than a sample
    for hit in hits:
        assert hit.similarity_score is not None
        z = (hit.similarity_score - all_of_them.mean()) / all_of_them.std()
        assert hit.similarity_z == pytest.approx(z, abs=0.01)
        less_similar = float(np.mean(all_of_them < hit.similarity_score - 1e-6))
        assert hit.percentile == pytest.approx(100 * less_similar, abs=100 / len(all_of_them) + 0.01)


async def test_a_study_is_represented_by_its_best_image(archive: Archive) -> None:
    true = await cosines(archive, "left")
    for hit in await pages(archive, {"query": "left", "mode": "vector"}, limit=100):
        siblings = [one.image.image_id for one in await stored(archive) if one.image.study_id == hit.study_id]
        assert hit.image_id == max(siblings, key=lambda one: true[one])


async def test_pixels_and_words_are_fused_by_reciprocal_rank_within_a_tier(archive: Archive) -> None:
    query = "right effusion"
    by_pixels = [hit.study_id for hit in await pages(archive, {"query": query, "mode": "vector"}, limit=100)]
    by_words = [hit.study_id for hit in await pages(archive, {"query": query, "mode": "words"}, limit=100)]
    joined = await archive.search(query, limit=100)
    assert joined.search_mode == "hybrid"
    tiers = {hit.study_id: hit.matched for hit in joined.images}
    assert set(tiers.values()) == {"full", "part"}
    for tier in set(tiers.values()):
        in_tier = [study for study in by_pixels if tiers[study] == tier]
        matched = [study for study in by_words if tiers[study] == tier] if tier in ("full", "part") else []
        assert [study for study in tiers if tiers[study] == tier] == fused(in_tier, *[matched] * 3)


def fused(*legs: list[str]) -> list[str]:
    score: dict[str, float] = {}
    for leg in legs:
        for place, study in enumerate(leg, start=1):
            score[study] = score.get(study, 0) + 1 / (60 + place)
    return sorted(score, key=lambda study: (-score[study], study))


async def test_words_are_ranked_by_the_bm25_of_the_store(archive: Archive) -> None:
    hits = await pages(archive, {"query": "small left effusion", "mode": "words"}, limit=100)
    plan = plan_words(parse_query_text("small left effusion"), Filter(), by_vector=False)
    ranked = [await archive.store.match(plan.terms, tier.where, limit=1000) for tier in plan.tiers]
    assert [hit.study_id for hit in hits] == list(dict.fromkeys(one.study_id for tier in ranked for one in tier))
    assert all(hit.similarity_score is None for hit in hits)


async def test_why_names_what_matched(archive: Archive) -> None:
    (hit, *_) = (await archive.search("Effusion, please", labels=["Pleural Effusion"], mode="words")).images
    assert any(reason.startswith("report: ") and "pleural effusion" in reason for reason in hit.why)
    assert "label: Pleural Effusion" in hit.why
    assert hit.report_excerpt
    assert "effusion" in hit.report_excerpt.lower()


async def test_examples_are_excluded_and_their_patient_on_request(archive: Archive) -> None:
    example = (await stored(archive))[0].image
    page = await archive.search(like=[example.image_id], group="none", limit=100)
    assert page.search_mode == "similar"
    assert example.image_id not in [hit.image_id for hit in page.images]
    others = await archive.search(like=[example.image_id], exclude_subject_of=example.image_id, group="none", limit=100)
    assert example.subject_id not in [hit.subject_id for hit in others.images]
    assert others.total_results < page.total_results


def seen_from(mean: Vector, *vectors: Vector) -> Vector:
    rows = np.stack(vectors).astype(np.float64) - mean
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).mean(axis=0)


@pytest.mark.parametrize("query", [None, "left", "not effusion"])
async def test_words_and_examples_are_combined_after_subtracting_the_mean_of_each_kind(
    archive: Archive, query: str | None
) -> None:
    vectors = {str(one.image.image_id): one.vector for one in await stored(archive) if one.vector is not None}
    like, second, *_, unlike = vectors
    images = np.mean(list(vectors.values()), axis=0)  # the archive is smaller than a sample
    texts = (await archive.embedder.embed_texts(TYPICAL_TEXTS)).mean(axis=0)
    left, effusion = await archive.embedder.embed_texts(["left", "pleural effusion"])
    wanted = 0.75 * seen_from(images, vectors[like], vectors[second]) - 0.15 * seen_from(images, vectors[unlike])
    wanted += seen_from(texts, left) if query == "left" else 0
    wanted -= 0.5 * seen_from(texts, effusion) if query == "not effusion" else 0
    wanted /= np.linalg.norm(wanted)
    true = {one: float(vector @ wanted) for one, vector in vectors.items()}
    page = await archive.search(query, like=[like, second], unlike=[unlike], mode="vector", group="none", limit=100)
    shown = {hit.image_id: hit.similarity_score for hit in page.images}
    own = {"left": left, "not effusion": -seen_from(texts, effusion)}.get(query or "")  # stays a witness of its own
    aims = [wanted] if own is None else [wanted, wanted, wanted, own]
    assert list(shown) == fused(*(sorted(shown, key=lambda one: (-float(vectors[one] @ aim), one)) for aim in aims))
    assert len(shown) > 3
    assert shown == pytest.approx({one: true[one] for one in shown}, abs=1e-5)


async def test_a_filter_alone_lists_the_newest_study_first(archive: Archive) -> None:
    page = await archive.search(view=["PA"], group="none", limit=100)
    dates: dict[str, str] = {one.image.image_id: one.study.study_date or "" for one in await stored(archive)}
    listed = [(dates[hit.image_id], hit.image_id) for hit in page.images]
    assert page.search_mode == "filter"
    assert listed == sorted(listed, key=lambda pair: (pair[0], [-ord(char) for char in pair[1]]), reverse=True)


async def test_ids_without_their_letter_are_found_and_shown_as_the_archive_spells_them(archive: Archive) -> None:
    image = (await stored(archive))[0].image
    page = await archive.search(subject_id=image.subject_id[1:], study_id=image.study_id[1:])
    assert page.total_results == 1
    assert page.filters == {"subject_id": image.subject_id, "study_id": image.study_id}


async def test_equal_texts_are_embedded_once(toy_data: Path) -> None:
    embedder = ToyEmbedder()
    async with opened_in_memory(toy_data, embedder) as archive:
        assert not (await archive.search("left effusion")).cache_hit
        assert (await archive.search("left   effusion", limit=1)).cache_hit
    assert embedder.texts == ["left pleural effusion"]


async def test_words_still_match_while_the_embedder_is_down(toy_data: Path) -> None:
    async with opened_in_memory(toy_data, ToyEmbedder(down=True)) as archive:
        page = await archive.search("effusion")
        assert (page.search_mode, page.images[0].similarity_score) == ("keyword", None)
        assert page.fallback_reason
        assert "The query was matched by words in reports, labels and tags" in page.fallback_reason


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ({}, 'search_medical_images(query="left pleural effusion", view=["PA"])'),
        ({"query": "  "}, "Give words, an example image or a filter"),
        ({"query": "x", "limit": 0}, "limit must be 1 to 100, not 0"),
        ({"query": "x", "limit": 10_000}, "limit must be 1 to 100, not 10000"),
        ({"query": "x", "offset": -1}, "offset must be 0 or more"),
        ({"view": ["FRONTL"]}, "Did you mean FRONTAL?"),
        ({"labels": ["efusion"]}, "Unknown label"),
        ({"labels": ["pneumothoraks"]}, "Did you mean Pneumothorax?"),
        ({"date_from": "2180"}, "date_from must be a date"),
        ({"date_from": "2181-01-01", "date_to": "2180-01-01"}, "is after date_to"),
        ({"unlike": ["x"]}, 'search_medical_images(query="effusion", unlike=["IMAGE_ID"])'),
        ({"like": ["x"], "unlike": ["x"]}, "in like and in unlike"),
        ({"query": "x", "unlike": ["y"], "mode": "words"}, "leave out like and unlike"),
        ({"labels": ["Edema"], "labels_absent": ["edema"]}, "Edema is in labels and in labels_absent"),
        ({"query": "x", "mode": "best"}, "mode must be one of auto, vector, words"),
        ({"query": "x", "group": "series"}, "group must be one of study, subject, none"),
        ({"mode": "vector", "view": ["PA"]}, "mode='vector' needs a query or an example"),
        ({"mode": "words", "view": ["PA"]}, "mode='words' needs a query"),
        ({"query": "x", "like": ["y"], "mode": "words"}, "mode='words' compares no pixels"),
        ({"query": "show me the", "mode": "words"}, "no searchable word"),
    ],
    ids=str,
)
async def test_invalid_arguments_are_refused_in_one_line_that_shows_a_valid_search(
    archive: Archive, query: dict[str, Any], line: str
) -> None:
    with pytest.raises(QueryError) as caught:
        await archive.search(**query)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_an_unknown_image_is_named_in_the_error(archive: Archive) -> None:
    queries: list[dict[str, Any]] = [{"like": ["nothing"]}, {"query": "x", "exclude_subject_of": "nothing"}]
    for query in queries:
        with pytest.raises(NotFound, match="The archive has no image nothing"):
            await archive.search(**query)


async def test_labels_and_views_ignore_case(archive: Archive) -> None:
    one = await archive.search(labels=["pleural effusion"], view=["frontal"])
    other = await archive.search(labels=["Pleural Effusion"], view=["PA", "AP"])
    assert one.images == other.images
    assert one.images
    assert one.filters == {"view": ["FRONTAL"], "labels": ["Pleural Effusion"]}
