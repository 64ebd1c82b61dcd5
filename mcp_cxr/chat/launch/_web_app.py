"""The web application: our page, and Streamlit's in a frame of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from streamlit.starlette import App

from mcp_cxr.chat.launch._guard import FRAME, SameOriginOnly, SecretRequired

if TYPE_CHECKING:
    from starlette.requests import Request

    from mcp_cxr.chat.launch._sessions import Sessions

_CHAT = Path(__file__).parents[1]
_WEB = _CHAT / "web"
_MAX_CODE: Final = 200  # bytes
_USED = "This link was already used; each opens the page once. Open the file that `mcp-cxr chat` named."


def web_app(sessions: Sessions) -> Starlette:
    """Return the application.

    Without a secret it answers with its own scripts and styles alone, which hold no data.
    """
    pages = App(_CHAT / "_streamlit_script.py")

    async def open_session(request: Request) -> Response:
        """Exchange a one-time code for the secret of a session."""
        secret = sessions.exchange(await _code_of(request))
        return PlainTextResponse(_USED, 403) if secret is None else JSONResponse({"secret": secret})

    async def first_page(_request: Request) -> Response:
        return FileResponse(_WEB / "index.html")

    async def check_session(_request: Request) -> Response:
        return Response(status_code=204)

    guarded = Starlette(routes=[Route("/session", check_session)])
    return Starlette(
        routes=[
            Route("/", first_page),
            Mount("/web", StaticFiles(directory=_WEB)),
            Route("/session", open_session, methods=["POST"]),
            Mount("/api", SecretRequired(guarded, sessions)),
            Mount(f"{FRAME}/{{secret}}", SecretRequired(pages, sessions)),
        ],
        middleware=[Middleware(SameOriginOnly)],
        lifespan=pages.lifespan(),
    )


async def _code_of(request: Request) -> str:
    """Return the code in the body of a request, or "" if it holds none."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MAX_CODE:
            return ""
    try:
        code: Any = json.loads(body)["code"]
    except (ValueError, TypeError, LookupError):
        return ""
    return code if isinstance(code, str) else ""
