"""Denied findings, near duplicates, chance hits and ignored examples are excluded or explained; files as examples.

Imports private modules: a small sample to warn about, and vectors equal to the mean, which no archive here has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from mcp_cxr.embeddings import OfflineEmbedder
from mcp_cxr.errors import ImageError, PathRefused, QueryError
from mcp_cxr.records import Filter, SearchArguments
from mcp_cxr.search import _result_page
from mcp_cxr.search._similarity import near_duplicates
from tests.support.archives import image_ids, ingested_in_memory, opened_in_memory, set_vectors
from tests.support.image_files import dicom, mimic, report
from tests.support.toy import DIMENSION, ToyEmbedder

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_cxr.archive import Archive
    from mcp_cxr.records import Mode, SearchResult

TEXTS = {
    1: "FINDINGS: Small left pleural effusion. No pneumothorax.",
    2: "FINDINGS: No pleural effusion. Mild edema.",
    3: "FINDINGS: Effusion cannot be excluded. Mild edema.",
    4: "FINDINGS: Mild edema.",
    5: "",
}


@pytest.fixture
async def five(tmp_path: Path) -> Path:
    """Five studies; the last has no report."""
    for number, text in TEXTS.items():
        image = mimic(tmp_path / "films", number)
        if text:
            report(image, text)
    await ingested_in_memory(tmp_path / "data", tmp_path / "films")
    return tmp_path / "data"


def numbers(page: SearchResult) -> list[int]:
    return [int(hit.study_id[2:]) for hit in page.images]


async def test_a_query_that_contradicts_itself_says_so(five: Path) -> None:
    async with opened_in_memory(five) as archive:
        page = await archive.search("edema and no edema", mode="words")
    assert page.total_results == 0
    assert any("asks for 'pulmonary edema' and rules it out" in warning for warning in page.warnings)


@pytest.mark.parametrize("mode", ["auto", "vector", "words"])
async def test_search_excludes_studies_with_a_denied_finding_in_every_mode(five: Path, mode: Mode) -> None:
    async with opened_in_memory(five) as archive:
        page = await archive.search("edema without effusion", mode=mode)
    found = {2, 4} if mode == "words" else {2, 4, 5}
    assert (set(numbers(page)), page.total_results) == (found, len(found))
    assert page.filters == {"without": ["pleural effusion"]}


async def test_a_report_that_denies_the_finding_ranks_before_one_that_does_not_mention_it(five: Path) -> None:
    async with opened_in_memory(five) as archive:
        page = await archive.search("no effusion")
    by_number = dict(zip(numbers(page), page.images, strict=True))
    assert set(by_number) == {2, 4, 5}
    assert by_number[2].rank < by_number[4].rank
    assert by_number[2].why == ["report, denied: pleural effusion"]
    assert by_number[2].report_excerpt == "No pleural effusion."


async def test_present_findings_rank_before_possible_ones(five: Path) -> None:
    async with opened_in_memory(five) as archive:
        page = await archive.search("effusion", mode="words")
        doubted = await archive.search("possible effusion", mode="words")
    assert (numbers(page), numbers(doubted)) == ([1, 3], [3, 1])
    assert [hit.why for hit in page.images] == [
        ["report: small left pleural effusion"],
        ["report, possible: pleural effusion"],
    ]


async def test_denying_a_qualified_finding_excludes_only_studies_that_state_it_so(five: Path) -> None:
    async with opened_in_memory(five) as archive:
        page = await archive.search("edema without left effusion")
    assert set(numbers(page)) == {2, 3, 4, 5}
    assert page.filters == {"without": ["pleural effusion, left"]}


async def test_an_uncertain_label_excludes_the_study_too(five: Path) -> None:
    async with opened_in_memory(five) as archive:
        (stored, *_) = await archive.store.images_after(None, limit=10)
        for value, left in ((1, 4), (-1, 4), (0, 5)):
            study = stored.study
            await archive.store.put_studies([type(study)(study.study_id, study.subject_id, labels={"Fracture": value})])
            assert (await archive.search("edema, no fracture")).total_results == left


async def test_results_of_a_denial_can_be_paged(five: Path) -> None:
    async with opened_in_memory(five) as archive:
        whole = await archive.search("no pneumothorax", limit=100)
        one_by_one = [(await archive.search("no pneumothorax", limit=1, offset=at)).images[0] for at in range(5)]
    assert numbers(whole) == [int(hit.study_id[2:]) for hit in one_by_one]


class TestFiles:
    """An image file as an example, in the archive or not."""

    async def test_a_file_of_the_archive_is_found_as_its_image(self, five: Path, tmp_path: Path) -> None:
        (image,) = (tmp_path / "films").rglob(f"{'-'.join(['00000001'] * 5)}.dcm")
        embedder = ToyEmbedder()
        async with opened_in_memory(five, embedder) as archive:
            by_file = await archive.search(like=[str(image)])
            by_id = await archive.search(like=[image.stem])
        assert by_file.images == by_id.images
        assert embedder.batches == []

    async def test_a_file_outside_the_archive_is_embedded(self, five: Path, tmp_path: Path) -> None:
        copy = dicom(tmp_path / "films" / "again.dcm", 1)
        async with opened_in_memory(five) as archive:
            page = await archive.search(like=[str(copy)])
        assert (page.search_mode, numbers(page)[0], page.total_results) == ("similar", 1, 5)
        assert page.images[0].similarity_score == pytest.approx(1, abs=1e-5)

    async def test_a_file_below_no_root_is_read_only_if_its_folder_is_passed(self, five: Path, tmp_path: Path) -> None:
        image = dicom(tmp_path / "elsewhere" / "film.dcm", 2)
        async with opened_in_memory(five) as archive:
            with pytest.raises(PathRefused, match="is outside the roots of this archive"):
                await archive.search(like=[str(image)])
            with pytest.raises(
                PathRefused, match="is outside the roots of this archive"
            ):  # there or not: it does not say
                await archive.search(like=[str(tmp_path / "gone.png")])
            page = await archive.search_with(SearchArguments(like=[str(image)]), example_roots=(tmp_path,))
        assert numbers(page)[0] == 2

    async def test_a_file_that_is_no_image_raises_its_reason(self, five: Path, tmp_path: Path) -> None:
        broken = tmp_path / "films" / "broken.png"
        broken.write_bytes(b"no picture")
        async with opened_in_memory(five) as archive:
            with pytest.raises(ImageError, match=r"broken\.png cannot be used as an example"):
                await archive.search(like=[str(broken)])
        async with opened_in_memory(five, ToyEmbedder(rejected=[1])) as archive:
            with pytest.raises(QueryError, match=r"dark\.dcm cannot be used as an example"):
                await archive.search(like=[str(dicom(tmp_path / "films" / "dark.dcm", 9))])


async def planted(archive: Archive, *vectors: list[float]) -> None:
    """Replace the vectors of the archive's images."""
    full = np.zeros((len(vectors), DIMENSION), np.float32)
    full[:, : len(vectors[0])] = vectors
    await set_vectors(archive, dict(zip(await image_ids(archive), full, strict=True)))


async def test_near_duplicates_are_folded_into_the_first_of_them(five: Path) -> None:
    async with opened_in_memory(five) as archive:
        await planted(archive, [1, 0, 0], [0, 1, 0], [0, 1, 0.001], [0, 0, 1], [0, 1, 0])
        example, *_ = await image_ids(archive)
        page = await archive.search(like=[example], limit=10)
        apart = [await archive.search(like=[example], limit=1, offset=at) for at in range(4)]
    assert (page.total_results, page.results_count, page.next_offset) == (4, len(page.images), None)
    folded = [reason for hit in page.images for reason in hit.why if reason.startswith("near duplicate, not listed: ")]
    assert (len(page.images), len(folded)) == (2, 2)
    assert [hit.image_id for each in apart for hit in each.images] == [hit.image_id for hit in page.images]
    later = [
        warning
        for each in apart
        for warning in each.warnings
        if warning.startswith("Near duplicates of the image at rank")
    ]
    assert len(later) == 2


async def test_words_mode_folds_no_near_duplicates(five: Path) -> None:
    async with opened_in_memory(five) as archive:
        await planted(archive, *[[1.0, 0.0]] * 5)
        assert (await archive.search("mild edema", mode="words")).results_count == 3
        assert (await archive.search(view=["UNKNOWN", "PA"])).results_count == 5


def test_near_duplicates_point_to_the_first_image_that_stays() -> None:
    one, other = np.eye(2, 4, dtype=np.float32)
    assert near_duplicates([one, None, other, one, one, other], np.zeros(4, np.float32), 0.9) == {3: 0, 4: 0, 5: 2}
    assert near_duplicates([None], np.zeros(4, np.float32), 0.9) == {}
    assert near_duplicates([one, one], one, 0.9) == {}, "all that is the same as the middle tells nothing"


async def test_hits_no_better_than_random_images_are_shown_with_a_warning(
    five: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_result_page, "SMALL_SAMPLE", 5)
    async with opened_in_memory(five) as archive:
        page = await archive.search("edema", limit=5)
    assert page.results_count == 5
    (warning,) = page.warnings
    alone = [hit.rank for hit in page.images if not any("edema" in reason for reason in hit.why)]
    assert len(alone) == 2
    assert alone == [4, 5]
    assert warning == (
        "The images at ranks 4 to 5 may be chance matches: at least 1 in 20 random images is as similar, and no report,"
        " label or tag matches the query."
    )


@pytest.mark.parametrize(("ranks", "text"), [([1], "1"), ([3, 4, 5, 8], "3 to 5, 8"), ([2, 5, 6], "2, 5 to 6")])
def test_ranks_in_a_row_are_shown_as_a_range(ranks: list[int], text: str) -> None:
    assert _result_page._ranges(ranks) == text


async def test_unlike_is_ignored_with_a_warning_without_a_text_vector(five: Path) -> None:
    async with opened_in_memory(five, OfflineEmbedder(preprocessing="other")) as archive:
        example, *_ = await image_ids(archive)
        page = await archive.search("edema", unlike=[example])
    assert (page.search_mode, page.images[0].similarity_score) == ("keyword", None)
    assert page.warnings == ["The argument unlike was ignored: the embedder cannot embed the query text."]


async def test_an_outage_between_two_embeddings_becomes_the_fallback_reason(five: Path) -> None:
    async with opened_in_memory(five, ToyEmbedder(down=True)) as archive:
        example, *_ = await image_ids(archive)
        page = await archive.search("edema without effusion", like=[example])
    assert page.search_mode == "hybrid"
    assert page.fallback_reason
    assert page.filters == {"without": ["pleural effusion"]}


async def test_an_empty_archive_returns_an_empty_page_for_words_and_examples(tmp_path: Path) -> None:
    async with opened_in_memory(tmp_path / "data") as archive:
        await archive.store.create()
        page = await archive.search("edema without effusion")
        assert (page.total_results, page.images) == (0, [])
        assert await archive.store.count(Filter()) == 0
