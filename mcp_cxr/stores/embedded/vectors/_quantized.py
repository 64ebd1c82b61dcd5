"""Vectors as int8, and how far a cosine with them can be from the true one.

Of a vector is kept how far it goes beyond the centre of all along the centre's direction, and what it has across that
direction as scale * codes + rest: int8 numbers, and of what these leave out the length. A query is parted alike; by
Cauchy and Schwarz the rest adds to the cosine at most its length times that of what the query has across. CLIP's
vectors share a few large numbers, which would else make the steps of int8 coarse for all others, and those of queries.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from mcp_cxr.records import VIEWS
from mcp_cxr.stores.embedded.vectors._simd import combine, prepared, products

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from mcp_cxr.records import Vector, Vectors

T = TypeVar("T", np.int8, np.float32)

_LEVELS = 127
_LANES = 64  # rows are padded with zeros to what SIMD takes at once
_SLACK = 4e-6  # some ten times what float32 may lose on the way to a bound, with a centre no longer than 1
_SOUND = 1e6  # numbers from there on are no vector's, and could make a whole block's bounds infinite
_OTHER_VIEW = 255
BLOCK = 32_768
"""Rows for which the greatest error among them stands."""
_PICKED = 1024  # rows picked out at once: they stay in a core's cache


def width_of(dimension: int) -> int:
    """Return the numbers of a row of codes."""
    return -(-dimension // _LANES) * _LANES


def view_code(view: str) -> int:
    """Return the byte that stands for a view position."""
    return VIEWS.index(view) if view in VIEWS else _OTHER_VIEW


@dataclass(frozen=True, slots=True)
class Parted:
    """A query, as rows are coded: along the centre's direction and across it, and that as int8 too."""

    base: float
    """What the centre adds to each cosine."""
    lean: float
    """How far it goes along the centre's direction."""
    across: Vector
    length: float
    """Of `across`, at least."""
    codes: NDArray[np.int8]
    step: float
    rest: float
    """The length of `across - step * codes`, at least."""


@dataclass(frozen=True)
class Encoded:
    """Encoded vectors, by slot."""

    centre: Vector
    slots: NDArray[np.int64]
    """Rising."""
    codes: NDArray[np.int8]
    """Shape (n, `width_of(dimension)`)."""
    leans: Vector
    """How far each goes beyond the centre along its direction."""
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
            self.leans[places],
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
        never = np.full(count, -np.inf, "<f4")
        return cls(centre, slots, codes, zeros, zeros, zeros, never, np.zeros(count, "<i4"), views)

    def parted(self, query: Vector) -> Parted:
        """Part a query as rows are.

        Args:
            query: float32, shape (dimension,), unit length.
        """
        lean = float(query @ self._along)
        across = np.asarray(query - np.float32(lean) * self._along, np.float32)
        step = max(float(np.abs(across).max()) / _LEVELS, 1e-30)
        coded = np.rint(across / np.float32(step))
        return Parted(
            float(self.centre @ query) + _SLACK,
            lean,
            across,
            _length(across),
            prepared(coded.astype(np.int8), self.codes.shape[1]),
            step,
            _length(across - np.float32(step) * coded),
        )

    def estimates(self, asked: Parted, values: Vector) -> Vector:
        """Enter estimates of all rows' cosines; return by how much at most these exceed them, for each `BLOCK` rows.

        The greatest length and the greatest error in a block stand for all its rows, which are alike: so a row costs
        hardly more than its product. Infinite for what is no vector, and -infinite for what was wiped.

        Args:
            asked: By these rows.
            values: Shape (rows,).
        """
        self._multiply(asked, slice(None), values)
        values[self._odd] = self.errors[self._odd]
        lengths, errors = self._widest
        return (lengths * asked.rest + errors * asked.length + asked.base).astype(np.float32)

    def ceilings(self, asked: Parted, places: NDArray[np.int64]) -> Vector:
        """Return what the cosines of a few rows cannot exceed.

        With across = step * codes + rest, that rest adds at most its length times a row's; a row's own rest adds at
        most its length times that of `across`.
        """
        found = np.empty(len(places), np.float32)
        for part in _parts(len(places), _PICKED):
            self._multiply(asked, places[part], found[part])
        found += self.norms[places] * self.scales[places] * np.float32(asked.rest)
        return self._with_errors(found, asked, places)

    def closer_ceilings(self, asked: Parted, places: NDArray[np.int64]) -> Vector:
        """Return closer bounds for a few rows: the query is not rounded."""
        found, wide = np.empty(len(places), np.float32), _padded(asked.across[None, :])[0]
        for part in _parts(len(places), _PICKED):
            found[part] = np.vecdot(self.codes[places[part]].astype(np.float32), wide)
        combine(found, self.scales[places], self.leans[places], scale=1, other=asked.lean)
        return self._with_errors(found, asked, places)

    def _multiply(self, asked: Parted, rows: NDArray[np.int64] | slice, out: Vector) -> None:
        products(self.codes[rows], asked.codes, out)
        combine(out, self.scales[rows], self.leans[rows], scale=asked.step, other=asked.lean)

    def _with_errors(self, values: Vector, asked: Parted, places: NDArray[np.int64]) -> Vector:
        values += np.float32(asked.length) * self.errors[places]
        values += np.float32(asked.base)
        return values

    @cached_property
    def _along(self) -> Vector:
        return _direction(self.centre)

    @cached_property
    def _widest(self) -> tuple[Vector, Vector]:
        """The greatest length of a coded row in each block, and the greatest error that is finite."""
        starts = np.arange(0, len(self.slots), BLOCK)
        errors = np.where(np.isfinite(self.errors), self.errors, np.float32(0))
        return np.maximum.reduceat(self.norms * self.scales, starts), np.maximum.reduceat(errors, starts)

    @cached_property
    def _odd(self) -> NDArray[np.int64]:
        """Where the error says all: what is no vector, and what was wiped."""
        return np.flatnonzero(~np.isfinite(self.errors))

    def of_views(self, views: tuple[str, ...]) -> NDArray[np.bool_]:
        """Return which rows may be of these view positions."""
        return reduce(np.logical_or, (self.views == view_code(view) for view in views))

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
    """Encode vectors; what is none can still be found by whoever looks for it.

    `vecdot`, because a row's codes must not depend on the rows it is encoded with, as a matrix product's may.
    """
    sound = np.asarray((np.abs(vectors) < _SOUND).all(axis=1))
    moved, along = np.where(sound[:, None], vectors, centre) - centre, _direction(centre)
    leans = np.vecdot(moved, along)
    across = moved - leans[:, None] * along
    scales = np.maximum(np.abs(across).max(axis=1) / np.float32(_LEVELS), np.float32(1e-30))
    codes = np.rint(across / scales[:, None])
    rest = across - codes * scales[:, None]
    rest -= np.vecdot(rest, along)[:, None] * along
    errors = np.linalg.norm(rest, axis=1) + np.float32(_SLACK)
    return Encoded(
        centre,
        np.array(slots, "<i8"),
        _padded(codes.astype(np.int8)),
        leans.astype("<f4"),
        scales,
        np.linalg.norm(codes, axis=1).astype("<f4"),
        np.where(sound, errors, np.inf).astype("<f4"),
        np.array(studies, "<i4"),
        np.array([view_code(view) for view in views], np.uint8),
    )


def _length(vector: Vector) -> float:
    """Return at least its length."""
    return math.sqrt(vector @ vector) + _SLACK


def _direction(centre: Vector) -> Vector:
    """Return a vector of length 1 that points to the centre; zeros where that is none."""
    length = np.linalg.norm(centre)
    return np.asarray(centre / length if length else centre, np.float32)


def _padded(rows: NDArray[T]) -> NDArray[T]:
    count, numbers = rows.shape
    wide = np.zeros((count, width_of(numbers)), rows.dtype)
    wide[:, :numbers] = rows
    return wide


def _parts(count: int, size: int) -> Iterator[slice]:
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
