"""The file format of the int8 copy: a header, then columns with room for more rows.

Rows are written before the header that counts them. The header ends with its own checksum and holds one of all rows,
which is verified when the file is opened: a damaged, half written or empty file is ignored.
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

from mcp_cxr.stores.embedded.vectors._quantized import QuantizedRows, width_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mcp_cxr.records import Vector

_COLUMNS = {
    "slots": "<i8",
    "codes": "i1",
    "along": "<f4",
    "scales": "<f4",
    "norms": "<f4",
    "errors": "<f4",
    "studies": "<i4",
    "views": "u1",
}
_HEADER = struct.Struct("<8s 8q Q 16s I")
_MAGIC = b"cxr-cop2"  # a file with the columns of an earlier version is ignored and rebuilt
_PAGE = 4096
_MODULUS = 2**64


@dataclass(frozen=True, slots=True)
class Int8Header:
    """The header of the file; the center of its rows follows it."""

    dimension: int
    capacity: int
    """Rows that fit into the file."""
    rows: int = 0
    covered: int = 0
    """The highest slot in use when rows were appended last."""
    removed: int = 0
    """Images removed from the database by then: they may be missing."""
    compacted: int = 0
    """Images removed from the database when the file was made: none of them is in it."""
    rewritten: int = 0
    """Changes in place before the rows were made."""
    wiped: int = 0
    """How often rows were overwritten."""
    checksum: int = 0
    """Sum of all rows' bytes, taken as numbers, modulo 2**64."""
    identity: bytes = b""
    """The database's identity: in another database, slots are other images."""

    def to_bytes(self, center: bytes) -> bytes:
        """Return header and center as they are written."""
        plain = _HEADER.pack(_MAGIC, *astuple(self), 0) + center
        return _HEADER.pack(_MAGIC, *astuple(self), zlib.crc32(plain)) + center

    @classmethod
    def read(cls, raw: mmap.mmap) -> Int8Header | None:
        """Return the header as it is now; None if it is invalid or being written."""
        head = raw[: _HEADER.size]
        if len(head) < _HEADER.size:
            return None
        _, *numbers, identity, _ = _HEADER.unpack(head)
        header = cls(*numbers, identity=identity.rstrip(b"\0"))
        center = raw[_HEADER.size : _HEADER.size + 4 * max(header.dimension, 0)]
        return header if head + center == header.to_bytes(center) else None

    @property
    def layout(self) -> dict[str, tuple[int, int]]:
        """The offset of each column, and the bytes of a row in it."""
        at, layout = _whole_pages(_HEADER.size + 4 * self.dimension), dict[str, tuple[int, int]]()
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
class Int8Snapshot:
    """The rows that the file held when its header was read, mapped into memory."""

    header: Int8Header
    rows: QuantizedRows
    _head: bytes
    """The header as it was written."""
    _raw: mmap.mmap
    _inode: int

    @classmethod
    def open(cls, path: Path) -> Int8Snapshot | None:
        """Open the file and verify its checksum; None if it is missing or damaged."""
        try:
            with path.open("rb") as file:
                inode = os.fstat(file.fileno()).st_ino
                raw = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (FileNotFoundError, ValueError):  # an empty file cannot be mapped
            return None
        head, header = raw[: _HEADER.size], Int8Header.read(raw)
        if header is None or header.size != len(raw):
            return None
        found = cls(header, _mapped(raw, header), head, raw, inode)
        return found if _sum(found.rows) == header.checksum else None

    def refreshed(self, path: Path) -> Int8Snapshot | None:
        """Return the snapshot with the rows appended since; None if the file was deleted, replaced or wiped."""
        with suppress(FileNotFoundError):
            status = path.stat()
            if (status.st_ino, status.st_size) != (self._inode, len(self._raw)):
                return None
            head = self._raw[: _HEADER.size]
            if head == self._head:
                return self
            header = Int8Header.read(self._raw)
            if header and header.wiped == self.header.wiped:
                grown = replace(self, header=header, rows=_mapped(self._raw, header), _head=head)
                total = self.header.checksum + _sum(grown.rows, self.header.rows)
                return grown if total % _MODULUS == header.checksum else None
        return None

    def columns(self) -> dict[str, memoryview]:
        """Return the bytes of each column's rows as they are in the file."""
        raw, rows = memoryview(self._raw), self.header.rows
        return {name: raw[start : start + rows * size] for name, (start, size) in self.header.layout.items()}

    @property
    def was_wiped(self) -> bool:
        """Whether rows were overwritten since the header was read."""
        if self._raw[: _HEADER.size] == self._head:
            return False
        header = Int8Header.read(self._raw)
        return header is None or header.wiped != self.header.wiped


class Writer:
    """Writes to the file; only one writer at a time is allowed.

    Args:
        descriptor: Of the file, open for writing.
        header: The file's header as it is now.
    """

    def __init__(self, descriptor: int, header: Int8Header, center: Vector) -> None:
        self._descriptor = descriptor
        self.header = header
        self.center = center

    def append(self, rows: QuantizedRows) -> None:
        """Append rows; readers see them after `publish`."""
        for name, column in _columns(rows).items():
            self._write(column, self._offset(name, self.header.rows))
        self.header = self._with_sum(_sum(rows), rows=self.header.rows + len(rows.slots))

    def copy_rows(self, copy: Int8Snapshot) -> None:
        """Take over all rows of another file, byte for byte, those of removed images too; this one has none yet."""
        for name, column in copy.columns().items():
            self._write_bytes(column, self._offset(name, 0))
        self.header = replace(self.header, rows=copy.header.rows, checksum=copy.header.checksum)

    def wipe(self, rows: QuantizedRows, positions: NDArray[np.int64]) -> None:
        """Overwrite rows of the file, which is invalid from here until `publish`."""
        self._write(np.zeros(_HEADER.size, np.uint8), 0)
        old, wiped = rows.at(positions), QuantizedRows.wiped(rows.slots[positions], rows.center)
        change = _sum(wiped) - _sum(old)
        for name, column in _columns(wiped).items():
            for row, position in zip(column, positions.tolist(), strict=True):
                self._write(row, self._offset(name, position))
        self.header = self._with_sum(change, wiped=self.header.wiped + 1)

    def publish(self, **changed: int) -> None:
        """Write the header with these changes."""
        self.header = replace(self.header, **changed)
        self._write(np.frombuffer(self.header.to_bytes(self.center.tobytes()), np.uint8), 0)

    def _with_sum(self, change: int, **changed: int) -> Int8Header:
        return replace(self.header, checksum=(self.header.checksum + change) % _MODULUS, **changed)

    def _offset(self, column: str, row: int) -> int:
        start, size = self.header.layout[column]
        return start + row * size

    def _write(self, content: NDArray[np.generic], offset: int) -> None:
        self._write_bytes(memoryview(content.tobytes()), offset)

    def _write_bytes(self, left: memoryview, offset: int) -> None:
        while left:
            written = os.pwrite(self._descriptor, left, offset)
            left, offset = left[written:], offset + written


def _mapped(raw: mmap.mmap, header: Int8Header) -> QuantizedRows:
    """Return the rows as arrays over the mapped file."""
    columns: dict[str, Any] = {}
    for name, kind in _COLUMNS.items():
        start, size = header.layout[name]
        flat = np.frombuffer(raw, kind, header.rows * size // np.dtype(kind).itemsize, start)
        columns[name] = flat.reshape(header.rows, size) if name == "codes" else flat
    return QuantizedRows(np.frombuffer(raw, "<f4", header.dimension, _HEADER.size), **columns)


def _columns(rows: QuantizedRows) -> dict[str, NDArray[np.generic]]:
    return {name: getattr(rows, name) for name in _COLUMNS}


def _sum(rows: QuantizedRows, first: int = 0) -> int:
    """Return the checksum of the rows from `first` on: the sum of their cells, read as unsigned integers."""
    total = 0
    for name, column in _columns(rows).items():
        wide = np.dtype("u8" if name == "codes" else f"u{column.itemsize}")
        total += int(column[first:].view(wide).sum(dtype=np.uint64))
    return total % _MODULUS


def _whole_pages(size: int) -> int:
    return -(-size // _PAGE) * _PAGE
