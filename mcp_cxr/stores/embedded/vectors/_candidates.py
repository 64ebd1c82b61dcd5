"""Selects rows of the int8 copy that may be among the nearest, a few at a time, highest upper bounds first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.stores.embedded.vectors._quantized import BLOCK

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray

    from mcp_cxr.records import Vector
    from mcp_cxr.stores.embedded.vectors._quantized import QuantizedQuery, QuantizedRows

    Positions = NDArray[np.int64]
    Slots = NDArray[np.int64]
    Mask = NDArray[np.bool_]

_GATHER_SHARE = 0.2  # up to this share of the rows, only those are gathered; above it, all rows are scanned
_GROUP = 64  # bounds whose highest represents them
_LOWEST = float(np.finfo(np.float32).min)  # only -infinity is lower
_INFINITY, _SIGN = np.float32(np.inf).view(np.int32), np.int32(-(2**31))  # the bits of float32


class Candidates:
    """Rows that can be taken once each, by slot.

    Args:
        rows: Of the int8 copy.
        query: Quantized for these rows.
        bounds: Upper bounds of the rows at `positions`.
        positions: None for all rows.
    """

    def __init__(self, rows: QuantizedRows, query: QuantizedQuery, bounds: Bounds, positions: Positions | None) -> None:
        self._rows = rows
        self._query = query
        self._bounds = bounds
        self._places = positions

    @classmethod
    def at_positions(cls, rows: QuantizedRows, query: Vector, positions: Positions) -> Self:
        """Return the candidates among the rows at these positions.

        Args:
            query: float32, shape (dimension,), unit length.
        """
        quantized, bounds = rows.quantize_query(query), Bounds(len(positions))
        bounds.values[:] = rows.upper_bounds(quantized, positions)
        return cls(rows, quantized, bounds, positions)

    @classmethod
    def of_mask(cls, rows: QuantizedRows, query: Vector, mask: Mask | None) -> Self:
        """Return the candidates among the rows where `mask` is true; None for all rows."""
        if mask is not None and np.count_nonzero(mask) <= _GATHER_SHARE * len(mask):
            return cls.at_positions(rows, query, np.flatnonzero(mask))
        quantized, bounds = rows.quantize_query(query), Bounds(len(rows.slots))
        bounds.excess[:] = rows.estimates(quantized, bounds.values)
        if mask is not None:
            _exclude(bounds.values, mask)
        return cls(rows, quantized, bounds, None)

    def take_highest(self, count: int) -> Slots:
        """Return the slots of the `count` rows with the highest bounds, in any order."""
        return self._rows.slots[self._at(self._bounds.take_highest(count))]

    def take_reaching(self, floor: float) -> Slots:
        """Return the slots of all rows whose bounds reach `floor`, tighter bounds included, in any order."""
        positions = self._at(self._bounds.take_reaching(floor))
        return self._rows.slots[positions[self._rows.tighter_upper_bounds(self._query, positions) >= floor]]

    def _at(self, taken: Positions) -> Positions:
        return taken if self._places is None else self._places[taken]


class Bounds:
    """Upper bounds by position: values, and for each block an excess to add; fill both before taking any.

    Each group of bounds is represented by its highest. The positions of a group are spread over their block: images of
    one study or patient are similar and adjacent, and would share a group; numpy also compares whole rows of groups.

    Args:
        count: Number of values.
    """

    def __init__(self, count: int) -> None:
        blocks = -(-count // BLOCK)
        self._padded = np.empty(blocks * BLOCK, np.float32)
        self._padded[count:] = -np.inf
        self.values = self._padded[:count]
        """-infinite for rows that are never taken."""
        self.excess = np.zeros(blocks, np.float32)
        self._highest: Vector | None = None
        """Of each group when it was measured; lower if its highest bound was taken since."""

    def take_highest(self, count: int) -> Positions:
        """Return the positions of the `count` highest bounds, in any order.

        At least `count` bounds reach the lowest of the `count` highest groups, and few others do: sorting is quick.
        """
        self._highest = self._measured()
        floor = float(np.partition(self._highest, -count)[-count]) if count < len(self._highest) else _LOWEST
        positions, bounds = self._reaching(floor)
        if len(positions) > count:
            positions = positions[np.argpartition(bounds, -count)[-count:]]
        return self._taken(positions)

    def take_reaching(self, floor: float) -> Positions:
        """Return the positions of all bounds that reach `floor`, in any order."""
        return self._taken(self._reaching(floor)[0])

    def _measured(self) -> Vector:
        highest = self._padded.reshape(-1, _GROUP, BLOCK // _GROUP).max(axis=1)
        return (highest + self.excess[:, None]).ravel()

    def _reaching(self, floor: float) -> tuple[Positions, Vector]:
        """Return the positions of all bounds that reach `floor`, and these bounds."""
        floor = max(floor, _LOWEST)
        if self._highest is None:
            self._highest = self._measured()
        (groups,) = (self._highest >= floor).nonzero()
        blocks, within = np.divmod(groups, BLOCK // _GROUP)
        positions = np.arange(0, BLOCK, BLOCK // _GROUP)[:, None] + (blocks * BLOCK + within)
        bounds = self._padded[positions] + self.excess[blocks]
        reach = bounds >= floor
        return positions[reach], bounds[reach]

    def _taken(self, positions: Positions) -> Positions:
        self._padded[positions] = -np.inf
        return positions


def _exclude(values: Vector, passing: Mask) -> None:
    """Set the bounds of rows that do not pass to -infinity; bitwise, a masked assignment takes ten times as long."""
    limits = (passing.view(np.int8) - np.int8(1)).astype(np.int32)
    limits &= _SIGN
    limits |= _INFINITY
    np.minimum(values, limits.view(np.float32), out=values)
