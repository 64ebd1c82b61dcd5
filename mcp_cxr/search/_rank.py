"""Ranks groups of images: fetches rankings as deep as a page needs, and fuses several into one."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, TypeAlias

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Container, Sequence

    from mcp_cxr.records import GroupBy, ImageId, RankedImage

POOL = 1000
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
    compares_pixels: bool
    weight: int = 1
    """How much its pool counts in the fusion."""


@dataclass(frozen=True, slots=True)
class RankedGroup:
    """One group in the final order, represented by its best image."""

    best: RankedImage
    by_pixels: bool
    """Whether vectors contributed to its rank."""


@dataclass(frozen=True, slots=True)
class _Pool:
    """The first groups of one ranking."""

    groups: dict[str, RankedImage]
    by_pixels: bool = False
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
    pools that hold it. After the last pooled group, the first ranking that compares pixels continues alone.

    Args:
        rankings: At least one.
        group_by: What counts as one result.
        needed: How many groups.
        match_filters: Each of its filters adds a pool: the images of all pools that match it, in their order. So
            evidence without a degree, such as a label, counts in the fusion.
    """
    if len(rankings) == 1:
        alone = await top_groups(rankings[0], group_by, needed=needed)
        return [RankedGroup(hit, rankings[0].compares_pixels) for hit in alone.values()]
    hits = await _fetch_all(rankings)
    pools = [best_per_group(some, group_by) for some in hits]
    fetched = [
        _Pool(pool, ranking.compares_pixels, ranking.weight) for ranking, pool in zip(rankings, pools, strict=True)
    ]
    fused = _fuse([*fetched, *(await _filtered_pools(pools, match_filters) if match_filters else [])])
    by_pixels, pixel_hits = next(
        (ranking, some) for ranking, some in zip(rankings, hits, strict=True) if ranking.compares_pixels
    )
    if len(fused) >= needed or len(pixel_hits) < POOL:
        return list(fused.values())
    for key, hit in (await top_groups(by_pixels, group_by, needed=needed + len(fused))).items():
        fused.setdefault(key, RankedGroup(hit, by_pixels=True))
    return list(fused.values())


async def _fetch_all(rankings: list[Ranking]) -> list[list[RankedImage]]:
    """Return the first images of every ranking; they are fetched concurrently."""
    pools: list[list[RankedImage]] = [[] for _ in rankings]

    async def fetch(place: int) -> None:
        pools[place] = await rankings[place].fetch(limit=POOL)

    async with anyio.create_task_group() as tasks:
        for place in range(len(rankings)):
            tasks.start_soon(fetch, place)
    return pools


async def _filtered_pools(pools: list[dict[str, RankedImage]], match_filters: MatchFilters) -> list[_Pool]:
    """Return for each filter the groups of all pools, in their order, whose image matches it."""
    found: dict[str, RankedImage] = {}
    for pool in pools:
        for key, hit in pool.items():
            found.setdefault(key, hit)
    if not found:
        return []
    matches = await match_filters([hit.image_id for hit in found.values()])
    return [_Pool({key: hit for key, hit in found.items() if hit.image_id in matching}) for matching in matches]


def _fuse(pools: list[_Pool]) -> dict[str, RankedGroup]:
    """Return groups by falling score, ties by group; a ranking that compares pixels chooses the image shown."""
    scores: dict[str, float] = {}
    shown: dict[str, RankedGroup] = {}
    for pool in sorted(pools, key=lambda pool: not pool.by_pixels):
        for place, (key, hit) in enumerate(pool.groups.items(), start=1):
            scores[key] = scores.get(key, 0.0) + pool.weight / (RRF_K + place)
            shown.setdefault(key, RankedGroup(hit, pool.by_pixels))
    return {key: shown[key] for key in sorted(scores, key=lambda key: (-scores[key], key))}
