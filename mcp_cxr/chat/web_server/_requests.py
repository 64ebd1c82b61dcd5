"""Reads requests, and stops work whose requester has left."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final, TypeVar

from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import IO

    from starlette.requests import Request

    from mcp_cxr.chat.backend import Backend

_MAX_BODY: Final = 256 * 1024
"""Bytes of a request; the largest call of a tool needs a tenth of it."""
_Result = TypeVar("_Result")


async def object_in(request: Request, *, max_bytes: int = _MAX_BODY) -> dict[str, Any]:
    """Return the JSON object in the body of a request.

    Raises:
        HTTPException: The body is too long, or no JSON object.
    """
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > max_bytes:
            raise HTTPException(413, f"Refused: a request of more than {max_bytes:,} bytes.")
    try:
        sent: Any = json.loads(body)
    except (ValueError, RecursionError):
        sent = None
    if not isinstance(sent, dict):
        raise HTTPException(400, "Refused: the request is no JSON object.")
    return sent  # pyright: ignore[reportUnknownVariableType]  # checked by its users


async def write_body(request: Request, file: IO[bytes], *, max_bytes: int) -> None:
    """Write the body of a request into a file.

    Raises:
        HTTPException: It is longer than `max_bytes`.
    """
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > max_bytes:
            raise HTTPException(413, f"The file is larger than {max_bytes // 2**20} MB. Add its folder instead.")
        await asyncio.to_thread(file.write, part)


async def result_unless_left(request: Request, backend: Backend, work: Coroutine[Any, Any, _Result]) -> _Result | None:
    """Return what `work` returns; None, and `work` is cancelled, if the requester leaves before.

    Args:
        request: Its body must have been read.
        backend: Its loop does the work.
        work: Raises what this function raises.
    """
    working = asyncio.wrap_future(backend.loop.start(work))
    left = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait((working, left), return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        working.cancel()  # nobody waits for it any longer
        left.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
