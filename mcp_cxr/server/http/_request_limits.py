"""Limits concurrent calls and the time of a request's body, and closes idle connections.

The size of a body is limited by the SDK (`max_request_body_size`), declared or chunked.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio.lowlevel import checkpoint
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_CALLS: Final = 64
"""Concurrent POST requests, including requests that wait for the archive."""
BODY_TIMEOUT_S: Final = 10.0
IDLE_TIMEOUT_S: Final = 15.0  # longer than clients keep an idle connection for reuse; httpx: 5 s


class RequestLimits:
    """ASGI middleware in front of the server.

    Args:
        app: Called for requests within the limits.
        max_calls: Further POST requests are answered with 503.
        body_timeout_s: After it, a request without its whole body is answered with 408.
        idle_timeout_s: After it, `close_idle` closes a connection without a request.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_calls: int = MAX_CALLS,
        body_timeout_s: float = BODY_TIMEOUT_S,
        idle_timeout_s: float = IDLE_TIMEOUT_S,
    ) -> None:
        self._app = app
        self._free = anyio.Semaphore(max_calls)
        self._body_timeout_s = body_timeout_s
        self._idle_timeout_s = idle_timeout_s
        self._streams: set[anyio.CancelScope] = set()
        self._idle_since: dict[Any, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request. Only POST is counted: the streams that clients keep open cost next to nothing."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        client = scope.get("client")
        self._idle_since[client] = math.inf
        try:
            await (self._call if scope["method"] == "POST" else self._stream)(scope, receive, send)
        finally:
            self._idle_since[client] = anyio.current_time()

    def end_streams(self) -> None:
        """End the streams that clients keep open for notifications; calls go on."""
        for stream in self._streams:
            stream.cancel()

    def close_idle(self, connections: Iterable[Any]) -> None:
        """Close the connections that have sent no complete request head for `idle_timeout_s` since their last response.

        uvicorn itself limits only silence after a response.

        Args:
            connections: All open ones, as uvicorn's protocols: each has its address as `client`, and `shutdown()`.
        """
        now = anyio.current_time()
        self._idle_since = {
            connection.client: self._idle_since.get(connection.client, now) for connection in connections
        }
        for connection in connections:
            if now - self._idle_since[connection.client] >= self._idle_timeout_s:
                connection.shutdown()

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
        if not self._free.value:
            await _refusal(503, "Too many concurrent calls; try again.", {"Retry-After": "1"})(scope, receive, send)
            return

        async def receive_body() -> Message:
            message = await receive()
            if message["type"] == "http.disconnect" and timeout.deadline < math.inf:
                timeout.cancel()  # the SDK's session would wait for the rest
                await checkpoint()
            if not message.get("more_body", False):
                timeout.deadline = math.inf
            return message

        async def send_response(message: Message) -> None:
            timeout.deadline = math.inf
            await send(message)

        async with self._free:
            with anyio.move_on_after(self._body_timeout_s) as timeout:
                await self._app(scope, receive_body, send_response)
            if timeout.deadline < math.inf and timeout.cancelled_caught:
                await _refusal(408, "The request's body did not arrive in time.")(scope, receive, send)


def _refusal(status: int, text: str, headers: dict[str, str] | None = None) -> ASGIApp:
    """Return a response after which the connection is closed: the rest of the request is not read."""
    return PlainTextResponse(f"{text}\n", status, {"Connection": "close", **(headers or {})})
