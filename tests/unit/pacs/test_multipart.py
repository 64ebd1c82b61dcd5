"""The one part of a multipart reply, however it is cut into pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_cxr.errors import PacsError
from mcp_cxr.pacs._multipart import single_part

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

CONTENT = b"DICM\r\n--almost the boundary\r\n--Bo" * 50
TYPE = 'multipart/related; type="application/dicom"; boundary="Bound"'
WHOLE = b"--Bound\r\nContent-Type: application/dicom\r\n\r\n" + CONTENT + b"\r\n--Bound--\r\n"


async def pieces(parts: Iterable[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def read(body: bytes, size: int, content_type: str = TYPE) -> bytes:
    cut = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join([piece async for piece in single_part(pieces(cut), content_type)])


@pytest.mark.parametrize("size", [1, 2, 7, 8, 9, 40, 10_000])
@pytest.mark.parametrize("before", [b"", b"\r\n", b"a preamble\r\n"])
async def test_pieces_of_any_size(size: int, before: bytes):
    assert await read(before + WHOLE, size) == CONTENT


@pytest.mark.parametrize("given", ["boundary=Bound", 'BOUNDARY="Bound"; charset=x', "boundary=Bound; a=b"])
async def test_forms_of_the_header(given: str):
    assert await read(WHOLE, 99, f"multipart/related; {given}") == CONTENT


async def test_a_file_without_parts():
    assert await read(CONTENT, 99, "application/dicom") == CONTENT


@pytest.mark.parametrize("end", [1, 20, 60, len(WHOLE) - 15, len(WHOLE) - 5])
async def test_a_reply_that_is_cut(end: int):
    with pytest.raises(PacsError):
        await read(WHOLE[:end], 16)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (WHOLE, 'multipart/related; boundary="Other"'),
        (WHOLE, "multipart/related"),
        (b"<html>Log in</html>", "text/html"),
        (b"x" * 100_000, TYPE),
        (b"--Bound\r\n" + b"X-Header: x\r\n" * 10_000, TYPE),
        (WHOLE.replace(b"--Bound--", b"--Bound\r\nContent-Type: application/dicom\r\n\r\nother\r\n--Bound--"), TYPE),
    ],
    ids=["other boundary", "no boundary", "a page", "no part", "endless headers", "two files"],
)
async def test_anything_else_is_refused(body: bytes, content_type: str):
    with pytest.raises(PacsError):
        await read(body, 1000, content_type)
