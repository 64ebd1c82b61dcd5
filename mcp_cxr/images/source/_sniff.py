"""What a file is, by its first bytes; and whether a walk should look at it at all."""

from __future__ import annotations

import stat
import struct
import zlib
from typing import TYPE_CHECKING, Final, Literal

from mcp_cxr.errors import ImageError
from mcp_cxr.images.source._bytes import first_inflated, opened

if TYPE_CHECKING:
    from pathlib import Path

Kind = Literal["dicom", "png", "jpeg"]
"""What a film can be stored as."""

START: Final = 1024
"""Bytes that tell what a file is, with room to spare."""
_IMAGE_NAMES = (".dcm", ".dicom", ".dic", ".ima", ".dcm.gz", ".png", ".jpg", ".jpeg")
_OTHER_NAMES = (".txt", ".csv", ".csv.gz", ".html", ".json", ".md", ".pdf")
_GZIP = b"\x1f\x8b\x08"
_VRS = frozenset(
    "AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split()
)
_FIRST_GROUPS = (0x0002, 0x0008)
_LONGEST_FIRST = 1024  # an implicit first element: a group length, a character set, an image type, a UID


def is_image_candidate(path: Path) -> bool:
    """Whether a walk should hand `path` on to be read.

    A regular file that is named like a film, whatever it holds, or whose first bytes say DICOM, PNG, JPEG or one of
    them in gzip. Links, fifos and devices are not; text, tables, pages and PDFs are told by their names and not opened.
    """
    named = is_image_name(path.name)
    try:
        if named is False or not stat.S_ISREG(path.lstat().st_mode):
            return False
        if named:
            return True
        with opened(path) as file:
            return _unwrapped_kind(file.read(START)) is not None
    except (OSError, ImageError, zlib.error):
        return False


def is_image_name(name: str) -> bool | None:
    """Whether a regular file of this name is a candidate; None where only its first bytes can tell."""
    lower = name.lower()
    if lower.endswith(_OTHER_NAMES):
        return False
    return True if lower.endswith(_IMAGE_NAMES) else None


def kind_of(start: bytes) -> Kind | None:
    """What a file is whose first `START` bytes these are; None for anything else."""
    if start[128:132] == b"DICM":
        return "dicom"
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if start.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    return "dicom" if _is_first_element(start) else None


def is_gzip(start: bytes) -> bool:
    """Whether a file that begins so is gzip."""
    return start.startswith(_GZIP)


def _unwrapped_kind(start: bytes) -> Kind | None:
    return kind_of(first_inflated(start, limit=START) if is_gzip(start) else start)


def _is_first_element(start: bytes) -> bool:
    """Whether a DICOM data element of group 0002 or 0008 stands here, PS3.5 7.1; big endian is always explicit VR."""
    if len(start) < 8:  # noqa: PLR2004 # tag and length
        return False
    vr = start[4:6].decode("latin-1")
    if struct.unpack_from(">H", start)[0] in _FIRST_GROUPS:
        return vr in _VRS
    group, _, length = struct.unpack_from("<HHI", start)
    return group in _FIRST_GROUPS and (vr in _VRS or length <= _LONGEST_FIRST)
