"""Retrieval figures of one ranking, exact for tied scores and for weighted items.

The order of tied items is undefined, so a figure is its mean over all their orders (McSherry and Najork, Computing
information retrieval performance measures efficiently in the presence of tied scores, ECIR 2008). The figures of a
random ranking follow from the same formulas: it is a ranking in which all items tie.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class TieGroups:
    """A ranking as groups of tied items, best first."""

    items: Integers
    """Number of items in each group."""
    relevant: Floats
    """Number of relevant items in each group."""

    @property
    def before(self) -> Integers:
        """Number of items ranked above each group."""
        return np.cumsum(self.items) - self.items

    def precision(self, k: int) -> float:
        """Return precision@k; if there are fewer than `k` items, the missing ones count as not relevant."""
        taken = np.clip(k - self.before, 0, self.items)
        return float((self.relevant * taken / np.maximum(self.items, 1)).sum() / k)

    def average_precision(self) -> float:
        """Return the mean of the precision at the rank of each relevant item; NaN if no item is relevant.

        In a group of n items, r of them relevant, below b items, s of them relevant, rank b + j has a relevant item
        with probability r / n, and then s + 1 + (j - 1) (r - 1) / (n - 1) items are relevant up to that rank.
        """
        total = self.relevant.sum()
        if not total:
            return np.nan
        held = self.relevant > 0
        before, n, r = self.before[held], self.items[held], self.relevant[held]
        found = (np.cumsum(self.relevant) - self.relevant)[held]
        inverse = _sum_of_inverses(before, before + n)
        others = np.divide(r - 1, n - 1, out=np.zeros_like(r), where=n > 1)
        expected = r / n * ((found + 1) * inverse + others * (n - (before + 1) * inverse))
        return float(expected.sum() / total)

    def ndcg(self, k: int) -> float:
        """Return nDCG@k; NaN if no item is relevant.

        Gain 1 for a relevant item, discount 1 / log2(1 + rank): Järvelin and Kekäläinen, ACM TOIS 2002.
        """
        total = int(self.relevant.sum())
        if not total:
            return np.nan
        gained = np.concatenate(([0.0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))))
        start = np.minimum(self.before, k)
        end = np.minimum(self.before + self.items, k)
        gain = (self.relevant / np.maximum(self.items, 1) * (gained[end] - gained[start])).sum()
        return float(gain / gained[min(total, k)])


class Ranking:
    """Items in the order of their scores.

    Args:
        scores: Higher is better; equal scores tie.
        relevant: Which items are relevant.
    """

    def __init__(self, scores: NDArray[np.floating], relevant: Mask) -> None:
        self._order = np.argsort(-scores, kind="stable")
        ordered = scores[self._order]
        self._starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1]))) if scores.size else None
        self._relevant = relevant[self._order]

    def groups(self, weights: Integers | None = None) -> TieGroups:
        """Return the groups of tied items; an item of weight w counts as w tied items."""
        if self._starts is None:
            return TieGroups(np.empty(0, np.int64), np.empty(0))
        ones = np.ones(self._order.size, np.int64) if weights is None else weights[self._order]
        items = np.add.reduceat(ones, self._starts)
        return TieGroups(items, np.add.reduceat(ones * self._relevant, self._starts).astype(np.float64))

    def chance(self) -> TieGroups:
        """Return a random ranking of the same items."""
        return random_ranking(self._relevant)


def random_ranking(relevant: Mask) -> TieGroups:
    """Return a ranking in which all items tie; its figures are the ones expected by chance."""
    return TieGroups(np.array([relevant.size]), np.array([float(relevant.sum())]))


@dataclass(frozen=True, slots=True)
class KnownItemRank:
    """The rank of the only relevant item, as in a known-item search."""

    ahead: int
    """Number of items with a higher score."""
    tied: int
    """Number of other items with the same score."""

    def recall(self, k: int) -> float:
        """Return the probability that it is among the first `k`."""
        return min(max(k - self.ahead, 0), self.tied + 1) / (self.tied + 1)

    def reciprocal_rank(self) -> float:
        """Return the mean of 1 / rank over the orders of the tied items."""
        return float(np.mean(1 / np.arange(self.ahead + 1, self.ahead + self.tied + 2)))


def _sum_of_inverses(after: Integers, to: Integers) -> Floats:
    """Return 1/(after+1) + ... + 1/to for each pair."""
    sums = np.concatenate(([0.0], np.cumsum(1 / np.arange(1, int(to.max(initial=0)) + 1))))
    return sums[to] - sums[after]
