"""Stored values a strip at a time: less than a megabyte stays in the processor's cache, a whole film does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from mcp_cxr.errors import CorruptImage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedIOBase
    from typing import TypeAlias

    from numpy.typing import NDArray

    StoredArray: TypeAlias = NDArray[np.uint8] | NDArray[np.int8] | NDArray[np.uint16] | NDArray[np.int16]
    """Stored values, shape (rows, columns)."""
    Mask: TypeAlias = NDArray[np.bool_]

_STRIP_BYTES: Final = 768 * 2**10


class Raster(Protocol):
    """A film's stored values, to be gone through as often as wanted."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns there are."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """8 or 16 bits, in the machine's byte order."""
        ...

    def strips(self, rows: range | None = None, *, step: int = 1) -> Iterator[StoredArray]:
        """Yield all rows, or these of them, in order; each strip but the last is a multiple of `step` rows.

        A strip is C-contiguous, and gone when the next one is asked for.
        """
        ...


@dataclass(frozen=True, slots=True)
class ArrayRaster:
    """Values in memory; what stands above the bits stored is already gone."""

    values: StoredArray
    """C-contiguous."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns there are."""
        rows, columns = self.values.shape
        return rows, columns

    @property
    def dtype(self) -> np.dtype[Any]:
        """As the values'."""
        return self.values.dtype

    def strips(self, rows: range | None = None, *, step: int = 1) -> Iterator[StoredArray]:
        """Yield views."""
        for part in parts_of(self, rows, step=step):
            yield self.values[part.start : part.stop]


@dataclass(frozen=True, slots=True)
class FileRaster:
    """Values of 16 bits that stand plainly in a file."""

    source: BufferedIOBase
    offset: int
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    bits: int
    """(0028,0101) Bits Stored."""
    swapped: bool = False
    """The file has the other byte order."""
    masked: bool = False
    """Whether what stands above `bits`, an overlay for one, is cut off. That takes time, and few films need it."""

    def strips(self, rows: range | None = None, *, step: int = 1) -> Iterator[StoredArray]:
        """Yield what is read, in one buffer: fresh memory for each strip takes longer than adding it up.

        Raises:
            CorruptImage: The file ends early.
        """
        parts = parts_of(self, rows, step=step)
        buffer = np.empty((len(parts[0]), self.shape[1]), self.dtype)
        self.source.seek(self.offset + parts[0].start * buffer[0].nbytes)
        for part in parts:
            strip = buffer[: len(part)]
            if self.source.readinto(strip.data.cast("B")) < strip.nbytes:
                raise CorruptImage("truncated pixel data")
            if self.swapped:
                strip.byteswap(inplace=True)
            yield within_bits(strip, self.bits, signed=self.dtype.kind == "i") if self.masked else strip


def parts_of(raster: Raster, rows: range | None = None, *, step: int) -> list[range]:
    """Return the rows of each strip."""
    rows = rows or range(raster.shape[0])
    height = max(1, _STRIP_BYTES // (raster.shape[1] * raster.dtype.itemsize) // step) * step
    return [range(top, min(top + height, rows.stop)) for top in range(rows.start, rows.stop, height)]


def within_bits(samples: NDArray[Any], bits: int, *, signed: bool) -> NDArray[Any]:
    """Drop what stands above `bits`, and extend the sign from there: (0028,0101) Bits Stored, PS3.5 8.1.1."""
    unused = samples.dtype.itemsize * 8 - bits
    if unused <= 0 and not signed:
        return samples
    kind = np.dtype(f"{'i' if signed else 'u'}{samples.dtype.itemsize}")
    return np.right_shift(np.left_shift(samples.view(kind), max(unused, 0)), max(unused, 0))


class Survey:
    """Which values a film has: the lowest and the highest always, each of them only where that is asked for.

    Telling each costs several times what the two ends do, and few films need it.
    """

    low: int
    high: int

    def __init__(self, raster: Raster) -> None:
        self._raster = raster

    def watched(self, *, step: int = 1) -> Iterator[tuple[StoredArray, int]]:
        """Pass the strips on with the bits they need; `low` and `high` hold once all have passed."""
        ends: list[int] = []
        for strip in self._raster.strips(step=step):
            least, most = int(strip.min()), int(strip.max())
            ends += least, most
            yield strip, max(most, -1 - least).bit_length() + (strip.dtype.kind == "i")
        self.low, self.high = min(ends), max(ends)

    def used(self) -> Mask:
        """Return for each value from `low` to `high` whether a pixel has it; goes through the film once more."""
        size = 1 << 8 * self._raster.dtype.itemsize
        counts = np.zeros(size, np.intp)
        for strip in self._raster.strips():
            counts += np.bincount(strip.reshape(-1).view(f"u{strip.itemsize}"), minlength=size)
        return counts[np.arange(self.low, self.high + 1) % size] > 0
