"""How good one ranking is: exact about ties, and about weights.

Items of equal score stand in no order, so a figure is its mean over every order they could stand in (McSherry and
Najork, Computing information retrieval performance measures efficiently in the presence of tied scores, ECIR 2008).
A ranking in which everything ties is chance: `Ranking.chance` is no other formula.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Counts: TypeAlias = NDArray[np.int64]
    Mask: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Counted:
    """A ranking as groups of items that tie, best first."""

    items: Counts
    """Items in each group."""
    relevant: Floats
    """Right ones among them."""

    @property
    def before(self) -> Counts:
        """Items ahead of each group."""
        return np.cumsum(self.items) - self.items

    def precision(self, k: int) -> float:
        """Return the share of right ones among the first `k`; places that nothing fills count as wrong."""
        return self._found(k) / k

    def recall(self, k: int) -> float:
        """Return the share of the right ones that stand among the first `k`; NaN where there is none."""
        total = self.relevant.sum()
        return self._found(k) / total if total else np.nan

    def average_precision(self) -> float:
        """Return the mean, over the right ones, of the precision at their places; NaN where there is none.

        In a group of n items with r right ones, behind b items with s right ones, place b + j holds a right one with
        probability r / n, and s + 1 + (j - 1) (r - 1) / (n - 1) right ones are then found up to there.
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
        """Return the discounted gain of the first `k` over the best there could be; NaN where no item is right.

        Gain 1 for a right one, discount 1 / log2(1 + place): Järvelin and Kekäläinen, ACM TOIS 2002.
        """
        total = int(self.relevant.sum())
        if not total:
            return np.nan
        gained = np.concatenate(([0.0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))))
        start = np.minimum(self.before, k)
        end = np.minimum(self.before + self.items, k)
        gain = (self.relevant / np.maximum(self.items, 1) * (gained[end] - gained[start])).sum()
        return float(gain / gained[min(total, k)])

    def _found(self, k: int) -> float:
        taken = np.clip(k - self.before, 0, self.items)
        return float((self.relevant * taken / np.maximum(self.items, 1)).sum())


class Ranking:
    """Items in the order of their scores, of which some are right.

    Args:
        scores: Higher is better; equal ones tie.
        relevant: Which items are right.
    """

    def __init__(self, scores: NDArray[np.floating], relevant: Mask) -> None:
        self._order = np.argsort(-scores, kind="stable")
        ordered = scores[self._order]
        self._starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1]))) if scores.size else None
        self._relevant = relevant[self._order]

    def counted(self, weights: Counts | None = None) -> Counted:
        """Return the ranking in groups; an item of weight w counts as w items, which tie."""
        if self._starts is None:
            return Counted(np.empty(0, np.int64), np.empty(0))
        ones = np.ones(self._order.size, np.int64) if weights is None else weights[self._order]
        items = np.add.reduceat(ones, self._starts)
        return Counted(items, np.add.reduceat(ones * self._relevant, self._starts).astype(np.float64))

    def chance(self) -> Counted:
        """Return the same items in no order at all."""
        return unordered(self._relevant)


def unordered(relevant: Mask) -> Counted:
    """Return items that all tie: what chance finds."""
    return Counted(np.array([relevant.size]), np.array([float(relevant.sum())]))


@dataclass(frozen=True, slots=True)
class Place:
    """Where the one right item of a ranking stands."""

    ahead: int
    """Items of higher score."""
    tied: int
    """Other items of the same score."""

    def recall(self, k: int) -> float:
        """Return how likely it is among the first `k`."""
        return min(max(k - self.ahead, 0), self.tied + 1) / (self.tied + 1)

    def reciprocal_rank(self) -> float:
        """Return the mean of 1 / place."""
        return float(np.mean(1 / np.arange(self.ahead + 1, self.ahead + self.tied + 2)))


def _sum_of_inverses(after: Counts, to: Counts) -> Floats:
    """Return 1/(after+1) + ... + 1/to for each pair."""
    sums = np.concatenate(([0.0], np.cumsum(1 / np.arange(1, int(to.max(initial=0)) + 1))))
    return sums[to] - sums[after]
