"""Opens untrusted files: regular files only, and never more bytes than an image needs."""

from __future__ import annotations

import errno
import os
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from mcp_cxr.errors import CorruptImage, UnsupportedImage
from mcp_cxr.files import open_without_links

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path
    from typing import BinaryIO

MAX_BYTES: Final = 256 * 2**20
"""Largest file read, and largest that .gz or a deflated data set may become: twice a 64-megapixel image of 16 bits."""
GZIP: Final = 16 + zlib.MAX_WBITS
"""`wbits` of a gzip member."""
DEFLATE: Final = -zlib.MAX_WBITS
"""`wbits` of a deflate stream without a wrapper, PS3.5 A.5."""


@contextmanager
def open_bounded(path: Path) -> Generator[BinaryIO]:
    """Open a regular file of at most `MAX_BYTES`.

    Args:
        path: Absolute and resolved; a link created at this path afterwards is not followed.

    Raises:
        UnsupportedImage: Not a regular file, or too large.
        OSError: As `open_without_links` does.
    """
    try:
        file = open_without_links(path)
    except OSError as exc:
        if exc.errno == errno.EINVAL:
            raise UnsupportedImage("not a regular file") from exc
        raise
    with file:
        if os.fstat(file.fileno()).st_size > MAX_BYTES:
            raise UnsupportedImage("larger than 256 MiB")
        yield file


def inflate(packed: bytes, *, wbits: int) -> bytes:
    """Return `packed` decompressed, at most `MAX_BYTES`.

    Raises:
        UnsupportedImage: It is larger.
        CorruptImage: It ends early.
        zlib.error: It is damaged.
    """
    inflater = zlib.decompressobj(wbits)
    data = inflater.decompress(packed, MAX_BYTES)
    if inflater.eof:
        return data
    if len(data) >= MAX_BYTES:
        raise UnsupportedImage("unpacks to more than 256 MiB")
    raise CorruptImage("truncated compressed file")


def inflate_start(packed: bytes, *, limit: int) -> bytes:
    """Return at most the first `limit` bytes of a gzip member that may be cut off.

    Raises:
        zlib.error: It is damaged.
    """
    return zlib.decompressobj(GZIP).decompress(packed, limit)
