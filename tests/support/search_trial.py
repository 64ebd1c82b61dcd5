"""Measures fusion, denial and feedback on a `LabelSpace`: precision among the first ten results."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tests.support.label_space import LABEL_OF

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mcp_cxr.archive import Archive
    from mcp_cxr.records import Mode, SearchResult
    from tests.support.label_space import LabelSpace, Truth

AT = 10
FEWEST = 10
"""Matching studies that a query needs at least."""


@dataclass(frozen=True)
class TrialQuery:
    """A query, by the findings that it looks for and those that it denies."""

    wanted: tuple[str, ...]
    denied: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        no = [f"{'without' if self.wanted else 'no'} {name}" for name in self.denied]
        return " ".join([" and ".join(self.wanted), *no]).strip()

    def holds_for(self, truth: Truth) -> bool:
        return set(self.wanted) <= truth.findings and not set(self.denied) & truth.findings


@dataclass
class Trial:
    """Precision of each kind of search, query by query."""

    by_way: dict[str, list[float]] = field(default_factory=dict)
    before: list[float] = field(default_factory=list)
    """Of the second page, without feedback."""
    after: list[float] = field(default_factory=list)
    """Of the next results, after the hits of the first page were given as good and bad examples."""

    def mean(self, way: str) -> float:
        return float(np.mean(self.by_way[way]))

    @property
    def best_single(self) -> str:
        return max((way for way in self.by_way if way != "hybrid"), key=self.mean)

    @property
    def lowered(self) -> float:
        """Share of queries that feedback made worse."""
        return float(np.mean(np.array(self.after) < np.array(self.before)))


def draw_queries(space: LabelSpace, count: int, *, seed: int) -> list[TrialQuery]:
    """Draw queries of one, two and three findings, some of them denied, each with enough matching studies."""
    draw = random.Random(seed)  # noqa: S311  # not for security
    every = [TrialQuery(names) for size in (1, 2, 3) for names in itertools.combinations(LABEL_OF, size)]
    every += [
        TrialQuery(names, (other,))
        for names in itertools.combinations(LABEL_OF, 2)
        for other in draw.sample(sorted(LABEL_OF.keys() - set(names)), 1)
    ]
    kept = [one for one in every if sum(map(one.holds_for, space.truths)) >= FEWEST]
    return draw.sample(kept, min(count, len(kept)))


async def run(space: LabelSpace, archive: Archive, queries: Iterable[TrialQuery]) -> Trial:
    """Run each query with every kind of search, and once more with feedback."""
    trial = Trial()
    for one in queries:
        ways = {
            "hybrid": await archive.search(one.text, limit=AT),
            "pixels": await archive.search(one.text, limit=AT, mode="vector"),
            "words": await archive.search(one.text, limit=AT, mode="words"),
            "labels": await archive.search(
                labels=sorted({LABEL_OF[name] for name in one.wanted}), labels_absent=_not_there(one), limit=AT
            ),
        }
        for way, page in ways.items():
            trial.by_way.setdefault(way, []).append(precision(space, one, page))
        await _feed_back(space, archive, one, ways["hybrid"], trial)
    return trial


def _not_there(one: TrialQuery) -> list[str]:
    return sorted({LABEL_OF[name] for name in one.denied} - {LABEL_OF[name] for name in one.wanted})


async def _feed_back(space: LabelSpace, archive: Archive, one: TrialQuery, first: SearchResult, trial: Trial) -> None:
    """Mark each hit of the first page as right or wrong, and search again; hits seen before do not count."""
    right = {truth.image_id: one.holds_for(truth) for truth in space.truths}
    like = [hit.image_id for hit in first.images if right[hit.image_id]]  # pyright: ignore[reportArgumentType]  # ids are text here
    unlike = [hit.image_id for hit in first.images if not right[hit.image_id]]  # pyright: ignore[reportArgumentType]  # ids are text here
    second = await archive.search(one.text, limit=AT, offset=AT)
    again = await archive.search(one.text, limit=AT, like=like, unlike=unlike)
    trial.before.append(precision(space, one, second))
    trial.after.append(precision(space, one, again))


def precision(space: LabelSpace, one: TrialQuery, page: SearchResult) -> float:
    """Return the share of the first ten results that match."""
    right = {truth.study_id for truth in space.truths if one.holds_for(truth)}
    return sum(hit.study_id in right for hit in page.images) / AT


async def swapped(space: LabelSpace, archive: Archive, way: Mode) -> float:
    """Return the share of the first ten results that contradict a query or its denial."""
    wrong: list[bool] = []
    for name in LABEL_OF:
        for one in (TrialQuery((name,)), TrialQuery((), (name,))):
            page = await archive.search(one.text, limit=AT, mode=way)
            studies = {truth.study_id: truth for truth in space.truths}
            wrong += [not one.holds_for(studies[hit.study_id]) for hit in page.images]  # pyright: ignore[reportArgumentType]  # ids are text here
    return float(np.mean(wrong))


def interval(differences: Sequence[float], *, draws: int = 2000, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a mean over queries."""
    rng = np.random.default_rng(seed)
    values = np.asarray(differences)
    means = values[rng.integers(0, len(values), (draws, len(values)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
