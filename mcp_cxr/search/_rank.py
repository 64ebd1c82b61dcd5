"""Ranks groups of images: tier after tier, and within a tier several rankings fused into one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from heapq import nsmallest
from itertools import islice
from math import ceil
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from mcp_cxr.records import GroupBy, ImageId, RankedImage
    from mcp_cxr.search._plan import SearchPlan, Tier
    from mcp_cxr.search._query_embedder import RankingVectors
    from mcp_cxr.stores import Store

POOL_SIZE = 1000
"""Images of each ranking that are fused; fixed, so that the order is the same on every page."""
_HITS_PER_GROUP = 1.5
"""Images of a study that a deep ranking is first expected to hold, if nothing is known of it."""
_DEEPER = 1.1
"""How many more images a study may have deeper in a ranking than among its first images."""
RRF_K = 60
"""Cormack, Clarke and Büttcher, SIGIR 2009."""
WORDS_WEIGHT = EXAMPLES_WEIGHT = 3
"""Matched words and examples are more reliable than a model's vector of words; chosen on the trial of
tests/bench/bench_answers.py."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """One ordered list of images, fetched as deep as needed."""

    fetch: Callable[..., Awaitable[list[RankedImage]]]
    """Returns at most `limit` images, best first, always in the same order."""
    uses_vectors: bool
    """Whether it ranks by cosine with a vector."""
    weight: int = 1
    """How much its pool counts in the fusion."""


class RankedGroup(NamedTuple):  # a page makes thousands, and a data class takes four times as long
    """One group in the final order, represented by its best image."""

    best: RankedImage
    by_vector: bool
    """Whether vectors contributed to its rank."""
    tier: Tier


@dataclass(frozen=True, slots=True)
class _Pool:
    """The first groups of one ranking."""

    groups: dict[str, RankedImage]
    by_vector: bool = False
    weight: int = 1


async def rank_tiers(
    plan: SearchPlan,
    vectors: RankingVectors,
    store: Store,
    group_by: GroupBy,
    *,
    needed: int,
    has_examples: bool = False,
    value_of: Mapping[ImageId, float] | None = None,
) -> list[RankedGroup]:
    """Return the first `needed` groups over all tiers, or all there are; a group counts in its first tier.

    Args:
        plan: The tiers.
        vectors: Those to rank by.
        store: Ranks images.
        group_by: What counts as one result.
        needed: How many groups.
        has_examples: Whether the query's vector is of examples, too.
        value_of: Of all images that pass: what neither words nor vectors rank comes by falling value; None: by date.
    """
    found: dict[str, RankedGroup] = {}
    tiers, are_counted = list(plan.tiers), False
    while tiers and len(found) < needed:
        tier = tiers.pop(0)
        rankings = _rankings(tier, plan, vectors, store, has_examples=has_examples)
        if not rankings:
            browsed = partial(store.browse, tier.where)
            fetch = browsed if value_of is None else partial(_by_value, browsed, value_of)
            rankings = [Ranking(fetch, uses_vectors=False)]
        found |= await rank(rankings, tier, group_by, needed=needed, seen=found)
        if tiers and len(found) < needed and len(rankings) > 1 and not are_counted:
            tiers, are_counted = await _not_empty(tiers, store, group_by), True
    return list(found.values())[:needed]


async def _not_empty(tiers: Sequence[Tier], store: Store, group_by: GroupBy) -> list[Tier]:
    """Return the tiers that any image passes: to count all at once costs less than several rankings of an empty one."""
    facts = await store.result_facts(
        [],
        tiers[0].where,
        distinct=None if group_by == "none" else group_by,
        also_count=[tier.where for tier in tiers[1:]],
    )
    return [tier for tier, number in zip(tiers, (facts.total, *facts.counts), strict=True) if number]


def _rankings(
    tier: Tier, plan: SearchPlan, vectors: RankingVectors, store: Store, *, has_examples: bool
) -> list[Ranking]:
    """Return the rankings to fuse, the one by the query vector first; none if nothing ranks."""
    found: list[Ranking] = []
    if vectors.query is not None:
        weight = EXAMPLES_WEIGHT if has_examples else 1
        found.append(Ranking(partial(store.nearest, vectors.query, tier.where), uses_vectors=True, weight=weight))
        found += [Ranking(partial(store.nearest, one, tier.where), uses_vectors=True) for one in vectors.extra]
    if plan.terms and tier.ranked_by_words:
        match = partial(store.match, plan.terms, tier.where, by_presence=plan.by_presence)
        found.append(Ranking(match, False, weight=WORDS_WEIGHT))
    return found


async def _by_value(
    browse: Callable[..., Awaitable[list[RankedImage]]], value_of: Mapping[ImageId, float], *, limit: int
) -> list[RankedImage]:
    """Return the images of the highest values; ties by id."""
    passing = await browse(limit=max(len(value_of), 1))
    return sorted(passing, key=lambda image: (-value_of[image.image_id], image.image_id))[:limit]


def best_per_group(hits: list[RankedImage], group_by: GroupBy) -> dict[str, RankedImage]:
    """Return the best image of each group, in order."""
    group_id = attrgetter({"study": "study_id", "subject": "subject_id", "none": "image_id"}[group_by])
    firsts: dict[str, RankedImage] = {}
    for hit in hits:
        firsts.setdefault(group_id(hit), hit)
    return firsts


async def top_groups(
    ranking: Ranking,
    group_by: GroupBy,
    *,
    needed: int,
    seen: Collection[str],
    expected: int | None = None,
) -> dict[str, RankedImage]:
    """Return the first groups of a ranking that are not `seen`: `needed` with those seen, or all.

    `expected` is how many images that is expected to take: a good guess reads few images, and reads them once.
    """
    limit = expected or (max(64, 4 * needed) if needed <= POOL_SIZE // 4 else _whole_pools(_HITS_PER_GROUP * needed))
    while True:
        hits = await ranking.fetch(limit=limit)
        new = {key: hit for key, hit in best_per_group(hits, group_by).items() if key not in seen}
        known = len(seen) + len(new)
        if len(hits) < limit or known >= needed:
            return dict(islice(new.items(), needed - len(seen)))
        limit = _whole_pools(limit * min(max(1.1 * needed / known, 1.5), 4))


def _whole_pools(hits: float) -> int:
    """Return a number of hits that is the same for several pages: then a store may have kept them."""
    return POOL_SIZE * ceil(hits / POOL_SIZE)


async def rank(
    rankings: Sequence[Ranking], tier: Tier, group_by: GroupBy, *, needed: int, seen: Collection[str]
) -> dict[str, RankedGroup]:
    """Return the first groups of a tier over all its rankings: `needed` with those seen, or all there are.

    Several rankings are joined by reciprocal rank fusion: a group scores the sum of weight / (60 + rank) over the
    pools that hold it. After the last pooled group, the first ranking by vector continues alone.

    Args:
        rankings: At least one.
        tier: Whose images they rank.
        group_by: What counts as one result.
        needed: How many groups.
        seen: Groups that are ranked already; left out.
    """
    if len(rankings) == 1:
        alone = await top_groups(rankings[0], group_by, needed=needed, seen=seen)
        return {key: RankedGroup(hit, rankings[0].uses_vectors, tier) for key, hit in alone.items()}
    fetched = await _fetch_all(rankings)
    groups = [best_per_group(hits, group_by) for hits in fetched]
    pools = [_Pool(some, ranking.uses_vectors, ranking.weight) for ranking, some in zip(rankings, groups, strict=True)]
    fused = _fuse(pools, tier, needed=needed, seen=seen)
    index = next(index for index, ranking in enumerate(rankings) if ranking.uses_vectors)
    if len(fused) + len(seen) >= needed or len(fetched[index]) < POOL_SIZE:
        return fused
    known = {*seen, *fused}
    new_in_pool = max(len(groups[index].keys() - seen), 1)
    hits = POOL_SIZE * (1 + _DEEPER * (needed - len(known)) / new_in_pool)
    expected = _whole_pools(min(hits, _HITS_PER_GROUP * needed))
    more = await top_groups(rankings[index], group_by, needed=needed, seen=known, expected=expected)
    return fused | {key: RankedGroup(hit, True, tier) for key, hit in more.items()}


async def _fetch_all(rankings: Sequence[Ranking]) -> list[list[RankedImage]]:
    """Return the first images of every ranking; they are fetched concurrently."""
    fetched: list[list[RankedImage]] = [[] for _ in rankings]

    async def fetch(index: int) -> None:
        fetched[index] = await rankings[index].fetch(limit=POOL_SIZE)

    async with anyio.create_task_group() as tasks:
        for index in range(len(rankings)):
            tasks.start_soon(fetch, index)
    return fetched


def _fuse(pools: list[_Pool], tier: Tier, *, needed: int, seen: Collection[str]) -> dict[str, RankedGroup]:
    """Return groups as `rank` does, by falling score, ties by group; a ranking by vector chooses the image shown."""
    by_vector_first = sorted(pools, key=lambda pool: not pool.by_vector)
    scores: dict[str, float] = {}
    for pool in by_vector_first:
        for place, key in enumerate(pool.groups, start=RRF_K + 1):
            scores[key] = scores.get(key, 0.0) + pool.weight / place
    best = nsmallest(needed - len(seen), [(-score, key) for key, score in scores.items() if key not in seen])
    shown = ((key, next(pool for pool in by_vector_first if key in pool.groups)) for _, key in best)
    return {key: RankedGroup(pool.groups[key], pool.by_vector, tier) for key, pool in shown}
