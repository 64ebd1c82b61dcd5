"""Pages far behind the fused pools are those of one long ranking, and take few images of it.

Imports a private module: a page shows its hits only, not how many images a store had to rank for it.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.records import Filter, ImageId, RankedImage, StudyId, SubjectId
from mcp_cxr.search._plan import Tier
from mcp_cxr.search._rank import POOL_SIZE, RankedGroup, Ranking, rank

if TYPE_CHECKING:
    from collections.abc import Collection

STUDIES = 5000
NEEDED = 3005
TIER = Tier(Filter(), "full")


def ranked(seed: int, *, images_per_study: int) -> list[RankedImage]:
    """Return images of all studies in a drawn order."""
    studies = [number for number in range(STUDIES) for _ in range(images_per_study)]
    random.Random(seed).shuffle(studies)  # noqa: S311  # not for security
    return [
        RankedImage(ImageId(f"i{place}"), StudyId(f"s{number}"), SubjectId("p"), -place)
        for place, number in enumerate(studies)
    ]


async def first(
    hits: list[list[RankedImage]], needed: int, seen: Collection[str] = ()
) -> tuple[dict[str, RankedGroup], list[int]]:
    """Return the first groups by a vector and by words, and how many images were asked for by the vector."""
    limits: list[int] = []

    async def by_vector(*, limit: int) -> list[RankedImage]:
        limits.append(limit)
        return hits[0][:limit]

    async def by_words(*, limit: int) -> list[RankedImage]:
        return hits[1][:limit]

    rankings = [Ranking(by_vector, uses_vectors=True), Ranking(by_words, uses_vectors=False, weight=3)]
    return await rank(rankings, TIER, "study", needed=needed, seen=seen), limits


@pytest.mark.parametrize("images_per_study", [1, 3])
async def test_a_deep_page_continues_those_before(images_per_study: int) -> None:
    hits = [ranked(1, images_per_study=images_per_study), ranked(2, images_per_study=1)]
    deep, _ = await first(hits, NEEDED)
    whole, _ = await first(hits, STUDIES)
    assert len(deep) >= NEEDED
    assert list(whole.items())[:NEEDED] == list(deep.items())[:NEEDED]


async def test_a_deep_page_ranks_few_more_images_than_it_needs() -> None:
    hits = [ranked(1, images_per_study=1), ranked(2, images_per_study=1)]
    deep, limits = await first(hits, NEEDED)
    places = {hit.study_id: place for place, hit in enumerate(hits[0])}
    necessary = 1 + max(places[group.best.study_id] for group in list(deep.values())[:NEEDED] if group.by_vector)
    assert len(limits) == 2
    assert limits[0] == POOL_SIZE
    assert necessary <= limits[1] <= 1.1 * necessary + POOL_SIZE


async def test_a_pool_of_studies_that_earlier_tiers_had_still_finds_the_rest() -> None:
    hits = [ranked(1, images_per_study=1), ranked(2, images_per_study=1)]
    seen = {hit.study_id for hit in hits[0][:2000]}
    deep, limits = await first(hits, NEEDED, seen)
    assert not deep.keys() & seen
    assert len(deep) + len(seen) >= NEEDED
    assert max(limits) <= 2 * NEEDED


async def test_ties_of_the_fusion_are_ordered_by_group() -> None:
    hits = ranked(3, images_per_study=1)[:2]
    found, _ = await first([hits, []], 2)
    assert list(found) == [hit.study_id for hit in hits]
    both, _ = await first([hits, hits[::-1]], 2)
    by_words_first = [hits[1].study_id, hits[0].study_id]
    assert list(both) == by_words_first, "words weigh three times as much"
