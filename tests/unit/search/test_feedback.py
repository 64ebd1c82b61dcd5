"""Feedback and near duplicates with the pixel sketch, which sees little but exposure.

Imports private modules: which terms marked studies steer by, which a ranking shows only in part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from mcp_cxr.records import SearchArguments
from mcp_cxr.search import check_arguments
from mcp_cxr.search._searcher import _example_findings  # pyright: ignore[reportPrivateUsage]
from tests.support.archives import image_ids, set_vectors
from tests.support.reported import Reported, image_id, numbers, offline, reported
from tests.support.toy import ToyEmbedder

if TYPE_CHECKING:
    from mcp_cxr.archive import Archive
    from mcp_cxr.records import ImageId

EFFUSION, FRACTURE = "FINDINGS: Opacity. Small pleural effusion.", "FINDINGS: Opacity. Rib fracture."
STUDIES = [EFFUSION, FRACTURE] * 12


async def precision(like: tuple[ImageId, ...], unlike: tuple[ImageId, ...] = (), *, sees: bool = False) -> float:
    """Return the share of effusions among the first ten results that were not marked."""
    async with reported(STUDIES, ToyEmbedder() if sees else None) as archive:
        page = await archive.search("opacity", like=like, unlike=unlike)
    return float(np.mean([number % 2 == 1 for number in numbers(page)]))


async def test_findings_of_examples_rank_beside_the_pixel_sketch() -> None:
    assert await precision((image_id(1), image_id(3)), (image_id(2),)) == 1
    assert await precision((image_id(2),), (image_id(1), image_id(3))) == 0


async def test_a_label_of_a_marked_study_steers_too() -> None:
    studies = [Reported("FINDINGS: Opacity.", {"Fracture": n % 2}) for n in range(1, 21)]
    async with reported(studies) as archive:
        page = await archive.search("opacity", like=[image_id(1)])
    assert all(number % 2 == 1 for number in numbers(page)[:9])


async def test_findings_of_examples_are_those_that_the_liked_state_and_the_unliked_do_not() -> None:
    reports = ["FINDINGS: Pneumothorax. Edema. No mass.", "FINDINGS: Edema.", "INDICATION: Fever.\nFINDINGS: Clear."]
    async with reported(reports) as archive:
        examples = await archive.store.get(await image_ids(archive))
        query = check_arguments(SearchArguments(query="x", like=[image_id(1), image_id(3)], unlike=[image_id(2)]))
    assert _example_findings(query, examples) == ("pneumothorax",)


async def test_findings_of_examples_steer_without_words_and_are_the_reason() -> None:
    async with reported(STUDIES) as archive:
        page = await archive.search(like=[image_id(1), image_id(3)], limit=10)
        apart = await archive.search(like=[image_id(1), image_id(3)], unlike=[image_id(2)], limit=10)
        everything = await archive.search(like=[image_id(1), image_id(3)], limit=100)
    assert np.mean([number % 2 == 1 for number in numbers(page)]) >= 0.8
    assert all(number % 2 == 1 for number in numbers(apart))
    assert {"pixels", "report: small pleural effusion"} <= {*page.images[0].why}
    assert everything.total_results == len(STUDIES) - 2 == len(everything.images)


async def test_a_model_that_sees_findings_compares_examples_alone_by_its_vectors() -> None:
    async with reported(STUDIES, ToyEmbedder()) as archive:
        page = await archive.search(like=[image_id(1), image_id(3)])
    assert (page.search_mode, page.images[0].why) == ("similar", ["pixels"])


async def test_examples_alone_are_still_compared_by_their_vectors() -> None:
    async with reported(STUDIES) as archive:
        ones = np.ones(await _dimension(archive), np.float32)
        await set_vectors(archive, {image_id(7): ones, image_id(1): ones})
        page = await archive.search(like=[image_id(7)])
    assert (page.search_mode, page.images[0].study_id) == ("similar", "s50000001")


async def test_feedback_does_not_lower_the_precision_of_words() -> None:
    """What marked studies share is found again although vectors are noise."""
    reports = ["FINDINGS: Pleural effusion.", "FINDINGS: Possible pleural effusion.", "FINDINGS: Edema."] * 20
    async with reported(reports) as archive:
        before = await archive.search("pleural effusion", limit=10)
        liked = [hit.image_id for hit in before.images[:3]]
        after = await archive.search("pleural effusion", like=liked, limit=10)
    assert {hit.matched for hit in after.images} == {"full"}
    assert all("possible" not in " ".join(hit.why) for hit in after.images)


@pytest.mark.parametrize(("cosine", "folds"), [(0.99, True), (0.95, False)])
async def test_near_duplicates_fold_by_the_threshold_of_the_embedder(*, cosine: float, folds: bool) -> None:
    async with reported([f"FINDINGS: Edema, study {n}." for n in range(40)]) as archive:
        dimension = await _dimension(archive)
        one, other = np.zeros((2, dimension), np.float32)
        one[0] = 1
        other[:2] = cosine, (1 - cosine**2) ** 0.5
        await set_vectors(archive, {image_id(1): 5 * one, image_id(2): 5 * other})
        page = await archive.search(like=[image_id(3)], limit=100)
    notes = [reason for hit in page.images for reason in hit.why if reason.startswith("near duplicate, not listed")]
    assert bool(notes) is folds
    assert offline().near_duplicate_cosine == 0.982


async def _dimension(archive: Archive) -> int:
    return (await archive.embedder.fingerprint()).dimension
