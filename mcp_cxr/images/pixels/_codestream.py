"""Reads the header of a compressed frame before it is decoded: a small file can claim a huge image."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from mcp_cxr.errors import CorruptImage

_J2K_START: Final = b"\xff\x4f\xff\x51"  # SOC and SIZ, ISO 15444-1 A.4.1 and A.5.1; inside the boxes of a JP2 too
_JPEG_START: Final = b"\xff\xd8"
# Start of frame, ITU-T T.81 table B.1 without DHT, JPG and DAC; 0xF7 is JPEG-LS, ITU-T T.87 C.1.1.
_FRAME_MARKERS: Final = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})
_BARE_MARKERS: Final = frozenset({0x01, *range(0xD0, 0xDA)})


@dataclass(frozen=True, slots=True)
class StreamHeader:
    """The frame header of a JPEG, JPEG-LS or JPEG 2000 stream."""

    rows: int
    columns: int
    samples: int
    bits: int
    signed: bool = False


def read_stream_header(frame: bytes) -> StreamHeader:
    """Read the frame header.

    Raises:
        CorruptImage: There is no frame header, or it is cut off.
    """
    j2k = frame.find(_J2K_START, 0, 4096)
    try:
        if j2k >= 0:
            return _size_segment(frame, j2k + len(_J2K_START))
        if frame.startswith(_JPEG_START):
            return _start_of_frame(frame)
    except (struct.error, IndexError) as error:
        raise CorruptImage("pixel data cannot be decoded") from error
    raise CorruptImage("pixel data cannot be decoded")


def _size_segment(frame: bytes, at: int) -> StreamHeader:
    right, bottom, left, top = struct.unpack_from(">IIII", frame, at + 4)
    (samples,) = struct.unpack_from(">H", frame, at + 36)
    depth = frame[at + 38]
    return StreamHeader(bottom - top, right - left, samples, (depth & 0x7F) + 1, signed=bool(depth & 0x80))


def _start_of_frame(frame: bytes) -> StreamHeader:
    at = 2
    while True:
        if frame[at] != 0xFF:  # noqa: PLR2004 # every segment begins with a marker
            raise CorruptImage("pixel data cannot be decoded")
        marker = frame[at + 1]
        if marker in _FRAME_MARKERS:
            bits, rows, columns, samples = struct.unpack_from(">BHHB", frame, at + 4)
            return StreamHeader(rows, columns, samples, bits)
        if marker == 0xFF:  # noqa: PLR2004 # a fill byte
            at += 1
        elif marker in _BARE_MARKERS:
            at += 2
        else:
            at += 2 + struct.unpack_from(">H", frame, at + 2)[0]
