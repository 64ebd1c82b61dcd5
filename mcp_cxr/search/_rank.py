"""Rankings: grouped, deepened until a page is full, fused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp_cxr.records import Scored
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


async def rank(legs: list[Leg], group: Group, *, needed: int) -> list[Ranked]:
    """Return at least the first `needed` groups over all legs, or all there are.

    Several legs are joined by reciprocal rank fusion: a group scores the sum of 1 / (60 + rank) over the pools that
    hold it. Behind the pools the first leg that compares pixels goes on alone.
    """
    if len(legs) == 1:
        alone = await top_groups(legs[0], group, needed=needed)
        return [Ranked(hit, legs[0].compares_pixels) for hit in alone.values()]
    pools = [first_of_each(await leg.fetch(POOL), group) for leg in legs]
    fused = _fuse(legs, pools)
    if len(fused) >= needed:
        return list(fused.values())
    deeper = next(leg for leg in legs if leg.compares_pixels)
    for key, hit in (await top_groups(deeper, group, needed=needed + len(fused))).items():
        fused.setdefault(key, Ranked(hit, by_pixels=True))
    return list(fused.values())


def _fuse(legs: list[Leg], pools: list[dict[str, Scored]]) -> dict[str, Ranked]:
    """Return groups by falling score, ties by group; a leg that compares pixels chooses the image shown."""
    scores: dict[str, float] = {}
    shown: dict[str, Ranked] = {}
    for leg, pool in sorted(zip(legs, pools, strict=True), key=lambda pair: not pair[0].compares_pixels):
        for place, (key, hit) in enumerate(pool.items(), start=1):
            scores[key] = scores.get(key, 0.0) + 1 / (RRF_K + place)
            shown.setdefault(key, Ranked(hit, leg.compares_pixels))
    return {key: shown[key] for key in sorted(scores, key=lambda key: (-scores[key], key))}
