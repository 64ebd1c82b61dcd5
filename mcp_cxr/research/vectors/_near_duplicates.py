"""Finds all pairs of near duplicates, exactly, without comparing whole vectors of all pairs.

A vector is reduced to its first principal components and the length of what they leave out. That is a vector of unit
length, too, and the product of two of them is never below the cosine (Cauchy and Schwarz for the part left out). Rows
are ordered by the first component; only blocks that are near enough in it are multiplied, and only pairs that reach the
threshold there are compared as a whole. Work grows with the square of the rows, but a pair costs a thirtieth. Few rows
are compared as they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from mcp_cxr.search import centered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from mcp_cxr.records import Vector, Vectors

    Integers: TypeAlias = NDArray[np.int64]

_COMPONENTS = 32
_SAMPLE = 4096  # rows that the components are computed from
_BLOCK = 2048  # rows in one product: 16 MiB of cosines
_ROUNDING = 1e-4  # of sums of float32 products, generously
MAX_PAIRS = 1_000_000
"""Pairs returned at most: many equal images are near duplicates of each other."""


@dataclass(frozen=True, slots=True)
class NearDuplicates:
    """Pairs of rows, ordered by `first`, then `second`."""

    first: Integers
    """The row of `vectors`."""
    second: Integers
    """The row of `others`, or a later row of `vectors`."""
    cosines: Vector
    """float32, measured from the mean."""
    total: int
    """Pairs found; if there are more than `MAX_PAIRS`, those with the highest cosines are returned."""


def near_duplicates(
    vectors: Vectors,
    *,
    mean: Vector,
    least: float,
    sets: Integers | None = None,
    others: Vectors | None = None,
    other_sets: Integers | None = None,
) -> NearDuplicates:
    """Return all pairs whose cosine, measured from `mean`, is at least `least`.

    Args:
        vectors: float32, shape (n, dimension), unit length; may be on disk.
        mean: float32, shape (dimension,): the mean of the archive's images, as `archive_mean` returns it.
        least: The embedder's `near_duplicate_cosine`, or another threshold above 0.
        sets: The set that each row is in, such as the number of its split; given, only pairs whose sets differ are
            returned: near duplicates over a border. For few sets: each is compared with all others.
        others: Pairs are of a row of `vectors` and one of `others`; None: of two rows of `vectors`.
        other_sets: The sets of `others`; needed if both `others` and `sets` are given.
    """
    found = _PairCollector()
    if len(vectors) and (others is None or len(others)):
        components = (
            _components(vectors, mean)
            if max(len(vectors), len(vectors if others is None else others)) > _BLOCK
            else None
        )
        left = _Side.of(vectors, mean, components)
        right = left if others is None else _Side.of(others, mean, components)
        for one, other in _compared(left, sets, right, sets if others is None else other_sets):
            for rows, columns in _block_pairs(one, other, math.sqrt(max(0.0, 2 - 2 * least)) + _ROUNDING):
                found.add(*_pairs_of_blocks(one, rows, other, columns, least))
    return found.result()


def _compared(
    left: _Side, sets: Integers | None, right: _Side, other_sets: Integers | None
) -> Iterator[tuple[_Side, _Side]]:
    """Yield what is compared: a side with itself, two sides, or each set with the sets that it is not in."""
    if sets is None or other_sets is None:
        yield left, right
        return
    for one in np.unique(sets):
        is_other = np.asarray(other_sets) > one if left is right else np.asarray(other_sets) != one
        yield left.only(np.asarray(sets) == one), right.only(is_other)


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the two lists of rows that are compared, ordered by the first component."""

    vectors: Vectors
    mean: Vector
    order: Integers
    """The row of `vectors` at each place."""
    reduced: Vectors
    """By place, shape (n, components + 1), unit length."""

    @classmethod
    def of(cls, vectors: Vectors, mean: Vector, components: Vectors | None) -> _Side:
        kept = vectors.shape[1] if components is None else components.shape[1]
        reduced = np.empty((len(vectors), kept + 1), np.float32)
        for first in range(0, len(vectors), _BLOCK):
            rows = centered(np.asarray(vectors[first : first + _BLOCK]), mean)
            part = reduced[first : first + _BLOCK]
            part[:, :-1] = rows if components is None else rows @ components
            part[:, -1] = np.sqrt(np.clip(1 - np.vecdot(part[:, :-1], part[:, :-1]), 0, 1))
        order = np.argsort(reduced[:, 0], kind="stable")
        return cls(vectors, mean, order, reduced[order])

    def only(self, rows: NDArray[np.bool_]) -> _Side:
        """Return this side with these rows of `vectors` alone."""
        kept = rows[self.order]
        return _Side(self.vectors, self.mean, self.order[kept], self.reduced[kept])

    def whole(self, places: Integers) -> Vectors:
        """Return the whole centered vectors at these places."""
        return centered(np.asarray(self.vectors[self.order[places]]), self.mean)


def _components(vectors: Vectors, mean: Vector) -> Vectors:
    """Return the principal components of a sample, shape (dimension, components), the first ones first."""
    step = -(-len(vectors) // _SAMPLE)
    rows = centered(np.asarray(vectors[::step]), mean).astype(np.float64)
    _, axes = np.linalg.eigh(rows.T @ rows)
    return np.ascontiguousarray(axes[:, ::-1][:, :_COMPONENTS], np.float32)


def _block_pairs(left: _Side, right: _Side, reach: float) -> Iterator[tuple[slice, slice]]:
    """Yield the places of two blocks wherever some of their rows are within `reach` in the first component."""
    along: Vector = left.reduced[:, 0]
    across: Vector = right.reduced[:, 0]
    for first in range(0, len(along), _BLOCK):
        rows = slice(first, min(first + _BLOCK, len(along)))
        start = int(np.searchsorted(across, float(along[rows.start]) - reach, side="left"))
        end = int(np.searchsorted(across, float(along[rows.stop - 1]) + reach, side="right"))
        for column in range(rows.start if left is right else start, end, _BLOCK):
            yield rows, slice(column, min(column + _BLOCK, end))


def _pairs_of_blocks(
    left: _Side, rows: slice, right: _Side, columns: slice, least: float
) -> tuple[Integers, Integers, Vector]:
    """Return the pairs of two blocks as rows of the vectors, with their cosines."""
    i, j = np.nonzero(left.reduced[rows] @ right.reduced[columns].T >= least - _ROUNDING)
    if left is right:  # each pair once, and no row with itself
        later = i + rows.start < j + columns.start
        i, j = i[later], j[later]
    if not len(i):
        return i, j, np.empty(0, np.float32)
    (own, i), (other, j) = np.unique(i, return_inverse=True), np.unique(j, return_inverse=True)
    one, another = left.whole(own + rows.start), right.whole(other + columns.start)
    are_mean = (np.vecdot(one, one)[i] == 0) & (
        np.vecdot(another, another)[j] == 0
    )  # both are equal to the mean, and so to each other
    cosines = np.where(are_mean, np.float32(1), (one @ another.T)[i, j])
    near = cosines >= least
    first, second = left.order[own[i[near]] + rows.start], right.order[other[j[near]] + columns.start]
    if left.vectors is right.vectors:
        first, second = np.minimum(first, second), np.maximum(first, second)
    return first, second, cosines[near]


class _PairCollector:
    """Collects pairs; never holds more than twice `MAX_PAIRS` and those of one block."""

    def __init__(self) -> None:
        self._parts: list[tuple[Integers, Integers, Vector]] = [
            (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
        ]
        self._total = 0

    def add(self, first: Integers, second: Integers, cosines: Vector) -> None:
        """Add pairs."""
        if len(first):
            self._parts.append((first, second, cosines))
            self._total += len(first)
        if sum(len(part[0]) for part in self._parts) > 2 * MAX_PAIRS:
            self._parts = [self._best()]

    def _best(self) -> tuple[Integers, Integers, Vector]:
        first, second, cosines = (np.concatenate(columns) for columns in zip(*self._parts, strict=True))
        order = np.lexsort((second, first, -cosines))[:MAX_PAIRS]
        return first[order], second[order], cosines[order]

    def result(self) -> NearDuplicates:
        """Return all pairs, or the nearest `MAX_PAIRS`."""
        first, second, cosines = self._best()
        order = np.lexsort((second, first))
        return NearDuplicates(first[order], second[order], cosines[order], self._total)
