"""Iterates over stored values in cache-sized strips of rows, from memory or from an uncompressed file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

import numpy as np

from mcp_cxr.errors import CorruptImage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedIOBase

    from numpy.typing import NDArray

StoredArray: TypeAlias = "NDArray[np.uint8] | NDArray[np.int8] | NDArray[np.uint16] | NDArray[np.int16]"
"""Stored values, shape (rows, columns)."""
Mask: TypeAlias = "NDArray[np.bool_]"

_STRIP_BYTES: Final = 768 * 2**10


class Raster(Protocol):
    """The stored values of an image; may be iterated any number of times."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """8 or 16 bits, in the machine's byte order."""
        ...

    def strips(self, rows: range | None = None, *, step: int = 1) -> Iterator[StoredArray]:
        """Yield all rows, or `rows`, in order; each strip but the last is a multiple of `step` rows.

        A strip is C-contiguous and valid until the next one is requested.
        """
        ...


@dataclass(frozen=True, slots=True)
class ArrayRaster:
    """Values in memory, already limited to BitsStored."""

    values: StoredArray
    """C-contiguous."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.values.shape
        return rows, columns

    @property
    def dtype(self) -> np.dtype[Any]:
        """As the values'."""
        return self.values.dtype

    def strips(self, rows: range | None = None, *, step: int = 1) -> Iterator[StoredArray]:
        """Yield views."""
        for rows_of_strip in strip_rows(self, rows, step=step):
            yield self.values[rows_of_strip.start : rows_of_strip.stop]


@dataclass(frozen=True, slots=True)
class FileRaster:
    """Uncompressed 16-bit values in a file."""

    source: BufferedIOBase
    offset: int
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    bits: int
    """(0028,0101) Bits Stored."""
    swapped: bool = False
    """Whether the file has the other byte order."""
    masked: bool = False
    """Whether bits above `bits`, such as an overlay, are cleared. That takes time, and few images need it."""

    def strips(self, rows: range | None = None, *, step: int = 1) -> Iterator[StoredArray]:
        """Yield strips in one reused buffer: allocating one for each takes longer than summing it.

        Raises:
            CorruptImage: The file ends early.
        """
        strips = strip_rows(self, rows, step=step)
        buffer = np.empty((len(strips[0]), self.shape[1]), self.dtype)
        self.source.seek(self.offset + strips[0].start * buffer[0].nbytes)
        for rows_of_strip in strips:
            strip = buffer[: len(rows_of_strip)]
            if self.source.readinto(strip.data.cast("B")) < strip.nbytes:
                raise CorruptImage("truncated pixel data")
            if self.swapped:
                strip.byteswap(inplace=True)
            yield mask_to_bits(strip, self.bits, signed=self.dtype.kind == "i") if self.masked else strip


def strip_rows(raster: Raster, rows: range | None = None, *, step: int) -> list[range]:
    """Return the range of rows of each strip."""
    rows = rows or range(raster.shape[0])
    height = max(1, _STRIP_BYTES // (raster.shape[1] * raster.dtype.itemsize) // step) * step
    return [range(top, min(top + height, rows.stop)) for top in range(rows.start, rows.stop, height)]


def mask_to_bits(samples: NDArray[Any], bits: int, *, signed: bool) -> NDArray[Any]:
    """Clear the bits above `bits` and extend the sign from there: (0028,0101) Bits Stored, PS3.5 8.1.1."""
    unused = samples.dtype.itemsize * 8 - bits
    if unused <= 0 and not signed:
        return samples
    kind = np.dtype(f"{'i' if signed else 'u'}{samples.dtype.itemsize}")
    return np.right_shift(np.left_shift(samples.view(kind), max(unused, 0)), max(unused, 0))


class ValueRange:
    """The lowest and highest stored value of an image and, on request, which values between them are in use.

    Finding the values in use takes several times as long, and few images need it.
    """

    low: int
    high: int

    def __init__(self, raster: Raster) -> None:
        self._raster = raster

    def strips_with_bits(self, *, step: int = 1) -> Iterator[tuple[StoredArray, int]]:
        """Yield each strip and the bits that it needs; `low` and `high` are set after the last one."""
        ends: list[int] = []
        for strip in self._raster.strips(step=step):
            low, high = int(strip.min()), int(strip.max())
            ends += low, high
            yield strip, max(high, -1 - low).bit_length() + (strip.dtype.kind == "i")
        self.low, self.high = min(ends), max(ends)

    def used(self) -> Mask:
        """Return for each value from `low` to `high` whether a pixel has it; reads the image once more."""
        size = 1 << 8 * self._raster.dtype.itemsize
        counts = np.zeros(size, np.intp)
        for strip in self._raster.strips():
            counts += np.bincount(strip.reshape(-1).view(f"u{strip.itemsize}"), minlength=size)
        return counts[np.arange(self.low, self.high + 1) % size] > 0
