"""Vectors as int8, and how far a cosine with them can be from the true one.

A vector v is kept as v = centre + scale * codes + rest: a share that all have in common, int8 numbers, and what these
leave out. Of the rest only its length is kept; by Cauchy and Schwarz it adds at most that to the cosine with a query of
unit length. The centre carries the few large numbers that CLIP's vectors share, which would else make the steps of int8
coarse for all others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from mcp_cxr.records import VIEWS
from mcp_cxr.stores.embedded._simd import products

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from mcp_cxr.records import Vector, Vectors

    Places = NDArray[np.int64] | slice

T = TypeVar("T", np.int8, np.float32)

_LEVELS = 127
_LANES = 64  # rows are padded with zeros to what SIMD takes at once
_SLACK = 4e-6  # what float32 may lose on the way to a bound, many times over
_OTHER_VIEW = 255
_BLOCK = 16_384  # rows compared at once: some milliseconds at most, in which no other task of this process runs


def width_of(dimension: int) -> int:
    """Return the numbers of a row of codes."""
    return -(-dimension // _LANES) * _LANES


def view_code(view: str) -> int:
    """Return the byte that stands for a view position."""
    return VIEWS.index(view) if view in VIEWS else _OTHER_VIEW


@dataclass(frozen=True, slots=True)
class Encoded:
    """Encoded vectors, by slot."""

    centre: Vector
    slots: NDArray[np.int64]
    """Rising."""
    codes: NDArray[np.int8]
    """Shape (n, `width_of(dimension)`)."""
    scales: Vector
    norms: Vector
    """Length of each row of codes."""
    errors: Vector
    """At least the length of the rest. Infinite for what is no vector, so that it is looked up; -infinite: wiped."""
    studies: NDArray[np.int32]
    """The number of each image's study; 0 where there is none."""
    views: NDArray[np.uint8]

    def at(self, places: NDArray[np.int64]) -> Encoded:
        """Return a copy of these rows."""
        return Encoded(
            self.centre,
            self.slots[places],
            self.codes[places],
            self.scales[places],
            self.norms[places],
            self.errors[places],
            self.studies[places],
            self.views[places],
        )

    @classmethod
    def wiped(cls, slots: NDArray[np.int64], centre: Vector) -> Encoded:
        """Return rows of which nothing but the slot is left, and which are never looked up."""
        count, zeros = len(slots), np.zeros(len(slots), "<f4")
        codes, views = np.zeros((count, width_of(centre.size)), np.int8), np.zeros(count, np.uint8)
        return cls(centre, slots, codes, zeros, zeros, np.full(count, -np.inf, "<f4"), np.zeros(count, "<i4"), views)

    def ceilings(self, query: Vector, rows: Places = slice(None)) -> Vector:
        """Return what the cosine of these rows cannot exceed.

        Args:
            query: float32, shape (dimension,), unit length.
            rows: Which, by their place here.
        """
        step = max(float(np.abs(query).max()) / _LEVELS, 1e-30)
        coded = np.rint(query / step)
        error = float(np.linalg.norm(query - step * coded)) + _SLACK
        wide = _padded(coded[None, :].astype(np.int8))[0]
        base = float(self.centre @ query) + _SLACK
        parts = [self._ceilings(part, wide, step, error, base) for part in _blocks(rows, len(self.slots))]
        return np.concatenate(parts) if parts else np.empty(0, np.float32)

    def _ceilings(self, rows: Places, coded: NDArray[np.int8], step: float, error: float, base: float) -> Vector:
        """With query = step * coded + its own rest: what that adds is at most the row's length times `error`."""
        found = products(self.codes[rows], coded)
        found *= np.float32(step)
        found += self.norms[rows] * np.float32(error)
        found *= self.scales[rows]
        found += self.errors[rows]
        found += np.float32(base)
        return found

    def closer_ceilings(self, query: Vector, rows: NDArray[np.int64]) -> Vector:
        """Return closer bounds for a few rows: the query is not rounded."""
        wide, base = _padded(query[None, :])[0], np.float32(self.centre @ query + _SLACK)
        parts = [np.vecdot(self.codes[part].astype(np.float32), wide) for part in _blocks(rows, len(rows))]
        found = np.concatenate([*parts, np.empty(0, np.float32)])
        return found * self.scales[rows] + self.errors[rows] + base

    def of_views(self, views: tuple[str, ...]) -> NDArray[np.bool_]:
        """Return which rows may be of these view positions."""
        wanted = np.zeros(256, np.bool_)
        wanted[[view_code(view) for view in views]] = True
        return wanted[self.views]

    def of_studies(self, passing: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which rows are of these studies: true at their numbers, and in the last place for all beyond."""
        return np.take(passing, self.studies, mode="clip")

    def find(self, slots: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return where these slots are, and which of them are here at all."""
        if not len(self.slots):
            return np.zeros(len(slots), np.int64), np.zeros(len(slots), np.bool_)
        places = np.minimum(np.searchsorted(self.slots, slots), len(self.slots) - 1)
        return places, self.slots[places] == slots


def encode(
    slots: Sequence[int], studies: Sequence[int], views: Iterable[str], vectors: Vectors, centre: Vector
) -> Encoded:
    """Encode vectors; those that are not finite can still be found by whoever looks for them."""
    sound = np.asarray(np.isfinite(vectors).all(axis=1))
    moved = np.where(sound[:, None], vectors, centre) - centre
    scales = np.maximum(np.abs(moved).max(axis=1) / np.float32(_LEVELS), np.float32(1e-30))
    codes = np.rint(moved / scales[:, None])
    rest = np.linalg.norm(moved - codes * scales[:, None], axis=1) + np.float32(_SLACK)
    return Encoded(
        centre,
        np.array(slots, "<i8"),
        _padded(codes.astype(np.int8)),
        scales,
        np.linalg.norm(codes, axis=1).astype("<f4"),
        np.where(sound, rest, np.inf).astype("<f4"),
        np.array(studies, "<i4"),
        np.array([view_code(view) for view in views], np.uint8),
    )


def _padded(rows: NDArray[T]) -> NDArray[T]:
    count, numbers = rows.shape
    wide = np.zeros((count, width_of(numbers)), rows.dtype)
    wide[:, :numbers] = rows
    return wide


def _blocks(rows: Places, count: int) -> Iterator[Places]:
    """Yield the rows a block at a time; of a slice, all `count`."""
    for start in range(0, count if isinstance(rows, slice) else len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        yield block if isinstance(rows, slice) else rows[block]
