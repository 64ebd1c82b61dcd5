"""Ranks groups of images: fetches rankings as deep as a page needs, and fuses several into one."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, TypeAlias

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Container, Sequence

    from mcp_cxr.records import GroupBy, ImageId, RankedImage

POOL_SIZE = 1000
"""Images of each ranking that are fused; fixed, so that the order is the same on every page."""
RRF_K = 60
"""Cormack, Clarke and Büttcher, SIGIR 2009."""


MatchFilters: TypeAlias = "Callable[[list[ImageId]], Awaitable[Sequence[Container[ImageId]]]]"
"""Returns for each of some filters those of the images that match it."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """One ordered list of images, fetched as deep as needed."""

    fetch: Callable[..., Awaitable[list[RankedImage]]]
    """Returns at most `limit` images, best first, always in the same order."""
    uses_vectors: bool
    """Whether it ranks by cosine with a vector."""
    weight: int = 1
    """How much its pool counts in the fusion."""


@dataclass(frozen=True, slots=True)
class RankedGroup:
    """One group in the final order, represented by its best image."""

    best: RankedImage
    by_vector: bool
    """Whether vectors contributed to its rank."""


@dataclass(frozen=True, slots=True)
class _Pool:
    """The first groups of one ranking."""

    groups: dict[str, RankedImage]
    by_vector: bool = False
    weight: int = 1


def best_per_group(hits: list[RankedImage], group_by: GroupBy) -> dict[str, RankedImage]:
    """Return the best image of each group, in order."""
    group_id = attrgetter({"study": "study_id", "subject": "subject_id", "none": "image_id"}[group_by])
    firsts: dict[str, RankedImage] = {}
    for hit in hits:
        firsts.setdefault(group_id(hit), hit)
    return firsts


async def top_groups(ranking: Ranking, group_by: GroupBy, *, needed: int) -> dict[str, RankedImage]:
    """Return at least the first `needed` groups of a ranking, or all there are."""
    limit = max(64, 4 * needed)
    while True:
        hits = await ranking.fetch(limit=limit)
        groups = best_per_group(hits, group_by)
        if len(groups) >= needed or len(hits) < limit:
            return groups
        limit *= 4


async def rank(
    rankings: list[Ranking], group_by: GroupBy, *, needed: int, match_filters: MatchFilters | None = None
) -> list[RankedGroup]:
    """Return at least the first `needed` groups over all rankings, or all there are.

    Several rankings are joined by reciprocal rank fusion: a group scores the sum of weight / (60 + rank) over the
    pools that hold it. After the last pooled group, the first ranking by vector continues alone.

    Args:
        rankings: At least one.
        group_by: What counts as one result.
        needed: How many groups.
        match_filters: Each of its filters adds a pool: the images of all pools that match it, in their order. So
            a fact without a degree, such as a label, counts in the fusion.
    """
    if len(rankings) == 1:
        alone = await top_groups(rankings[0], group_by, needed=needed)
        return [RankedGroup(hit, rankings[0].uses_vectors) for hit in alone.values()]
    fetched = await _fetch_all(rankings)
    groups = [best_per_group(hits, group_by) for hits in fetched]
    pools = [_Pool(some, ranking.uses_vectors, ranking.weight) for ranking, some in zip(rankings, groups, strict=True)]
    fused = _fuse([*pools, *(await _filtered_pools(groups, match_filters) if match_filters else [])])
    vector_ranking, vector_hits = next(
        (ranking, hits) for ranking, hits in zip(rankings, fetched, strict=True) if ranking.uses_vectors
    )
    if len(fused) >= needed or len(vector_hits) < POOL_SIZE:
        return list(fused.values())
    for key, hit in (await top_groups(vector_ranking, group_by, needed=needed + len(fused))).items():
        fused.setdefault(key, RankedGroup(hit, by_vector=True))
    return list(fused.values())


async def _fetch_all(rankings: list[Ranking]) -> list[list[RankedImage]]:
    """Return the first images of every ranking; they are fetched concurrently."""
    fetched: list[list[RankedImage]] = [[] for _ in rankings]

    async def fetch(index: int) -> None:
        fetched[index] = await rankings[index].fetch(limit=POOL_SIZE)

    async with anyio.create_task_group() as tasks:
        for index in range(len(rankings)):
            tasks.start_soon(fetch, index)
    return fetched


async def _filtered_pools(groups: list[dict[str, RankedImage]], match_filters: MatchFilters) -> list[_Pool]:
    """Return for each filter a pool of the groups of all rankings, in their order, whose image matches it."""
    found: dict[str, RankedImage] = {}
    for some in groups:
        for key, hit in some.items():
            found.setdefault(key, hit)
    if not found:
        return []
    matches = await match_filters([hit.image_id for hit in found.values()])
    return [_Pool({key: hit for key, hit in found.items() if hit.image_id in matching}) for matching in matches]


def _fuse(pools: list[_Pool]) -> dict[str, RankedGroup]:
    """Return groups by falling score, ties by group; a ranking by vector chooses the image shown."""
    scores: dict[str, float] = {}
    shown: dict[str, RankedGroup] = {}
    for pool in sorted(pools, key=lambda pool: not pool.by_vector):
        for rank, (key, hit) in enumerate(pool.groups.items(), start=1):
            scores[key] = scores.get(key, 0.0) + pool.weight / (RRF_K + rank)
            shown.setdefault(key, RankedGroup(hit, pool.by_vector))
    return {key: shown[key] for key in sorted(scores, key=lambda key: (-scores[key], key))}
