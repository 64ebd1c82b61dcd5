"""Which rows of a copy may be among the nearest: a few are taken at a time, those with the highest bounds first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray

    from mcp_cxr.records import Vector
    from mcp_cxr.stores.embedded._codes import Encoded, Parted

    Places = NDArray[np.int64]
    Mask = NDArray[np.bool_]

_NARROW = 0.2  # share of the rows up to which they are picked out; of more, all are read as they lie
_GROUP = 64  # bounds of which the highest stands for all
_LOWEST = float(np.finfo(np.float32).min)  # what is below is -infinite
_INFINITY, _SIGN = np.float32(np.inf).view(np.int32), np.int32(-(2**31))  # the bits of float32


class Candidates:
    """Rows by slot; one that was taken is not taken again.

    Args:
        rows: Of the copy.
        asked: The query, by these rows.
        ceilings: Of the rows at `places`; overwritten.
        places: None: all rows, as they lie.
    """

    def __init__(self, rows: Encoded, asked: Parted, ceilings: Vector, places: Places | None) -> None:
        self._rows = rows
        self._asked = asked
        self._bounds = Bounds(ceilings)
        self._places = places

    @classmethod
    def at(cls, rows: Encoded, query: Vector, places: Places) -> Self:
        """Return these rows.

        Args:
            query: float32, shape (dimension,), unit length.
        """
        asked = rows.parted(query)
        return cls(rows, asked, rows.ceilings(asked, places), places)

    @classmethod
    def passing(cls, rows: Encoded, query: Vector, mask: Mask | None) -> Self:
        """Return the rows where `mask` is true; all, where it is None."""
        if mask is not None and np.count_nonzero(mask) <= _NARROW * len(mask):
            return cls.at(rows, query, np.flatnonzero(mask))
        asked = rows.parted(query)
        ceilings = rows.ceilings(asked)
        if mask is not None:
            _withdraw(ceilings, mask)
        return cls(rows, asked, ceilings, None)

    def take_highest(self, count: int) -> Places:
        """Return the slots of the `count` rows with the highest bounds, in any order."""
        return self._rows.slots[self._at(self._bounds.take_highest(count))]

    def take_reaching(self, floor: float) -> Places:
        """Return the slots of all rows whose bounds reach this, the closer ones too, in any order."""
        places = self._at(self._bounds.take_reaching(floor))
        return self._rows.slots[places[self._rows.closer_ceilings(self._asked, places) >= floor]]

    def _at(self, taken: Places) -> Places:
        return taken if self._places is None else self._places[taken]


class Bounds:
    """Bounds by place.

    Places of a group lie far apart: images of one study or patient, which are alike, lie side by side and would share
    one, and numpy compares whole rows of groups.

    Args:
        values: Shape (n,); overwritten. -infinite: never taken.
    """

    def __init__(self, values: Vector) -> None:
        self._values = values
        self._width = len(values) // _GROUP
        self._grouped = values[: self._width * _GROUP].reshape(_GROUP, self._width)
        self._columns = np.arange(_GROUP)[:, None] * self._width
        self._ungrouped = np.arange(self._grouped.size, len(values))
        self._highest = self._grouped.max(axis=0, initial=-np.inf)
        """Of each group; where that was taken, it may be less by now."""
        self._was_taken = False

    def take_highest(self, count: int) -> Places:
        """Return where the `count` highest are, in any order.

        At least `count` bounds reach the lowest of as many groups' highest; so few others do that sorting is quick.
        """
        if self._was_taken:
            self._highest = self._grouped.max(axis=0, initial=-np.inf)
        floor = float(np.partition(self._highest, -count)[-count]) if count < self._width else _LOWEST
        there = self._reaching(floor)
        if len(there) > count:
            there = there[np.argpartition(self._values[there], -count)[-count:]]
        return self._taken(there)

    def take_reaching(self, floor: float) -> Places:
        """Return where all are that reach this, in any order."""
        return self._taken(self._reaching(floor))

    def _reaching(self, floor: float) -> Places:
        floor = max(floor, _LOWEST)
        (groups,) = (self._highest >= floor).nonzero()
        there = np.concatenate(((self._columns + groups).ravel(), self._ungrouped))
        return there[self._values[there] >= floor]

    def _taken(self, places: Places) -> Places:
        self._values[places] = -np.inf
        self._was_taken = True
        return places


def _withdraw(values: Vector, passing: Mask) -> None:
    """Make bounds -infinite where a row does not pass; by the bits, for a masked assignment takes ten times as long."""
    signs = (passing.view(np.int8) - np.int8(1)).astype(np.int32) & _SIGN
    np.minimum(values, (signs | _INFINITY).view(np.float32), out=values)
