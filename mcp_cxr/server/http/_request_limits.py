"""What one client, or many, may cost: so many calls at once, a body so large, and sent in so long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_CALLS: Final = 64
"""Requests under way at once, those that wait for the archive included."""
MAX_BODY: Final = 256 * 1024
"""Bytes of one request; the largest call of a tool needs a tenth of it."""
BODY_WITHIN_S: Final = 10.0


class _TooLarge(Exception):
    pass


class RequestLimits:
    """Refuses what would be too much, before anything else looks at it.

    Args:
        app: What is asked then; it is given the whole body at once.
        max_calls: Further ones are told to come again.
        body_within_s: A body that takes longer is not waited for.
    """

    def __init__(self, app: ASGIApp, *, max_calls: int = MAX_CALLS, body_within_s: float = BODY_WITHIN_S) -> None:
        self._app = app
        self._max_calls = max_calls
        self._body_within_s = body_within_s
        self._under_way = 0
        self._streams: set[anyio.CancelScope] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Only calls are counted: the streams that clients keep open cost next to nothing."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["method"] == "POST":
            await self._call(scope, receive, send)
        else:
            await self._stream(scope, receive, send)

    def end_streams(self) -> None:
        """End what clients keep open to be told of news; calls go on."""
        for stream in self._streams:
            stream.cancel()

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        with anyio.CancelScope() as stream:
            self._streams.add(stream)
            try:
                await self._app(scope, receive, send)
            finally:
                self._streams.discard(stream)
        if stream.cancelled_caught:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._under_way >= self._max_calls:
            await _refused(503, "Too many calls at once; try again.", {"Retry-After": "1"})(scope, receive, send)
            return
        self._under_way += 1
        try:
            await self._serve(scope, receive, send)
        finally:
            self._under_way -= 1

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with anyio.fail_after(self._body_within_s):
                body = await _whole(receive)
        except _TooLarge:
            await _refused(413, f"A request may have {MAX_BODY} bytes.")(scope, receive, send)
        except TimeoutError:
            await _refused(408, "The request did not come in time.")(scope, receive, send)
        else:
            if body is not None:
                await self._app(scope, _first(body, receive), send)


async def _whole(receive: Receive) -> bytes | None:
    """Return the body; None where the client has gone."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            raise _TooLarge
        if not message.get("more_body", False):
            return bytes(body)


def _first(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body, then goes on."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


def _refused(status: int, text: str, headers: dict[str, str] | None = None) -> ASGIApp:
    """Return an answer after which the connection is closed: what is left of the request is not read."""
    return PlainTextResponse(f"{text}\n", status, {"Connection": "close", **(headers or {})})
