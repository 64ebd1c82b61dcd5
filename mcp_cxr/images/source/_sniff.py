"""Detects the kind of a file by its first bytes, and which files may be images."""

from __future__ import annotations

import stat
import struct
import zlib
from typing import TYPE_CHECKING, Final, Literal

from mcp_cxr.errors import ImageError
from mcp_cxr.images.source._bytes import inflate_start, open_bounded

if TYPE_CHECKING:
    from pathlib import Path

FileKind = Literal["dicom", "png", "jpeg"]
"""File formats of images."""

SNIFFED_BYTES: Final = 1024
"""Bytes read to detect the kind of a file; more than enough."""
_IMAGE_NAMES = (".dcm", ".dicom", ".dic", ".ima", ".dcm.gz", ".png", ".jpg", ".jpeg")
_OTHER_NAMES = (".txt", ".csv", ".csv.gz", ".html", ".json", ".md", ".pdf")
_GZIP = b"\x1f\x8b\x08"
_VRS = frozenset(
    "AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split()
)
_GROUPS_AT_START = (0x0002, 0x0008)
_MAX_FIRST_LENGTH = 1024  # an implicit first element: a group length, a character set, an image type, a UID


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
            return _kind_inside_gzip(file.read(SNIFFED_BYTES)) is not None
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
    return start.startswith(_GZIP)


def _kind_inside_gzip(start: bytes) -> FileKind | None:
    return file_kind(inflate_start(start, limit=SNIFFED_BYTES) if is_gzip(start) else start)


def _is_first_element(start: bytes) -> bool:
    """Return whether `start` begins with a data element of group 0002 or 0008, PS3.5 7.1; big endian is explicit VR."""
    if len(start) < 8:  # noqa: PLR2004 # tag and length
        return False
    vr = start[4:6].decode("latin-1")
    if struct.unpack_from(">H", start)[0] in _GROUPS_AT_START:
        return vr in _VRS
    group, _, length = struct.unpack_from("<HHI", start)
    return group in _GROUPS_AT_START and (vr in _VRS or length <= _MAX_FIRST_LENGTH)
