"""Routes of the page alone: renderings, uploads, exports, ingest, pull, the check of the data, saved queries."""

from __future__ import annotations

import asyncio
import re
import tempfile
from functools import wraps
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from mcp import MCPError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from mcp_cxr.chat.backend import (
    Selection,
    broad_folder_warning,
    current_backend,
    folder_of,
    save_query,
    saved_queries,
    to_csv,
    write_zip,
)
from mcp_cxr.chat.web_server._requests import object_in, result_unless_left, write_body
from mcp_cxr.errors import CxrError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from starlette.requests import Request

    from mcp_cxr.chat.backend import Backend

_MAX_UPLOAD: Final = 100 * 2**20
_CHECK_PX = 64
_MAX_NAME = 200  # characters of a saved query's name, and of a file's
_SIZES = range(64, 2049)
_CHUNK = 2**20
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _with_error_as_text(answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Let a handler answer with the text of an error that it raises, for the user to read."""

    @wraps(answer)
    async def answered(request: Request) -> Response:
        try:
            return await answer(request)
        except (CxrError, MCPError) as exc:
            return PlainTextResponse(current_backend().uploads.with_names(str(exc)), 422)

    return answered


async def _describe_page(_request: Request) -> Response:
    """Tell what the page needs to know, and whether a server has ended."""
    backend = current_backend()
    folder = next(iter([*backend.folders, *backend.settings.roots]), None)
    has_ended = backend.user_server.has_ended or backend.model_server.has_ended
    return JSONResponse(
        {
            "is_private": backend.is_private,
            "folder": str(folder.absolute()) if folder else "",
            "has_pacs": backend.settings.pacs_url is not None,
            "has_ended": has_ended,
        }
    )


@_with_error_as_text
async def _restart(_request: Request) -> Response:
    backend = current_backend()
    await asyncio.wrap_future(backend.loop.start(backend.restart_ended_servers()))
    return JSONResponse({})


@_with_error_as_text
async def _show_rendering(request: Request) -> Response:
    """Answer with a rendering of an image or an upload."""
    image, size = request.query_params.get("image", ""), request.query_params.get("px", "")
    if not image or not size.isdecimal() or int(size) not in _SIZES:
        raise HTTPException(400, "Refused: name an image and its size in pixels, 64 to 2048.")
    backend = current_backend()
    shown = await result_unless_left(request, backend, backend.rendering(image, int(size)))
    return Response(shown[0], media_type=shown[1]) if shown else Response(status_code=499)


@_with_error_as_text
async def _take_upload(request: Request) -> Response:
    """Keep an image as an example, if it can be shown; answer with its id."""
    backend = current_backend()
    name = unquote(request.headers.get("X-File-Name", ""))[-_MAX_NAME:] or "image"
    upload_id = backend.uploads.new_id(name)
    try:
        with backend.uploads.path(upload_id).open("wb") as file:
            await write_body(request, file, max_bytes=_MAX_UPLOAD)
        await asyncio.wrap_future(backend.loop.start(backend.rendering(upload_id, _CHECK_PX)))
    except BaseException:
        backend.uploads.remove(upload_id)
        raise
    return JSONResponse({"id": upload_id, "name": name})


async def _name_upload(request: Request) -> Response:
    """Tell the name of an upload; it is gone if the process that took it has ended."""
    name = current_backend().uploads.names.get(request.path_params["upload_id"])
    return JSONResponse({"name": name}) if name else PlainTextResponse("This upload is gone; add the file again.", 404)


@_with_error_as_text
async def _export(request: Request) -> Response:
    """Answer with the results of a search, or those selected, as CSV or ZIP."""
    sent = await object_in(request, max_bytes=2**20)
    arguments, ranks, kind = sent.get("arguments"), sent.get("ranks"), sent.get("kind")
    if not isinstance(arguments, dict) or not (ranks is None or _is_ranks(ranks)) or kind not in _KINDS:
        raise HTTPException(400, "Refused: this export cannot be made.")
    backend = current_backend()
    selection = Selection(arguments, ranks)  # pyright: ignore[reportUnknownArgumentType]
    file = tempfile.TemporaryFile(dir=backend.uploads.folder)  # noqa: SIM115 - closed when it was sent
    try:
        if not await result_unless_left(request, backend, _write_export(file, backend, selection, kind)):
            file.close()
            return Response(status_code=499)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return StreamingResponse(_parts(file), media_type="text/csv" if kind == "csv" else "application/zip")


_KINDS = ("csv", "zip", "originals")


def _is_ranks(ranks: object) -> bool:
    if not isinstance(ranks, dict):
        return False
    return all(isinstance(rank, int) and rank > 0 for rank in ranks.values())  # pyright: ignore[reportUnknownVariableType]


async def _write_export(file: IO[bytes], backend: Backend, selection: Selection, kind: str) -> bool:
    hits, origin = await selection.read(backend)
    if kind == "csv":
        file.write(to_csv(hits, origin))
    else:
        await write_zip(file, backend, hits, origin, originals=kind == "originals")
    return True


def _parts(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while part := file.read(_CHUNK):
            yield part


async def _show_ingest(_request: Request) -> Response:
    backend = current_backend()
    state = backend.loop.start(backend.ingest_job.state(backend))
    return JSONResponse(await asyncio.wrap_future(state))


@_with_error_as_text
async def _start_ingest(request: Request) -> Response:
    """Start to add a folder; a broad one is asked about first."""
    sent = await object_in(request)
    named = sent.get("folder")
    if not isinstance(named, str) or not named.strip():
        raise HTTPException(400, "Name a folder on this machine.")
    backend = current_backend()
    try:
        folder = await asyncio.to_thread(folder_of, named)
    except ValueError as exc:
        raise HTTPException(400, f"{named} is no folder on this machine. Give its absolute path.") from exc
    warning = await asyncio.to_thread(broad_folder_warning, folder, data_dir=backend.settings.data_dir)
    if warning and sent.get("takes_broad") is not True:
        return JSONResponse({"warning": warning}, 409)
    backend.ingest_job.start(backend, named, dry_run=sent.get("dry_run") is True)
    return JSONResponse({})


async def _stop_ingest(_request: Request) -> Response:
    current_backend().ingest_job.stop()
    return JSONResponse({})


async def _show_pull(_request: Request) -> Response:
    return JSONResponse(current_backend().pull_job.state())


@_with_error_as_text
async def _start_pull(request: Request) -> Response:
    """Start to pull the studies of some days, or to count them."""
    sent = await object_in(request)
    days = [sent.get("since") or None, sent.get("until") or None]
    if not all(one is None or (isinstance(one, str) and _DAY.fullmatch(one)) for one in days):
        raise HTTPException(400, "Give days such as 2026-11-01.")
    current_backend().start_pull(since=days[0], until=days[1], dry_run=sent.get("dry_run") is True)
    return JSONResponse({})


async def _stop_pull(_request: Request) -> Response:
    current_backend().pull_job.stop()
    return JSONResponse({})


async def _show_data_check_job(_request: Request) -> Response:
    return JSONResponse(current_backend().data_check_job.state())


@_with_error_as_text
async def _start_data_check(_request: Request) -> Response:
    current_backend().start_data_check()
    return JSONResponse({})


async def _stop_data_check(_request: Request) -> Response:
    current_backend().data_check_job.stop()
    return JSONResponse({})


@_with_error_as_text
async def _decide_about_data(request: Request) -> Response:
    """Keep a decision about an entry of the check of the data."""
    sent = await object_in(request)
    backend = current_backend()
    arguments = {"key": sent.get("key"), "decision": sent.get("decision")}
    return JSONResponse(await asyncio.wrap_future(backend.loop.start(backend.call("decide_about_data", arguments))))


@_with_error_as_text
async def _export_data_check(_request: Request) -> Response:
    """Answer with the decisions and entries of the last check of the data as CSV."""
    backend = current_backend()
    with tempfile.TemporaryDirectory(dir=backend.uploads.folder) as folder:
        path = Path(folder) / "check-data.csv"
        await asyncio.wrap_future(backend.loop.start(backend.write_data_check(path)))
        return Response(await asyncio.to_thread(path.read_bytes), media_type="text/csv")


async def _list_queries(_request: Request) -> Response:
    return JSONResponse(await asyncio.to_thread(saved_queries, current_backend().settings.data_dir))


async def _save_query(request: Request) -> Response:
    """Save a query under a name, or delete the one of this name."""
    sent = await object_in(request)
    name, query = sent.get("name"), sent.get("query")
    if not isinstance(name, str) or not name.strip() or len(name) > _MAX_NAME or not isinstance(query, dict | None):
        raise HTTPException(400, f"Give a name of at most {_MAX_NAME} characters.")
    backend = current_backend()
    like: Any = (query or {}).get("like")  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    if isinstance(like, list) and any(backend.uploads.has(str(one)) for one in like):  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        raise HTTPException(422, "A search by your own image cannot be saved: the image is deleted at the end.")
    await asyncio.to_thread(save_query, backend.settings.data_dir, name.strip(), query)  # pyright: ignore[reportUnknownArgumentType]
    return JSONResponse({})


PAGE_ROUTES = [
    Route("/page", _describe_page),
    Route("/restart", _restart, methods=["POST"]),
    Route("/rendering", _show_rendering),
    Route("/uploads", _take_upload, methods=["POST"]),
    Route("/uploads/{upload_id}", _name_upload),
    Route("/export", _export, methods=["POST"]),
    Route("/ingest", _show_ingest),
    Route("/ingest", _start_ingest, methods=["POST"]),
    Route("/ingest/stop", _stop_ingest, methods=["POST"]),
    Route("/pull", _show_pull),
    Route("/pull", _start_pull, methods=["POST"]),
    Route("/pull/stop", _stop_pull, methods=["POST"]),
    Route("/data-check", _show_data_check_job),
    Route("/data-check", _start_data_check, methods=["POST"]),
    Route("/data-check/stop", _stop_data_check, methods=["POST"]),
    Route("/data-check/decision", _decide_about_data, methods=["POST"]),
    Route("/data-check/table", _export_data_check),
    Route("/queries", _list_queries),
    Route("/queries", _save_query, methods=["POST"]),
]
