"""Reads tables within bounds: they lie beside images and may be damaged, or made to do harm."""

from __future__ import annotations

import csv
import errno
import gzip
import io
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from mcp_cxr.safe_files import open_without_links

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO

MAX_TABLE_BYTES: Final = 2 << 30
"""Largest table, decompressed: ten times the largest of the data sets that are known."""
MAX_RATIO: Final = 200
"""How many times larger a table may be than its gzip file; tables of text stay below 40."""
MAX_COLUMNS: Final = 4096
MAX_ROWS: Final = 20_000_000
_RATIO_FREE_BYTES = 16 << 20  # below this the ratio does not matter
_MAX_LINE = 1 << 20  # characters
_DELIMITERS = (",", ";", "\t")


class TableError(Exception):
    """A table cannot be used; the text completes "NAME.csv ..." and holds nothing of the table's content."""


def bounded_gzip(file: BinaryIO, size: int) -> io.BufferedReader:
    """Return the content of a gzip file of `size` bytes; reading beyond the bounds raises `TableError`."""
    return io.BufferedReader(_BoundedGzip(file, size), 1 << 18)


class _BoundedGzip(io.RawIOBase):
    """The content of a gzip file, up to the bounds."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._inner = gzip.GzipFile(fileobj=file)
        self._left = min(MAX_TABLE_BYTES, max(_RATIO_FREE_BYTES, size * MAX_RATIO))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]  # any buffer
        data = self._inner.read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise TableError("unpacks to more than 200 times its size; unpack it yourself if you trust it")
        buffer[: len(data)] = data
        return len(data)


class OpenTable:
    """A table that is being read.

    Args:
        lines: Its lines.
        header: The names of its columns; empty: its first line has them.
    """

    def __init__(self, lines: Iterator[str], header: Sequence[str] = ()) -> None:
        first = "" if header else next(lines, "")
        delimiter = max(_DELIMITERS, key=first.count)
        self._rows = csv.reader(lines, delimiter=delimiter)
        self.header = list(header) or [
            name.strip() for name in next(csv.reader([first], delimiter=delimiter), list[str]())
        ]
        """The names of its columns."""
        if len(self.header) > MAX_COLUMNS:
            raise TableError(f"has more than {MAX_COLUMNS} columns")
        self.short_rows = 0
        """Rows left out because they have fewer cells than the header."""

    def cells(self, columns: Sequence[str]) -> Iterator[list[str]]:
        """Yield the cells of these columns row by row; those of a missing column are empty.

        A column whose name differs only in capitals is taken if there is no other.

        `csv.DictReader` was measured to take twice as long for the three files of MIMIC-CXR.
        """
        missing = len(self.header)  # index of an empty cell, which is put there for every column that is missing
        in_small = {name.lower(): index for index, name in reversed(list(enumerate(self.header)))}
        exact = {name: index for index, name in reversed(list(enumerate(self.header)))}
        indexes = [exact.get(name, in_small.get(name.lower(), missing)) for name in columns]
        for number, row in enumerate(self._rows):
            if number >= MAX_ROWS:
                raise TableError(f"has more than {MAX_ROWS:,} rows")
            if len(row) < missing:
                self.short_rows += bool(row)
                continue
            row[missing:] = [""]
            yield [row[index] for index in indexes]


@contextmanager
def open_table(path: Path, header: Sequence[str] = ()) -> Generator[OpenTable]:
    """Open a CSV file, plain or gzipped; delimiters may be commas, semicolons or tabs.

    Args:
        path: Absolute and resolved.
        header: The names of the columns of a table that has none.

    Raises:
        TableError: It is damaged, exceeds a bound, or is a link; while it is opened or read.
    """
    try:
        with open_without_links(path) as file:
            size = path.stat().st_size
            if size > MAX_TABLE_BYTES:
                raise TableError("is larger than 2 GiB")
            is_packed = path.suffix == ".gz"
            data = bounded_gzip(file, size) if is_packed else file
            with io.TextIOWrapper(data, encoding=_encoding(data), newline="") as text:
                yield OpenTable(_lines(text), header)
    except (OSError, EOFError, UnicodeError, csv.Error, zlib.error) as exc:
        if isinstance(exc, OSError) and exc.errno == errno.ELOOP:
            raise TableError("is a symbolic link; give the folder of the file itself with --companions") from exc
        if isinstance(exc, UnicodeError):
            raise TableError("is not text in UTF-8 or UTF-16; save it again as CSV UTF-8") from exc
        raise TableError("is damaged or not a table; copy or download it again") from exc


def _encoding(data: BinaryIO | io.BufferedReader) -> str:
    """Return UTF-16 if the file begins with its mark, as spreadsheets write it, else UTF-8."""
    start = data.peek(2)[:2] if isinstance(data, io.BufferedReader) else b""
    return "utf-16" if start in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(_MAX_LINE):
        if len(line) == _MAX_LINE:
            raise TableError("has a line of more than a million characters")
        yield line
