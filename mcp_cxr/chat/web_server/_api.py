"""The API of our own pages: tool calls for the user, queries of viewers, and the routes of `_page_routes`.

Every request carries the secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcp import MCPError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mcp_cxr.chat.backend import current_backend
from mcp_cxr.chat.web_server._page_routes import PAGE_ROUTES
from mcp_cxr.chat.web_server._requests import object_in, result_unless_left
from mcp_cxr.errors import CxrError

if TYPE_CHECKING:
    from starlette.requests import Request

    from mcp_cxr.chat.backend import Backend, ViewerQuery

_READ_ONLY_TOOLS = frozenset(
    {
        *("search_medical_images", "get_image_metadata", "get_patient_timeline", "get_image_pixels", "view_image"),
        *("get_archive_overview", "get_data_check", "search_by_finding_score"),
    }
)
"""The tools that the page and the viewer may call: none that writes."""


def api() -> Starlette:
    """Return the application, which leaves the check of the secret to its caller."""
    return Starlette(
        routes=[
            Route("/session", _check_session),
            Route("/tool", _call_tool, methods=["POST"]),
            Route("/view/{view_id}", _show_view),
            Route("/view/{view_id}/context", _take_context, methods=["POST"]),
            *PAGE_ROUTES,
        ]
    )


async def _check_session(_request: Request) -> Response:
    return Response(status_code=204)


async def _call_tool(request: Request) -> Response:
    """Call a tool for the page or the viewer; an error becomes a result."""
    sent = await object_in(request)
    name: Any = sent.get("name")
    if not isinstance(name, str) or name not in _READ_ONLY_TOOLS or not isinstance(sent.get("arguments"), dict):
        raise HTTPException(400, "Refused: the viewer has no such tool.")
    backend = current_backend()
    answer = await result_unless_left(request, backend, _tool_result(backend, name, sent["arguments"]))
    return Response(status_code=499) if answer is None else JSONResponse(answer)


async def _tool_result(backend: Backend, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    try:
        result = await backend.user_server.call(tool, backend.uploads.with_paths(arguments))
    except (CxrError, MCPError) as exc:
        return {"isError": True, "content": [{"type": "text", "text": str(exc)}]}
    answer = result.model_dump(mode="json", by_alias=True, exclude_none=True)
    for block in answer["content"] if result.is_error else ():
        block["text"] = backend.uploads.with_names(block.get("text", ""))
    return answer


async def _show_view(request: Request) -> Response:
    return JSONResponse({"query": _view_of(request).query})


async def _take_context(request: Request) -> Response:
    """Take one line about what the user is viewing."""
    view, sent = _view_of(request), await object_in(request)
    if view.on_context and isinstance(text := sent.get("text"), str):
        view.on_context(text)
    return JSONResponse({})


def _view_of(request: Request) -> ViewerQuery:
    view = current_backend().viewer_queries.find(request.path_params["view_id"])
    if view is None:
        raise HTTPException(404, "This view is gone; search again.")
    return view
