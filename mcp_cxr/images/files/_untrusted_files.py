"""Opens untrusted files within bounds, and detects by name and first bytes which may be images."""

from __future__ import annotations

import errno
import os
import stat
import struct
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal

from mcp_cxr.errors import CorruptImage, ImageError, UnsupportedImage
from mcp_cxr.safe_files import open_without_links

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path
    from typing import BinaryIO

FileKind = Literal["dicom", "png", "jpeg"]
"""File formats of images."""

SNIFFED_BYTES: Final = 1024
"""Bytes read to detect the kind of a file; more than enough."""
_IMAGE_NAMES = (".dcm", ".dicom", ".dic", ".ima", ".dcm.gz", ".png", ".jpg", ".jpeg")
_OTHER_NAMES = (".txt", ".csv", ".csv.gz", ".html", ".json", ".md", ".pdf")
_GZIP_START = b"\x1f\x8b\x08"
_VRS = frozenset(
    "AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split()
)
_GROUPS_AT_START = (0x0002, 0x0008)
_MAX_FIRST_LENGTH = 1024  # an implicit first element: a group length, a character set, an image type, a UID
MAX_BYTES: Final = 256 * 2**20
"""Largest file read, compressed or decompressed: twice a 64-megapixel image of 16 bits."""
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


def inflate(compressed: bytes, *, wbits: int) -> bytes:
    """Return `compressed` decompressed, at most `MAX_BYTES`.

    Raises:
        UnsupportedImage: It is larger.
        CorruptImage: It is damaged or ends early.
    """
    inflater = zlib.decompressobj(wbits)
    try:
        data = inflater.decompress(compressed, MAX_BYTES)
    except zlib.error as error:
        raise CorruptImage("damaged header") from error
    if inflater.eof:
        return data
    if len(data) >= MAX_BYTES:
        raise UnsupportedImage("unpacks to more than 256 MiB")
    raise CorruptImage("truncated compressed file")


def is_image_candidate(path: Path) -> bool:
    """Return whether `path` may be an image and should be read.

    True for a regular file with an image's extension, whatever it holds, or whose first bytes are those of DICOM, PNG,
    JPEG or one of them in gzip. False for links, fifos and devices, and, by name and unopened, for text, tables, HTML
    and PDFs.
    """
    named = is_image_name(path.name)
    try:
        if named is False or not stat.S_ISREG(path.lstat().st_mode):
            return False
        if named:
            return True
        with open_bounded(path) as file:
            start = file.read(SNIFFED_BYTES)
        if is_gzip(start):
            start = zlib.decompressobj(GZIP).decompress(start, SNIFFED_BYTES)
        return file_kind(start) is not None
    except (OSError, ImageError, zlib.error):
        return False


def is_image_name(name: str) -> bool | None:
    """Return whether the extension is an image's; None if only the first bytes can decide."""
    lower = name.lower()
    if lower.endswith(_OTHER_NAMES):
        return False
    return True if lower.endswith(_IMAGE_NAMES) else None


def file_kind(start: bytes) -> FileKind | None:
    """Return the kind of a file from its first `SNIFFED_BYTES` bytes; None if it is no image."""
    if start[128:132] == b"DICM":
        return "dicom"
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if start.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    return "dicom" if _is_first_element(start) else None


def is_gzip(start: bytes) -> bool:
    """Return whether these are the first bytes of a gzip file."""
    return start.startswith(_GZIP_START)


def _is_first_element(start: bytes) -> bool:
    """Return whether `start` begins with a data element of group 0002 or 0008, PS3.5 7.1; big endian is explicit VR."""
    if len(start) < 8:  # noqa: PLR2004 # tag and length
        return False
    vr = start[4:6].decode("latin-1")
    if struct.unpack_from(">H", start)[0] in _GROUPS_AT_START:
        return vr in _VRS
    group, _, length = struct.unpack_from("<HHI", start)
    return group in _GROUPS_AT_START and (vr in _VRS or length <= _MAX_FIRST_LENGTH)
