"""The web application: our page, Streamlit's in a frame of it, and the viewer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from streamlit.starlette import App

from mcp_cxr.chat.web_server._api import api
from mcp_cxr.chat.web_server._request_checks import FRAME, SameOriginOnly, SecretRequired
from mcp_cxr.chat.web_server._requests import object_in
from mcp_cxr.records import LABELS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from mcp_cxr.chat.web_server._session_secrets import SessionSecrets

_CHAT = Path(__file__).parents[1]
_WEB = _CHAT / "web"
_VIEWER = _CHAT.parent / "server" / "viewer"  # its ES modules; a chat host gets them in one file
_MAX_CODE: Final = 200  # bytes
_USED = "This link was already used; each opens the page once. Open the file that `mcp-cxr chat` named."


def web_app(sessions: SessionSecrets) -> Starlette:
    """Return the application.

    Without a secret it answers with its own scripts and styles alone, which hold no data.
    """
    pages = App(_CHAT / "pages" / "_streamlit_script.py")

    async def open_session(request: Request) -> Response:
        """Exchange a one-time code for the secret of a session."""
        code = (await object_in(request, max_bytes=_MAX_CODE)).get("code")
        secret = sessions.exchange(code) if isinstance(code, str) else None
        return PlainTextResponse(_USED, 403) if secret is None else JSONResponse({"secret": secret})

    return Starlette(
        routes=[
            Route("/", _page("index.html")),
            Mount("/web", StaticFiles(directory=_WEB)),
            Route("/viewer/", _page("viewer.html")),
            Route("/viewer/labels.js", _labels),
            Mount("/viewer", StaticFiles(directory=_VIEWER)),
            Route("/session", open_session, methods=["POST"]),
            Mount("/api", SecretRequired(api(), sessions)),
            Mount(f"{FRAME}/{{secret}}", SecretRequired(pages, sessions)),
        ],
        middleware=[Middleware(SameOriginOnly)],
        lifespan=pages.lifespan(),
    )


def _page(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def page(_request: Request) -> Response:
        return FileResponse(_WEB / name)

    return page


async def _labels(_request: Request) -> Response:
    """Return the module of labels, which the server writes into the viewer's one file."""
    return Response(f"export const LABELS = {json.dumps(LABELS)};\n", media_type="text/javascript")
