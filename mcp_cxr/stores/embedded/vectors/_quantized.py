"""Quantizes vectors to int8, and bounds how far a cosine computed from them is from the true one.

A vector is split at the center (the mean vector): its component along the center's direction, counted from the center,
is kept as float32; the component across it is kept as scale * codes + residual, of which the int8 codes, the scale and
the residual's length are stored. A query is split the same way. By Cauchy and Schwarz the residual adds at most its
length times the length of the query's component across to the cosine. Without the split, the few large numbers that
CLIP's vectors share would make the int8 steps coarse for all others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from mcp_cxr.records import VIEW_POSITIONS
from mcp_cxr.stores.embedded.vectors._simd import combine, prepared, products

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from mcp_cxr.records import Vector, Vectors

T = TypeVar("T", np.int8, np.float32)

_LEVELS = 127
_LANES = 64  # rows are padded with zeros to what SIMD takes at once
_SLACK = 4e-6  # about ten times the float32 rounding error of a bound, with a center no longer than 1
_MAX_NUMBER = 1e6  # larger numbers are damage, and could make the bounds of a whole block infinite
_OTHER_VIEW = 255
BLOCK = 32_768
"""Rows that share the largest error among them."""
_QUANTIZED = 128  # rows quantized at once: with all intermediate results they stay in a core's cache
_KEPT_ESTIMATES = 4  # queries whose estimates are kept: 1.5 MB each for 377,110 rows
_GATHERED = 1024  # rows gathered at once: they stay in a core's cache


def width_of(dimension: int) -> int:
    """Return the length of a row of codes, padding included."""
    return -(-dimension // _LANES) * _LANES


def view_code(view: str) -> int:
    """Return the byte that encodes a view position."""
    return VIEW_POSITIONS.index(view) if view in VIEW_POSITIONS else _OTHER_VIEW


@dataclass(frozen=True, slots=True)
class QuantizedQuery:
    """A query, split and quantized as the rows are."""

    base: float
    """What the center adds to each cosine."""
    along: float
    """The query's component along the center's direction."""
    across: Vector
    """The query's component across that direction."""
    length: float
    """Upper bound of the length of `across`."""
    codes: NDArray[np.int8]
    step: float
    residual: float
    """Upper bound of the length of `across - step * codes`."""


@dataclass(frozen=True)
class QuantizedRows:
    """Quantized vectors, by slot."""

    center: Vector
    slots: NDArray[np.int64]
    """Ascending."""
    codes: NDArray[np.int8]
    """Shape (n, `width_of(dimension)`)."""
    along: Vector
    """Component of each along the center's direction, counted from the center."""
    scales: Vector
    norms: Vector
    """Length of each row of codes."""
    errors: Vector
    """Upper bounds of the residuals' lengths. Infinite for a damaged vector, so that it is read; -infinite: wiped."""
    studies: NDArray[np.int32]
    """The number of each image's study; 0 if it has none."""
    views: NDArray[np.uint8]

    def at(self, positions: NDArray[np.int64] | slice) -> QuantizedRows:
        """Return these rows."""
        return QuantizedRows(
            self.center,
            self.slots[positions],
            self.codes[positions],
            self.along[positions],
            self.scales[positions],
            self.norms[positions],
            self.errors[positions],
            self.studies[positions],
            self.views[positions],
        )

    @classmethod
    def wiped(cls, slots: NDArray[np.int64], center: Vector) -> QuantizedRows:
        """Return rows that hold nothing but their slots and never become candidates."""
        count, zeros = len(slots), np.zeros(len(slots), "<f4")
        codes, views = np.zeros((count, width_of(center.size)), np.int8), np.zeros(count, np.uint8)
        never = np.full(count, -np.inf, "<f4")
        return cls(center, slots, codes, zeros, zeros, zeros, never, np.zeros(count, "<i4"), views)

    def quantize_query(self, query: Vector) -> QuantizedQuery:
        """Split and quantize a query as the rows are.

        Args:
            query: float32, shape (dimension,), unit length.
        """
        along = float(query @ self._unit_center)
        across = np.asarray(query - np.float32(along) * self._unit_center, np.float32)
        step = max(float(np.abs(across).max()) / _LEVELS, 1e-30)
        coded = np.rint(across / np.float32(step))
        return QuantizedQuery(
            float(self.center @ query) + _SLACK,
            along,
            across,
            _length(across),
            prepared(coded.astype(np.int8), self.codes.shape[1]),
            step,
            _length(across - np.float32(step) * coded),
        )

    def estimates(self, query: QuantizedQuery, values: Vector) -> Vector:
        """Write estimates of all rows' cosines; return for each `BLOCK` rows how much a cosine may exceed its estimate.

        The largest length and the largest error in a block are used for all its rows, which are similar, so that a row
        costs little more than its product. The estimate is infinite for a damaged vector, -infinite for a wiped one.

        The estimates of the last queries are kept: the tiers of a search, and its deeper pages, have the same vector.

        Args:
            query: Of `quantize_query` of these rows.
            values: Shape (rows,); overwritten.
        """
        question = query.along, query.across.tobytes()
        if (kept := self._kept_estimates.get(question)) is not None:
            values[:] = kept
        else:
            self._multiply(query, slice(None), values)
            values[self._without_estimate] = self.errors[self._without_estimate]
            self._kept_estimates[question] = values.copy()
            for oldest in list(self._kept_estimates)[:-_KEPT_ESTIMATES]:
                self._kept_estimates.pop(oldest, None)
        lengths, errors = self._block_maxima
        return (lengths * query.residual + errors * query.length + query.base).astype(np.float32)

    def upper_bounds(self, query: QuantizedQuery, positions: NDArray[np.int64]) -> Vector:
        """Return upper bounds of the cosines of a few rows.

        With across = step * codes + residual, the query's residual adds at most its length times a row's length; a
        row's residual adds at most its length times that of `across`.
        """
        found = np.empty(len(positions), np.float32)
        for part in _slices(len(positions), _GATHERED):
            self._multiply(query, positions[part], found[part])
        found += self.norms[positions] * self.scales[positions] * np.float32(query.residual)
        return self._add_errors(found, query, positions)

    def tighter_upper_bounds(self, query: QuantizedQuery, positions: NDArray[np.int64]) -> Vector:
        """Return tighter upper bounds for a few rows: the query is not quantized."""
        found, wide = np.empty(len(positions), np.float32), _padded(query.across[None, :])[0]
        for part in _slices(len(positions), _GATHERED):
            found[part] = np.vecdot(self.codes[positions[part]].astype(np.float32), wide)
        combine(found, self.scales[positions], self.along[positions], scale=1, other=query.along)
        return self._add_errors(found, query, positions)

    def _multiply(self, query: QuantizedQuery, rows: NDArray[np.int64] | slice, out: Vector) -> None:
        products(self.codes[rows], query.codes, out)
        combine(out, self.scales[rows], self.along[rows], scale=query.step, other=query.along)

    def _add_errors(self, values: Vector, query: QuantizedQuery, positions: NDArray[np.int64]) -> Vector:
        values += np.float32(query.length) * self.errors[positions]
        values += np.float32(query.base)
        return values

    @cached_property
    def _kept_estimates(self) -> dict[tuple[float, bytes], Vector]:
        return {}

    @cached_property
    def _unit_center(self) -> Vector:
        return _direction(self.center)

    @cached_property
    def _block_maxima(self) -> tuple[Vector, Vector]:
        """The largest length of the quantized rows of each block, and their largest finite error."""
        starts = np.arange(0, len(self.slots), BLOCK)
        errors = np.where(np.isfinite(self.errors), self.errors, np.float32(0))
        return np.maximum.reduceat(self.norms * self.scales, starts), np.maximum.reduceat(errors, starts)

    @cached_property
    def _without_estimate(self) -> NDArray[np.int64]:
        """Positions of damaged and wiped vectors: their infinite error is their estimate."""
        return np.flatnonzero(~np.isfinite(self.errors))

    def view_mask(self, views: tuple[str, ...]) -> NDArray[np.bool_]:
        """Return which rows may have one of these view positions."""
        return reduce(np.logical_or, (self.views == view_code(view) for view in views))

    def study_mask(self, passing: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which rows belong to the studies of a mask by number; its last position is for all higher numbers."""
        return np.take(passing, self.studies, mode="clip")

    def find(self, slots: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the positions of these slots, and which of them exist here."""
        if not len(self.slots):
            return np.zeros(len(slots), np.int64), np.zeros(len(slots), np.bool_)
        positions = np.minimum(np.searchsorted(self.slots, slots), len(self.slots) - 1)
        return positions, self.slots[positions] == slots


def quantize(
    slots: Sequence[int], studies: Sequence[int], views: Iterable[str], vectors: Vectors, center: Vector
) -> QuantizedRows:
    """Return quantized vectors; a damaged one gets an infinite error, so that a search reads it and reports it."""
    count = len(vectors)
    codes = np.zeros((count, width_of(center.size)), np.int8)
    along, scales, norms, errors = (np.empty(count, "<f4") for _ in range(4))
    direction = _direction(center)
    for part in _slices(count, _QUANTIZED):
        _quantize(vectors[part], center, direction, codes[part], along[part], scales[part], norms[part], errors[part])
    numbers, view_codes = np.array(studies, "<i4"), np.array([view_code(view) for view in views], np.uint8)
    return QuantizedRows(center, np.array(slots, "<i8"), codes, along, scales, norms, errors, numbers, view_codes)


def _quantize(vectors: Vectors, center: Vector, direction: Vector, codes: NDArray[np.int8], *columns: Vector) -> None:
    """Write codes and the columns along, scales, norms and errors of these vectors.

    `vecdot`, because a row's codes must not depend on the rows it is quantized with, as a matrix product's may.
    """
    along, scales, norms, errors = columns
    sound = np.asarray((np.abs(vectors) < _MAX_NUMBER).all(axis=1))
    moved = np.where(sound[:, None], vectors, center) - center
    along[:] = np.vecdot(moved, direction)
    across = moved - along[:, None] * direction
    scales[:] = np.maximum(np.abs(across).max(axis=1) / np.float32(_LEVELS), np.float32(1e-30))
    rounded = np.rint(across / scales[:, None])
    residual = across - rounded * scales[:, None]
    residual -= np.vecdot(residual, direction)[:, None] * direction
    codes[:, : center.size] = rounded
    norms[:] = np.linalg.norm(rounded, axis=1)
    errors[:] = np.where(sound, np.linalg.norm(residual, axis=1) + np.float32(_SLACK), np.inf)


def _length(vector: Vector) -> float:
    """Return an upper bound of the length."""
    return math.sqrt(vector @ vector) + _SLACK


def _direction(center: Vector) -> Vector:
    """Return the unit vector that points to the center; zeros if the center is zero."""
    length = np.linalg.norm(center)
    return np.asarray(center / length if length else center, np.float32)


def _padded(rows: NDArray[T]) -> NDArray[T]:
    count, numbers = rows.shape
    wide = np.zeros((count, width_of(numbers)), rows.dtype)
    wide[:, :numbers] = rows
    return wide


def _slices(count: int, size: int) -> Iterator[slice]:
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
