"""Rankings: grouped, deepened until a page is full, fused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Container, Sequence

    from mcp_cxr.records import ImageId, RankedImage
    from mcp_cxr.search._parse_query import Group

POOL = 1000
"""Images of each leg that are fused; fixed, so that the order is the same on every page."""
RRF_K = 60
"""Cormack, Clarke and Büttcher, SIGIR 2009."""


Sift: TypeAlias = "Callable[[list[ImageId]], Awaitable[Sequence[Container[ImageId]]]]"
"""Returns, for each of its sieves, those of the images that it lets through."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """One ranking of images, as deep as it is asked for."""

    fetch: Callable[[int], Awaitable[list[RankedImage]]]
    """Returns at most so many images, best first, always in the same order."""
    compares_pixels: bool
    weight: int = 1
    """How often its pool counts."""


@dataclass(frozen=True, slots=True)
class RankedGroup:
    """One group in the final order, shown by its best image."""

    best: RankedImage
    by_pixels: bool
    """Whether its place owes something to the vectors."""


@dataclass(frozen=True, slots=True)
class _Pool:
    """The first groups of one ranking."""

    groups: dict[str, RankedImage]
    by_pixels: bool = False
    weight: int = 1


def group_key(hit: RankedImage, group: Group) -> str:
    """Return what hits of one group share."""
    return {"study": hit.study_id, "subject": hit.subject_id, "none": hit.image_id}[group]


def best_per_group(hits: list[RankedImage], group: Group) -> dict[str, RankedImage]:
    """Return the best hit of each group, in order."""
    firsts: dict[str, RankedImage] = {}
    for hit in hits:
        firsts.setdefault(group_key(hit, group), hit)
    return firsts


async def top_groups(ranking: Ranking, group: Group, *, needed: int) -> dict[str, RankedImage]:
    """Return at least the first `needed` groups of a leg, or all there are."""
    limit = max(64, 4 * needed)
    while True:
        hits = await ranking.fetch(limit)
        groups = best_per_group(hits, group)
        if len(groups) >= needed or len(hits) < limit:
            return groups
        limit *= 4


async def rank(rankings: list[Ranking], group: Group, *, needed: int, sift: Sift | None = None) -> list[RankedGroup]:
    """Return at least the first `needed` groups over all legs, or all there are.

    Several legs are joined by reciprocal rank fusion: a group scores the sum of weight / (60 + rank) over the pools
    that hold it. Behind the pools the first leg that compares pixels goes on alone.

    Args:
        legs: At least one.
        group: What counts as one.
        needed: How many.
        sift: Each of its sieves picks those images of all pools of which something speaks that says yes, and not how
            much. They make one more pool, in the order in which the legs brought them.
    """
    if len(rankings) == 1:
        alone = await top_groups(rankings[0], group, needed=needed)
        return [RankedGroup(hit, rankings[0].compares_pixels) for hit in alone.values()]
    hits = await _fetch_all(rankings)
    pools = [best_per_group(some, group) for some in hits]
    fetched = [
        _Pool(pool, ranking.compares_pixels, ranking.weight) for ranking, pool in zip(rankings, pools, strict=True)
    ]
    fused = _fuse([*fetched, *(await _filtered_pools(pools, sift) if sift else [])])
    deeper, its_hits = next(
        (ranking, some) for ranking, some in zip(rankings, hits, strict=True) if ranking.compares_pixels
    )
    if len(fused) >= needed or len(its_hits) < POOL:
        return list(fused.values())
    for key, hit in (await top_groups(deeper, group, needed=needed + len(fused))).items():
        fused.setdefault(key, RankedGroup(hit, by_pixels=True))
    return list(fused.values())


async def _fetch_all(rankings: list[Ranking]) -> list[list[RankedImage]]:
    """Return the pool of every leg; they are fetched side by side."""
    pools: list[list[RankedImage]] = [[] for _ in rankings]

    async def fetch(place: int) -> None:
        pools[place] = await rankings[place].fetch(POOL)

    async with anyio.create_task_group() as tasks:
        for place in range(len(rankings)):
            tasks.start_soon(fetch, place)
    return pools


async def _filtered_pools(pools: list[dict[str, RankedImage]], sift: Sift) -> list[_Pool]:
    """Return for each sieve the groups of all pools, in their order, whose image it picks."""
    found: dict[str, RankedImage] = {}
    for pool in pools:
        for key, hit in pool.items():
            found.setdefault(key, hit)
    if not found:
        return []
    sieves = await sift([hit.image_id for hit in found.values()])
    return [_Pool({key: hit for key, hit in found.items() if hit.image_id in picked}) for picked in sieves]


def _fuse(pools: list[_Pool]) -> dict[str, RankedGroup]:
    """Return groups by falling score, ties by group; a leg that compares pixels chooses the image shown."""
    scores: dict[str, float] = {}
    shown: dict[str, RankedGroup] = {}
    for pool in sorted(pools, key=lambda pool: not pool.by_pixels):
        for place, (key, hit) in enumerate(pool.groups.items(), start=1):
            scores[key] = scores.get(key, 0.0) + pool.weight / (RRF_K + place)
            shown.setdefault(key, RankedGroup(hit, pool.by_pixels))
    return {key: shown[key] for key in sorted(scores, key=lambda key: (-scores[key], key))}
