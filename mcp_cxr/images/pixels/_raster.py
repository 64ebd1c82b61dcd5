"""Iterates over stored values in cache-sized strips of rows, from memory or from an uncompressed file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

import numpy as np

from mcp_cxr.errors import CorruptImage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from io import BufferedIOBase

    from numpy.typing import NDArray

StoredArray: TypeAlias = "NDArray[np.uint8] | NDArray[np.int8] | NDArray[np.uint16] | NDArray[np.int16]"
"""Stored values, shape (rows, columns)."""
Mask: TypeAlias = "NDArray[np.bool_]"

_STRIP_BYTES: Final = 768 * 2**10
_SAMPLED: Final = 64
STRAY_BITS: Final = "pixels use more bits than stored"
_MOVED: Final = "stored values moved down by"
SIGN: Final = "sign read at"
OTHER_SIGN: Final = "sign of the header contradicted by the pixels"
_SIGN_ROWS: Final = 16
_ROUGHER: Final = 1.3
"""See `contradicts_sign`."""
_MAX_STRAY_SHARE: Final = 1 / 5
"""See `note_stray_bits`."""


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

    @property
    def notes(self) -> tuple[str, ...]:
        """What the header says about the bits that the pixels contradict."""
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
    notes: tuple[str, ...] = ()

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
    shift: int = 0
    """Bits below the stored ones."""
    swapped: bool = False
    """Whether the file has the other byte order."""
    masked: bool = False
    """Whether the stored bits are taken out of the others, such as an overlay. That takes time; few images need it."""
    notes: tuple[str, ...] = ()

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
            yield self._masked(strip) if self.masked else strip

    def _masked(self, strip: NDArray[Any]) -> NDArray[Any]:
        return mask_to_bits(strip, self.bits, signed=self.dtype.kind == "i", shift=self.shift)

    def sampled_rows(self) -> NDArray[Any]:
        """Return some rows as they are stored, shape (rows, columns)."""
        step = max(1, self.shape[0] // _SIGN_ROWS)
        starts = range(0, self.shape[0], step)
        return np.concatenate([strip.copy() for top in starts for strip in self.strips(range(top, top + 1))])

    def with_masked_bits(self) -> FileRaster:
        """Return a raster of the stored bits alone; see `checked_shift` and `note_stray_bits`.

        Raises:
            CorruptImage: Too many pixels have bits above the stored ones.
        """
        is_signed = self.dtype.kind == "i"
        shift, notes = checked_shift(self.strips, self.bits, self.shift)
        notes += note_stray_bits(self.strips(), self.bits + shift, signed=is_signed)
        return replace(self, masked=True, shift=shift, notes=(*self.notes, *notes))


def strip_rows(raster: Raster, rows: range | None = None, *, step: int) -> list[range]:
    """Return the range of rows of each strip."""
    rows = rows or range(raster.shape[0])
    height = max(1, _STRIP_BYTES // (raster.shape[1] * raster.dtype.itemsize) // step) * step
    return [range(top, min(top + height, rows.stop)) for top in range(rows.start, rows.stop, height)]


def mask_to_bits(samples: NDArray[Any], bits: int, *, signed: bool, shift: int = 0) -> NDArray[Any]:
    """Return the `bits` above `shift` alone, the sign extended: (0028,0101) Bits Stored, PS3.5 8.1.1."""
    unused = max(samples.dtype.itemsize * 8 - bits, 0)
    kind = np.dtype(f"{'i' if signed else 'u'}{samples.dtype.itemsize}")
    if not unused:
        return samples.view(kind)
    return np.right_shift(np.left_shift(samples.view(kind), max(unused - shift, 0)), unused)


def checked_shift(strips: Callable[[], Iterable[NDArray[Any]]], bits: int, shift: int) -> tuple[int, tuple[str, ...]]:
    """Return the bits below the stored ones, and a note if there are any.

    Returns 0 and a note if the pixels contradict (0028,0102) High Bit: they use the bits below the stored ones and none
    above `bits`.
    """
    if not shift:
        return 0, ()
    used = 0
    for strip in strips():
        used |= int(np.bitwise_or.reduce(strip.reshape(-1).view(f"u{strip.itemsize}")))
    if used >> bits or not used % (1 << shift):
        return shift, (f"{_MOVED} {shift} bits (high bit)",)
    return 0, ("high bit ignored: the pixels use the lower bits",)


def are_values_moved(notes: Iterable[str]) -> bool:
    """Return whether a note says that the header's bits or sign changed the stored values."""
    return any(note.startswith((_MOVED, SIGN, OTHER_SIGN)) for note in notes)


def contradicts_sign(values: NDArray[Any], bits: int, shift: int, *, signed: bool) -> bool:
    """Return whether an image is much smoother if the sign in its header is not believed.

    Read with the wrong sign, values wrap around in the middle of their range, so that neighbors differ by nearly all of
    it. Compared are the sums of these differences along some rows. Measured on 60 real gray images: with the right sign
    1.02 times the other way's at most; with the wrong one 1.7 times or more, unless few values reach the middle.

    Args:
        values: Shape (rows, columns); as they are stored, of either dtype.
        bits: (0028,0101) Bits Stored.
        shift: Bits below the stored ones.
        signed: What the header says.
    """
    rows = np.ascontiguousarray(values[:: max(1, len(values) // _SIGN_ROWS)])
    if not (rows.view(f"u{rows.itemsize}") >> (bits + shift - 1) & 1).any():
        return False
    as_said, otherwise = (
        int(np.abs(np.diff(mask_to_bits(rows, bits, signed=sign, shift=shift).astype(np.int64), axis=1)).sum())
        for sign in (signed, not signed)
    )
    return as_said > _ROUGHER * otherwise


def note_stray_bits(strips: Iterable[NDArray[Any]], bits: int, *, signed: bool) -> tuple[str, ...]:
    """Return a note if pixels use the bits above `bits`, which are about to be cleared.

    The standard says to clear them (PS3.5 8.1.1), and they may hold an overlay. If they are the upper bits of the image
    itself, clearing them makes noise of it. An overlay's letters and lines mark few pixels; a test has 14 %. If all
    pixels have the same upper bits, clearing them does no harm.

    Raises:
        CorruptImage: More than a fifth of the pixels use them.
    """
    counts: NDArray[np.intp] = np.zeros(1, np.intp)
    for strip in strips:
        upper = strip.reshape(-1).view(f"u{strip.itemsize}") >> bits
        counts = counts + np.bincount(upper, minlength=1 << max(8 * strip.itemsize - bits, 0))
    pixels = counts.sum()
    unused = counts[0] + (counts[-1] if signed and counts.size > 1 else 0)  # a sign may be extended, or not
    if unused == pixels:
        return ()
    if counts.max() < pixels and pixels - unused > _MAX_STRAY_SHARE * pixels:
        raise CorruptImage(STRAY_BITS)
    return ("bits above bits stored cleared",)


class ValueRange:
    """The lowest and highest stored value of an image and, on request, which values between them are in use.

    Finding the values in use takes several times as long, and few images need it.
    """

    low: int
    high: int
    sample: StoredArray
    """The values of every nth row and column, about `_SAMPLED` each, as one row."""

    def __init__(self, raster: Raster) -> None:
        self._raster = raster

    def strips_with_bits(self, *, step: int = 1) -> Iterator[tuple[StoredArray, int]]:
        """Yield each strip and the bits that it needs; the fields are set after the last one."""
        ends: list[int] = []
        down, across = (max(1, side // _SAMPLED) for side in self._raster.shape)
        sampled: list[NDArray[Any]] = []
        top = 0
        for strip in self._raster.strips(step=step):
            low, high = int(strip.min()), int(strip.max())
            ends += low, high
            sampled.append(strip[-top % down :: down, ::across].copy())
            top += len(strip)
            yield strip, max(high, -1 - low).bit_length() + (strip.dtype.kind == "i")
        self.low, self.high = min(ends), max(ends)
        self.sample = np.concatenate(sampled).reshape(-1)

    def used(self) -> Mask:
        """Return for each value from `low` to `high` whether a pixel has it; reads the image once more."""
        size = 1 << 8 * self._raster.dtype.itemsize
        counts = np.zeros(size, np.intp)
        for strip in self._raster.strips():
            counts += np.bincount(strip.reshape(-1).view(f"u{strip.itemsize}"), minlength=size)
        return counts[np.arange(self.low, self.high + 1) % size] > 0
