"""The API of our own pages: calls of tools for the user, and what viewers show. Every request carries the secret."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from mcp import MCPError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mcp_cxr.chat.session import current_backend
from mcp_cxr.errors import CxrError

if TYPE_CHECKING:
    from starlette.requests import Request

    from mcp_cxr.chat.session import Backend, View

_READ_ONLY_TOOLS = frozenset(
    {"search_medical_images", "get_image_metadata", "get_patient_timeline", "get_image_pixels", "view_image"}
)
"""The tools that the viewer may call: none that writes."""
_MAX_BODY: Final = 256 * 1024
"""Bytes of a request; the largest call of a tool needs a tenth of it."""


def api() -> Starlette:
    """Return the application, which leaves the check of the secret to its caller."""
    return Starlette(
        routes=[
            Route("/session", _check_session),
            Route("/tool", _call_tool, methods=["POST"]),
            Route("/view/{view_id}", _show_view),
            Route("/view/{view_id}/context", _take_context, methods=["POST"]),
        ]
    )


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


async def _check_session(_request: Request) -> Response:
    return Response(status_code=204)


async def _call_tool(request: Request) -> Response:
    """Call a tool for the viewer; an error becomes a result."""
    sent = await object_in(request)
    name: Any = sent.get("name")
    if not isinstance(name, str) or name not in _READ_ONLY_TOOLS or not isinstance(sent.get("arguments"), dict):
        raise HTTPException(400, "Refused: the viewer has no such tool.")
    backend = current_backend()
    calling = asyncio.wrap_future(backend.loop.start(_called(backend, name, sent["arguments"])))
    gone = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait((calling, gone), return_when=asyncio.FIRST_COMPLETED)
        return JSONResponse(calling.result()) if calling.done() else Response(status_code=499)
    finally:
        calling.cancel()  # nobody waits for it any longer
        gone.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _called(backend: Backend, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    try:
        result = await backend.user_server.call(tool, arguments)
    except (CxrError, MCPError) as exc:
        return {"isError": True, "content": [{"type": "text", "text": str(exc)}]}
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)


async def _show_view(request: Request) -> Response:
    view = _view_of(request)
    return JSONResponse({"query": view.query, "page": view.page, "opens": view.opens, "names": view.names})


async def _take_context(request: Request) -> Response:
    """Take one line about what the user is viewing."""
    view, sent = _view_of(request), await object_in(request)
    if view.on_context and isinstance(text := sent.get("text"), str):
        view.on_context(text)
    return JSONResponse({})


def _view_of(request: Request) -> View:
    view = current_backend().views.find(request.path_params["view_id"])
    if view is None:
        raise HTTPException(404, "This view is gone; search again.")
    return view
