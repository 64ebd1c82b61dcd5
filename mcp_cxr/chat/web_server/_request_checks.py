"""Decides which requests are answered: from this machine's own page, with the secret of a session.

Cookies are not used: a browser sends those of 127.0.0.1 to every port, so that servers of other users could read and
replace them. The page sends the secret in a header instead, and Streamlit's frame has it in its path, because neither
a frame nor its WebSocket can send headers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocketClose

from mcp_cxr.loopback import is_loopback

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from mcp_cxr.chat.web_server._session_secrets import SessionSecrets

SECRET_HEADER: Final = "X-Session-Secret"  # noqa: S105 - its name
FRAME: Final = "/frame"
"""Path below which Streamlit is served: `/frame/SECRET/...`."""
_INLINE_SCRIPT = "'sha256-THxz9J9+wf7rhwR2YkXJoSZ13UCmYyC+3lNDv2+8ugA='"  # Streamlit's; it sets a variable
_POLICY_OF_FRAME = (
    f"default-src 'none'; script-src 'self' {_INLINE_SCRIPT}; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; frame-src 'self'; media-src 'self' blob:; "
    "base-uri 'self'; form-action 'none'; frame-ancestors 'self'"
)
"""Streamlit writes styles into its elements; its only inline script works as well without."""
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_HEADERS = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_ELSEWHERE = "Refused: this page can only be opened on this machine, at the address that `mcp-cxr chat` printed."
_NO_SECRET = "Refused: open the link that `mcp-cxr chat` printed, or the file that it named."  # noqa: S105 - a message - a message


class SameOriginOnly:
    """Refuses requests that name another host, or come from a page of another origin; adds security headers.

    A page elsewhere whose name was pointed at 127.0.0.1 still sends its own name as `Host`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or refuse a request."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        policy = _POLICY_OF_FRAME if scope["path"].startswith(f"{FRAME}/") else _POLICY

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update({**_HEADERS, "Content-Security-Policy": policy})
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        if _is_same_origin(Headers(scope=scope)):
            return await self._app(scope, receive, with_headers)
        return await _refuse(_ELSEWHERE, scope, receive, with_headers)


class SecretRequired:
    """Refuses requests without the secret of a session: in the header, or in the path parameter `secret`."""

    def __init__(self, app: ASGIApp, sessions: SessionSecrets) -> None:
        self._app = app
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or refuse a request."""
        parameters: dict[str, Any] = scope.get("path_params", {})
        secret = parameters.get("secret") or Headers(scope=scope).get(SECRET_HEADER, "")
        if self._sessions.has(secret):
            return await self._app(scope, receive, send)
        return await _refuse(_NO_SECRET, scope, receive, send)


def _is_same_origin(headers: Headers) -> bool:
    host, origin = headers.get("Host", ""), headers.get("Origin")
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return is_loopback(name) and origin in (None, f"http://{host}")


async def _refuse(reason: str, scope: Scope, receive: Receive, send: Send) -> None:
    refusal = PlainTextResponse(reason, 403) if scope["type"] == "http" else WebSocketClose(1008)
    await refusal(scope, receive, send)
