"""Which rows of a copy may be among the nearest: a few are taken at a time, those with the highest bounds first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.stores.embedded.vectors._quantized import BLOCK

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray

    from mcp_cxr.records import Vector
    from mcp_cxr.stores.embedded.vectors._quantized import Encoded, Parted

    Places = NDArray[np.int64]
    Slots = NDArray[np.int64]
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
        bounds: Of the rows at `places`.
        places: None: all rows, as they lie.
    """

    def __init__(self, rows: Encoded, asked: Parted, bounds: Bounds, places: Places | None) -> None:
        self._rows = rows
        self._asked = asked
        self._bounds = bounds
        self._places = places

    @classmethod
    def at(cls, rows: Encoded, query: Vector, places: Places) -> Self:
        """Return these rows.

        Args:
            query: float32, shape (dimension,), unit length.
        """
        asked, bounds = rows.parted(query), Bounds(len(places))
        bounds.values[:] = rows.ceilings(asked, places)
        return cls(rows, asked, bounds, places)

    @classmethod
    def passing(cls, rows: Encoded, query: Vector, mask: Mask | None) -> Self:
        """Return the rows where `mask` is true; all, where it is None."""
        if mask is not None and np.count_nonzero(mask) <= _NARROW * len(mask):
            return cls.at(rows, query, np.flatnonzero(mask))
        asked, bounds = rows.parted(query), Bounds(len(rows.slots))
        bounds.excess[:] = rows.estimates(asked, bounds.values)
        if mask is not None:
            _withdraw(bounds.values, mask)
        return cls(rows, asked, bounds, None)

    def take_highest(self, count: int) -> Slots:
        """Return the slots of the `count` rows with the highest bounds, in any order."""
        return self._rows.slots[self._at(self._bounds.take_highest(count))]

    def take_reaching(self, floor: float) -> Slots:
        """Return the slots of all rows whose bounds reach this, the closer ones too, in any order."""
        places = self._at(self._bounds.take_reaching(floor))
        return self._rows.slots[places[self._rows.closer_ceilings(self._asked, places) >= floor]]

    def _at(self, taken: Places) -> Places:
        return taken if self._places is None else self._places[taken]


class Bounds:
    """Bounds by place: values, and for each block what is to be added to them; to be filled before any is taken.

    Of a group the highest stands for all. Its places lie far apart in their block: images of one study or patient
    are alike, lie side by side and would share one, and numpy compares whole rows of groups.

    Args:
        count: Of values.
    """

    def __init__(self, count: int) -> None:
        blocks = -(-count // BLOCK)
        self._padded = np.empty(blocks * BLOCK, np.float32)
        self._padded[count:] = -np.inf
        self.values = self._padded[:count]
        """-infinite: never taken."""
        self.excess = np.zeros(blocks, np.float32)
        self._highest: Vector | None = None
        """Of each group, as it was measured; where that was taken since, it is less."""

    def take_highest(self, count: int) -> Places:
        """Return where the `count` highest are, in any order.

        At least `count` bounds reach the lowest of as many groups' highest; so few others do that sorting is quick.
        """
        self._highest = self._measured()
        floor = float(np.partition(self._highest, -count)[-count]) if count < len(self._highest) else _LOWEST
        there, bounds = self._reaching(floor)
        if len(there) > count:
            there = there[np.argpartition(bounds, -count)[-count:]]
        return self._taken(there)

    def take_reaching(self, floor: float) -> Places:
        """Return where all are that reach this, in any order."""
        return self._taken(self._reaching(floor)[0])

    def _measured(self) -> Vector:
        highest = self._padded.reshape(-1, _GROUP, BLOCK // _GROUP).max(axis=1)
        return (highest + self.excess[:, None]).ravel()

    def _reaching(self, floor: float) -> tuple[Places, Vector]:
        """Return where all are that reach this, and their bounds."""
        floor = max(floor, _LOWEST)
        if self._highest is None:
            self._highest = self._measured()
        (groups,) = (self._highest >= floor).nonzero()
        blocks, within = np.divmod(groups, BLOCK // _GROUP)
        places = np.arange(0, BLOCK, BLOCK // _GROUP)[:, None] + (blocks * BLOCK + within)
        bounds = self._padded[places] + self.excess[blocks]
        reach = bounds >= floor
        return places[reach], bounds[reach]

    def _taken(self, places: Places) -> Places:
        self._padded[places] = -np.inf
        return places


def _withdraw(values: Vector, passing: Mask) -> None:
    """Make bounds -infinite where a row does not pass; by the bits, for a masked assignment takes ten times as long."""
    limits = (passing.view(np.int8) - np.int8(1)).astype(np.int32)
    limits &= _SIGN
    limits |= _INFINITY
    np.minimum(values, limits.view(np.float32), out=values)
