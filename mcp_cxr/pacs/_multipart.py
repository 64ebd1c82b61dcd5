"""Reads the one part of a multipart/related reply as it arrives, RFC 2046 5.1 and PS3.18 8.6.1.2."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mcp_cxr.errors import PacsError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_MAX_HEADERS: Final = 16_384
"""Bytes before the content of the part, its headers included."""
_BOUNDARY: Final = re.compile(r'boundary\s*=\s*(?:"([^"\r\n]{1,70})"|([^\s;,"]{1,70}))', re.IGNORECASE)
_NOT_A_FILE: Final = "The PACS sends something other than the DICOM file that was asked for; check its log."
_CUT: Final = "The PACS ended a file before its last part."


async def single_part(chunks: AsyncIterator[bytes], content_type: str) -> AsyncIterator[bytes]:
    """Yield the content of the only part of a reply, in pieces; memory does not grow with it.

    A reply that is a DICOM file by itself, as some servers send it, is passed on as it is.

    Raises:
        PacsError: The reply is neither, holds several files, or ends before the last boundary.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/dicom":
        async for chunk in chunks:
            yield chunk
        return
    found = _BOUNDARY.search(content_type)
    if kind != "multipart/related" or found is None:
        raise PacsError(_NOT_A_FILE)
    delimiter = b"\r\n--" + (found[1] or found[2]).encode("ascii", "replace")
    rest = await _after_headers(chunks, delimiter)
    async for piece in _content(chunks, rest, delimiter):
        yield piece


async def _after_headers(chunks: AsyncIterator[bytes], delimiter: bytes) -> bytearray:
    """Return what was received behind the headers of the first part."""
    received = bytearray(b"\r\n")  # so that a boundary at the very start is found like any other
    while True:
        start = received.find(delimiter)
        end = received.find(b"\r\n\r\n", start) if start >= 0 else -1
        if end >= 0:
            del received[: end + 4]
            return received
        if len(received) > _MAX_HEADERS:
            raise PacsError(_NOT_A_FILE)
        chunk = await anext(chunks, None)
        if chunk is None:
            raise PacsError(_CUT if start >= 0 else _NOT_A_FILE)
        received += chunk


async def _content(chunks: AsyncIterator[bytes], received: bytearray, delimiter: bytes) -> AsyncIterator[bytes]:
    """Yield the content up to the boundary behind it, which must be the last one."""
    while (end := received.find(delimiter)) < 0:
        if (passed := len(received) - len(delimiter)) > 0:
            yield bytes(received[:passed])
            del received[:passed]
        chunk = await anext(chunks, None)
        if chunk is None:
            raise PacsError(_CUT)
        received += chunk
    yield bytes(received[:end])
    del received[: end + len(delimiter)]
    while len(received) < 2:  # noqa: PLR2004  # the two signs that tell the last boundary from others
        chunk = await anext(chunks, None)
        if chunk is None:
            raise PacsError(_CUT)
        received += chunk
    if not received.startswith(b"--"):
        raise PacsError("The PACS sends several files where one was asked for.")
