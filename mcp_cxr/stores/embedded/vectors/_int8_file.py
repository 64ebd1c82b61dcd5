"""The file that holds an int8 copy of the vectors: a header, then columns with room for more rows.

Rows are written before the header that counts them. The header is sealed with a checksum of its own and holds one of
all rows, which whoever opens the file sums up: one that is damaged, half written or empty is none.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from contextlib import suppress
from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mcp_cxr.stores.embedded.vectors._quantized import Encoded, width_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mcp_cxr.records import Vector

_COLUMNS = {
    "slots": "<i8",
    "codes": "i1",
    "leans": "<f4",
    "scales": "<f4",
    "norms": "<f4",
    "errors": "<f4",
    "studies": "<i4",
    "views": "u1",
}
_FORM = struct.Struct("<8s 8q Q 16s I")
_MAGIC = b"cxr-cop2"  # a file of the columns before is none, and is made anew
_PAGE = 4096
_MODULUS = 2**64


@dataclass(frozen=True, slots=True)
class Int8Header:
    """What the file says of itself; the centre of its rows follows it."""

    dimension: int
    capacity: int
    """Rows there is room for."""
    rows: int = 0
    covered: int = 0
    """The highest slot that had been given when rows were added last."""
    removed: int = 0
    """Images that had been removed by then: they may be missing."""
    compacted: int = 0
    """Images that had been removed when the file was made: none of them is in it."""
    rewritten: int = 0
    """Changes in place that the rows were made after."""
    wiped: int = 0
    """How many times rows were overwritten."""
    checksum: int = 0
    """Sum of all rows' bytes, taken as numbers, modulo 2**64."""
    identity: bytes = b""
    """Of the database: another one's slots are other images."""

    def sealed(self, centre: bytes) -> bytes:
        """Return header and centre as they are written."""
        plain = _FORM.pack(_MAGIC, *astuple(self), 0) + centre
        return _FORM.pack(_MAGIC, *astuple(self), zlib.crc32(plain)) + centre

    @classmethod
    def read(cls, raw: mmap.mmap) -> Int8Header | None:
        """Return the header as it stands now; None where it is none, or just being written."""
        head = raw[: _FORM.size]
        if len(head) < _FORM.size:
            return None
        _, *numbers, identity, _ = _FORM.unpack(head)
        header = cls(*numbers, identity=identity.rstrip(b"\0"))
        centre = raw[_FORM.size : _FORM.size + 4 * max(header.dimension, 0)]
        return header if head + centre == header.sealed(centre) else None

    @property
    def layout(self) -> dict[str, tuple[int, int]]:
        """Where each column begins, and the bytes of a row in it."""
        at, layout = _whole_pages(_FORM.size + 4 * self.dimension), dict[str, tuple[int, int]]()
        for name, kind in _COLUMNS.items():
            size = width_of(self.dimension) if name == "codes" else np.dtype(kind).itemsize
            layout[name] = at, size
            at += _whole_pages(self.capacity * size)
        return layout

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        start, row = self.layout["views"]
        return start + _whole_pages(self.capacity * row)


@dataclass(frozen=True, slots=True)
class Copy:
    """The rows that the file held when its header was read, over the mapped file."""

    header: Int8Header
    rows: Encoded
    _head: bytes
    """The header as it was written."""
    _raw: mmap.mmap
    _inode: int

    @classmethod
    def of(cls, path: Path) -> Copy | None:
        """Open the file and sum it up; None where there is none that is whole."""
        try:
            with path.open("rb") as file:
                inode = os.fstat(file.fileno()).st_ino
                raw = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (FileNotFoundError, ValueError):  # an empty file cannot be mapped
            return None
        head, header = raw[: _FORM.size], Int8Header.read(raw)
        if header is None or header.size != len(raw):
            return None
        found = cls(header, _mapped(raw, header), head, raw, inode)
        return found if _sum(found.rows) == header.checksum else None

    def now(self, path: Path) -> Copy | None:
        """Return it with what was added since; None where the file is gone, is another one, or was wiped."""
        with suppress(FileNotFoundError):
            status = path.stat()
            if (status.st_ino, status.st_size) != (self._inode, len(self._raw)):
                return None
            head = self._raw[: _FORM.size]
            if head == self._head:
                return self
            header = Int8Header.read(self._raw)
            if header and header.wiped == self.header.wiped:
                grown = replace(self, header=header, rows=_mapped(self._raw, header), _head=head)
                total = self.header.checksum + _sum(grown.rows, self.header.rows)
                return grown if total % _MODULUS == header.checksum else None
        return None

    @property
    def was_wiped(self) -> bool:
        """Whether rows were overwritten since the header was read."""
        if self._raw[: _FORM.size] == self._head:
            return False
        header = Int8Header.read(self._raw)
        return header is None or header.wiped != self.header.wiped


class Writer:
    """Writes to the file; only one at a time may.

    Args:
        descriptor: Of the file, open for writing.
        header: What the file says of itself now.
    """

    def __init__(self, descriptor: int, header: Int8Header, centre: Vector) -> None:
        self._descriptor = descriptor
        self.header = header
        self.centre = centre

    def append(self, rows: Encoded) -> None:
        """Write rows behind those that are there; nobody sees them before `publish`."""
        for name, column in _columns(rows).items():
            self._write(column, self._place(name, self.header.rows))
        self.header = self._with_sum(_sum(rows), rows=self.header.rows + len(rows.slots))

    def wipe(self, rows: Encoded, places: NDArray[np.int64]) -> None:
        """Overwrite these of the file's rows. From here to `publish` the file is none."""
        self._write(np.zeros(_FORM.size, np.uint8), 0)
        old, wiped = rows.at(places), Encoded.wiped(rows.slots[places], rows.centre)
        change = _sum(wiped) - _sum(old)
        for name, column in _columns(wiped).items():
            for row, place in zip(column, places.tolist(), strict=True):
                self._write(row, self._place(name, place))
        self.header = self._with_sum(change, wiped=self.header.wiped + 1)

    def publish(self, **changed: int) -> None:
        """Write the header, changed like this."""
        self.header = replace(self.header, **changed)
        self._write(np.frombuffer(self.header.sealed(self.centre.tobytes()), np.uint8), 0)

    def _with_sum(self, change: int, **changed: int) -> Int8Header:
        return replace(self.header, checksum=(self.header.checksum + change) % _MODULUS, **changed)

    def _place(self, column: str, row: int) -> int:
        start, size = self.header.layout[column]
        return start + row * size

    def _write(self, content: NDArray[np.generic], place: int) -> None:
        left = memoryview(content.tobytes())
        while left:
            written = os.pwrite(self._descriptor, left, place)
            left, place = left[written:], place + written


def _mapped(raw: mmap.mmap, header: Int8Header) -> Encoded:
    """Return the rows as they lie in the file."""
    columns: dict[str, Any] = {}
    for name, kind in _COLUMNS.items():
        start, size = header.layout[name]
        flat = np.frombuffer(raw, kind, header.rows * size // np.dtype(kind).itemsize, start)
        columns[name] = flat.reshape(header.rows, size) if name == "codes" else flat
    return Encoded(np.frombuffer(raw, "<f4", header.dimension, _FORM.size), **columns)


def _columns(rows: Encoded) -> dict[str, NDArray[np.generic]]:
    return {name: getattr(rows, name) for name in _COLUMNS}


def _sum(rows: Encoded, first: int = 0) -> int:
    """Return the sum of the rows' bytes from `first` on, taken as unsigned numbers as wide as a column has them."""
    total = 0
    for name, column in _columns(rows).items():
        wide = np.dtype("u8" if name == "codes" else f"u{column.itemsize}")
        total += int(column[first:].view(wide).sum(dtype=np.uint64))
    return total % _MODULUS


def _whole_pages(size: int) -> int:
    return -(-size // _PAGE) * _PAGE
