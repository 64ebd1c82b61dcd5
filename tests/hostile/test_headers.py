"""A header of any size and shape is read or refused in bounded time and memory, in the main process too."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import time
import zlib
from typing import TYPE_CHECKING

import anyio
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from mcp_cxr.errors import ImageError
from mcp_cxr.images import ImageReader
from tests.unit.images.making import dicom_image, saved

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS, KIB = 5, 200_000
"""Far above what a header may take, far below what these files took: minutes, and six gigabytes."""
BYTES = 30 * 2**20
ITEM, ITEM_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0" + bytes(4)
SEQUENCE_END = b"\xfe\xff\xdd\xe0" + bytes(4)
UNDEFINED = b"\xff" * 4
TOO_LARGE = "header too large"


def long(tag: tuple[int, int], vr: bytes, value: bytes) -> bytes:
    """An element whose length takes four bytes."""
    return struct.pack("<HH2s2xL", *tag, vr, len(value)) + value


def open_ended(tag: tuple[int, int], vr: bytes) -> bytes:
    """The start of a value of undefined length."""
    return struct.pack("<HH2s2x", *tag, vr) + UNDEFINED


def implicit(tag: tuple[int, int], value: bytes) -> bytes:
    """An element without a VR."""
    return struct.pack("<HHL", *tag, len(value)) + value


VOI_LUT, SOURCE_IMAGES, PRIVATE = (0x0028, 0x3010), (0x0008, 0x2112), (0x0029, 0x1010)
ITEMS = BYTES // 8
NESTED = b"".join((open_ended(VOI_LUT, b"SQ"), ITEM, UNDEFINED))
ENDS = ITEM_END + SEQUENCE_END
HOSTILE = {
    "a description of backslashes": (long((0x0008, 0x103E), b"UT", b"\\" * BYTES), TOO_LARGE),
    "a window of millions of values": (long((0x0028, 0x1050), b"UN", b"1\\" * (BYTES // 2)), TOO_LARGE),
    "a body part of millions of values": (long((0x0018, 0x0015), b"UC", b"A\\" * (BYTES // 2)), TOO_LARGE),
    "thousands of character sets": (long((0x0008, 0x0005), b"UC", b"ISO_IR 100\\" * 10_000), TOO_LARGE),
    "a LUT of millions of entries": (
        long(VOI_LUT, b"SQ", ITEM + struct.pack("<L", BYTES + 12) + long((0x0028, 0x3006), b"OW", bytes(BYTES))),
        TOO_LARGE,
    ),
    "millions of private elements": (struct.pack("<HH2sH", *PRIVATE, b"LO", 0) * ITEMS, TOO_LARGE),
    "millions of private elements in an item": (
        open_ended(PRIVATE, b"SQ") + ITEM + UNDEFINED + struct.pack("<HH2sH", *PRIVATE, b"LO", 0) * ITEMS + ENDS,
        TOO_LARGE,
    ),
    "millions of empty items": (open_ended(SOURCE_IMAGES, b"SQ") + (ITEM + bytes(4)) * ITEMS + SEQUENCE_END, TOO_LARGE),
    "millions of empty items that are wanted": (long(VOI_LUT, b"SQ", (ITEM + bytes(4)) * ITEMS), None),
    "millions of empty items, open-ended": (
        open_ended(VOI_LUT, b"SQ") + (ITEM + bytes(4)) * ITEMS + SEQUENCE_END,
        TOO_LARGE,
    ),
    "items nested 20,000 deep": (NESTED * 20_000 + ENDS * 20_000, None),
    "items nested 100,000 deep": (NESTED * 100_000 + ENDS * 100_000, TOO_LARGE),
    "a private value of 30 MiB": (long(PRIVATE, b"OB", bytes(BYTES)), None),
    "a private value without an end": (open_ended(PRIVATE, b"UN") + ITEM + struct.pack("<L", BYTES), "damaged header"),
    "a value without its bytes": (struct.pack("<HH2s2xL", *PRIVATE, b"OB", 2**32 - 2), "truncated header"),
}
READ_ALL = """
import json, resource, sys, time
from pathlib import Path
from mcp_cxr.errors import ImageError
from mcp_cxr.images import read_header
used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for name in sys.stdin:
    before, start, reason = used(), time.monotonic(), None
    try:
        read_header(Path(name.strip()))
    except ImageError as error:
        reason = error.reason
    print(json.dumps([reason, time.monotonic() - start, used() - before]), flush=True)
"""


def inserted(header: bytes, whole: bytes, at: bytes) -> bytes:
    """A file with further elements before the one that starts with `at`."""
    start = whole.index(at)
    return whole[:start] + header + whole[start:]


@pytest.fixture(scope="module")
def reader() -> Iterator[subprocess.Popen[str]]:
    """A process of its own, whose memory is only what headers take."""
    command = (sys.executable, "-c", READ_ALL)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdin
        process.stdin.close()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_header_that_would_take_minutes_and_gigabytes_is_read_or_refused_at_once(
    reader: subprocess.Popen[str], tmp_path: Path, name: str
) -> None:
    header, expected = HOSTILE[name]
    whole = saved(dicom_image(), tmp_path / "whole.dcm").read_bytes()
    path = tmp_path / "hostile.dcm"
    path.write_bytes(inserted(header, whole, b"\x10\x00\x10\x00PN"))
    assert reader.stdin
    assert reader.stdout
    reader.stdin.write(f"{path}\n")
    reader.stdin.flush()
    reason, seconds, grown = json.loads(reader.stdout.readline())
    assert reason == expected
    assert seconds < SECONDS
    assert grown < KIB


def test_a_header_without_vrs_has_the_same_bounds(tmp_path: Path) -> None:
    facts = dicom_image()
    facts.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    whole = saved(facts, tmp_path / "film.dcm").read_bytes()
    hostile = implicit(PRIVATE, b"") * 200_000
    (tmp_path / "film.dcm").write_bytes(inserted(hostile, whole, b"\x28\x00\x02\x00"))
    assert refused(tmp_path / "film.dcm") == TOO_LARGE


@pytest.mark.parametrize("name", ["a description of backslashes", "millions of empty items"])
def test_a_deflated_header_has_the_same_bounds(tmp_path: Path, name: str) -> None:
    facts = dicom_image()
    facts.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    whole = saved(facts, tmp_path / "film.dcm").read_bytes()
    start = 144 + int.from_bytes(whole[140:144], "little")
    inside = inserted(HOSTILE[name][0], zlib.decompress(whole[start:], -15), b"\x10\x00\x10\x00PN")
    packer = zlib.compressobj(wbits=-15)
    (tmp_path / "film.dcm").write_bytes(whole[:start] + packer.compress(inside) + packer.flush())
    assert refused(tmp_path / "film.dcm") == TOO_LARGE


def test_file_meta_elements_have_the_same_bounds(tmp_path: Path) -> None:
    whole = saved(dicom_image(), tmp_path / "film.dcm").read_bytes()
    many = struct.pack("<HH2sH", 0x0002, 0x0016, b"AE", 0) * 200_000
    (tmp_path / "film.dcm").write_bytes(inserted(many, whole, b"\x02\x00\x10\x00UI"))
    assert refused(tmp_path / "film.dcm") == TOO_LARGE


def refused(path: Path) -> str | None:
    """Read a header as ingest, `show` and `like` do, and return why it was refused."""

    async def read() -> str | None:
        async with ImageReader(workers=1) as reader:
            try:
                await reader.read_header(path)
            except ImageError as error:
                return error.reason
        return None

    start = time.monotonic()
    reason = anyio.run(read)
    assert time.monotonic() - start < SECONDS + 5  # a worker process may have to start
    return reason
