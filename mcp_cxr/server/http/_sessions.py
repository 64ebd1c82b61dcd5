"""Ends sessions that clients left, and the longest idle ones beyond a limit.

The SDK can only refuse new sessions at a limit, and its time limit cannot be tested with a clock.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from mcp.server.streamable_http import MCP_SESSION_ID_HEADER
from starlette.datastructures import Headers

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_SESSIONS: Final = 256
IDLE_SESSION_S: Final = 300.0


@dataclass(slots=True)
class _Session:
    opened_by: Scope
    """The request that opened it, whose user and Host the request that ends it has too."""
    called_at: float
    """When the last call ended."""
    used_at: float
    """When the last request of any kind ended, streams included."""
    calls: int = 0
    requests: int = 0
    """Under way, calls included."""

    def begin(self, method: str) -> None:
        """Count a request under way."""
        self.requests += 1
        self.calls += method == "POST"

    def end(self, method: str, now: float | None) -> None:
        """Count a request no longer; `now` is None if it was refused."""
        self.requests -= 1
        self.calls -= method == "POST"
        if now is not None:
            self.used_at = now
            self.called_at = now if method == "POST" else self.called_at


class SessionLimits:
    """ASGI app between authentication and the SDK's sessions; it ends a session as its client would, by DELETE.

    Args:
        app: The SDK's.
        max_sessions: If one more is opened, the one whose last call is longest ago ends, unless a call is running.
        idle_s: After this long without a request or an open stream, `end_idle` ends a session.
        clock: Returns seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_sessions: int = MAX_SESSIONS,
        idle_s: float = IDLE_SESSION_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._max_sessions = max_sessions
        self._idle_s = idle_s
        self._clock = clock
        self._sessions: dict[str, _Session] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, and note when its session was used; a refused request is no use."""
        method = scope["method"]
        session_id = Headers(scope=scope).get(MCP_SESSION_ID_HEADER)
        session = self._sessions.get(session_id) if session_id else None
        if session:
            session.begin(method)
        accepted = False

        async def watch(message: Message) -> None:
            nonlocal session, accepted
            if message["type"] == "http.response.start" and message["status"] < HTTPStatus.BAD_REQUEST:
                accepted = True
                opened_id = Headers(raw=message["headers"]).get(MCP_SESSION_ID_HEADER)
                if session_id is None and opened_id is not None:
                    session = await self._open(opened_id, scope)
                elif session_id and method == "DELETE":
                    self._sessions.pop(session_id, None)
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            if session:
                session.end(method, self._clock() if accepted else None)

    async def end_idle(self) -> None:
        """End the sessions that their clients left."""
        latest = self._clock() - self._idle_s
        for session_id, session in list(self._sessions.items()):
            if not session.requests and session.used_at <= latest:
                await self._end(session_id, session)

    async def _open(self, session_id: str, scope: Scope) -> _Session:
        """Return the new session, whose first call is running, after ending another one if there are too many."""
        opened_by = {**scope, "headers": [(name, value) for name, value in scope["headers"] if name == b"host"]}
        session = _Session(opened_by, called_at=self._clock(), used_at=self._clock())
        session.begin(scope["method"])
        self._sessions[session_id] = session
        idle = [(name, each) for name, each in self._sessions.items() if not each.calls]
        if idle and len(self._sessions) > self._max_sessions:
            await self._end(*min(idle, key=lambda each: each[1].called_at))
        return session

    async def _end(self, session_id: str, session: _Session) -> None:
        """End a session with the credential that opened it."""
        self._sessions.pop(session_id, None)
        headers = [*session.opened_by["headers"], (MCP_SESSION_ID_HEADER.encode(), session_id.encode())]

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(_: Message) -> None:
            pass

        await self._app({**session.opened_by, "method": "DELETE", "headers": headers}, receive, send)
