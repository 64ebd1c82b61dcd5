"""Rankings: grouped, deepened until a page is full, fused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp_cxr.records import ImageId, Scored
    from mcp_cxr.search._question import Group

POOL = 1000
"""Images of each leg that are fused; fixed, so that the order is the same on every page."""
RRF_K = 60
"""Cormack, Clarke and Büttcher, SIGIR 2009."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One ranking of images, as deep as it is asked for."""

    fetch: Callable[[int], Awaitable[list[Scored]]]
    """Returns at most so many images, best first, always in the same order."""
    compares_pixels: bool


@dataclass(frozen=True, slots=True)
class Ranked:
    """One group in the final order, shown by its best image."""

    best: Scored
    by_pixels: bool
    """Whether its place owes something to the vectors."""


def key_of(hit: Scored, group: Group) -> str:
    """Return what hits of one group share."""
    return {"study": hit.study_id, "subject": hit.subject_id, "none": hit.image_id}[group]


def first_of_each(hits: list[Scored], group: Group) -> dict[str, Scored]:
    """Return the best hit of each group, in order."""
    firsts: dict[str, Scored] = {}
    for hit in hits:
        firsts.setdefault(key_of(hit, group), hit)
    return firsts


async def top_groups(leg: Leg, group: Group, *, needed: int) -> dict[str, Scored]:
    """Return at least the first `needed` groups of a leg, or all there are."""
    limit = max(64, 4 * needed)
    while True:
        hits = await leg.fetch(limit)
        groups = first_of_each(hits, group)
        if len(groups) >= needed or len(hits) < limit:
            return groups
        limit *= 4


async def rank(
    legs: list[Leg],
    group: Group,
    *,
    needed: int,
    labelled: Callable[[list[ImageId]], Awaitable[set[ImageId]]] | None = None,
) -> list[Ranked]:
    """Return at least the first `needed` groups over all legs, or all there are.

    Several legs are joined by reciprocal rank fusion: a group scores the sum of 1 / (60 + rank) over the pools that
    hold it. Behind the pools the first leg that compares pixels goes on alone.

    Args:
        labelled: Returns those images whose study has the labels that are asked for. They make one more pool, in the
            order in which the other pools brought them: a label says yes, and not how much.
    """
    if len(legs) == 1:
        alone = await top_groups(legs[0], group, needed=needed)
        return [Ranked(hit, legs[0].compares_pixels) for hit in alone.values()]
    pools = [first_of_each(hits, group) for hits in await _fetch_all(legs)]
    ways = [leg.compares_pixels for leg in legs]
    if labelled:
        pools.append(await _labelled(pools, labelled))
        ways.append(False)
    fused = _fuse(ways, pools)
    if len(fused) >= needed:
        return list(fused.values())
    deeper = next(leg for leg in legs if leg.compares_pixels)
    for key, hit in (await top_groups(deeper, group, needed=needed + len(fused))).items():
        fused.setdefault(key, Ranked(hit, by_pixels=True))
    return list(fused.values())


async def _fetch_all(legs: list[Leg]) -> list[list[Scored]]:
    """Return the pool of every leg; they are fetched side by side."""
    pools: list[list[Scored]] = [[] for _ in legs]

    async def fetch(place: int) -> None:
        pools[place] = await legs[place].fetch(POOL)

    async with anyio.create_task_group() as tasks:
        for place in range(len(legs)):
            tasks.start_soon(fetch, place)
    return pools


async def _labelled(
    pools: list[dict[str, Scored]], labelled: Callable[[list[ImageId]], Awaitable[set[ImageId]]]
) -> dict[str, Scored]:
    """Return the groups of all pools, in their order, whose image is labelled."""
    found = {key: hit for pool in reversed(pools) for key, hit in pool.items()}
    order = dict.fromkeys(key for pool in pools for key in pool)
    if not order:
        return {}
    images = await labelled([found[key].image_id for key in order])
    return {key: found[key] for key in order if found[key].image_id in images}


def _fuse(compare_pixels: list[bool], pools: list[dict[str, Scored]]) -> dict[str, Ranked]:
    """Return groups by falling score, ties by group; a leg that compares pixels chooses the image shown."""
    scores: dict[str, float] = {}
    shown: dict[str, Ranked] = {}
    for by_pixels, pool in sorted(zip(compare_pixels, pools, strict=True), key=lambda pair: not pair[0]):
        for place, (key, hit) in enumerate(pool.items(), start=1):
            scores[key] = scores.get(key, 0.0) + 1 / (RRF_K + place)
            shown.setdefault(key, Ranked(hit, by_pixels))
    return {key: shown[key] for key in sorted(scores, key=lambda key: (-scores[key], key))}
