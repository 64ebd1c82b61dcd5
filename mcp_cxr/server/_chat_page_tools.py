"""Tools for the page of `mcp-cxr chat`, which the archive's owner uses: no other server offers them."""

from __future__ import annotations

from dataclasses import dataclass
from os.path import realpath
from pathlib import Path
from typing import Annotated, Any

from anyio import to_thread
from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import Field

from mcp_cxr.errors import ImageError, QueryError
from mcp_cxr.pasted_text import pasted_path
from mcp_cxr.server._image_tools import image_result
from mcp_cxr.server._strict_tool import state_of, tool_result

_MAX_LISTED = 200
Name = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True)
class FilesLeftOut:
    """Files below a folder that ingests read and that are not in the archive."""

    total: int
    files: list[dict[str, str]]
    """At most 200, by path: `path` and `reason`."""


async def list_files_left_out(context: Context[Any, Any], folder: Name) -> CallToolResult:
    """List the files below a folder that are not in the archive, each with the reason."""
    archive = await state_of(context).archive()
    real = await to_thread.run_sync(_real_folder, folder)
    found = [one for one in await archive.files_left_out() if Path(one.path).is_relative_to(real)]
    listed = [
        {"path": one.path, "reason": one.reason or f"another file holds image {one.image_id}"}
        for one in found[:_MAX_LISTED]
    ]
    return tool_result(FilesLeftOut(len(found), listed))


def _real_folder(named: str) -> Path:
    return Path(realpath(Path(pasted_path(named)).expanduser()))


async def view_file(
    context: Context[Any, Any], path: Name, max_px: Annotated[int, Field(ge=64, le=2048)] = 1024
) -> CallToolResult:
    """Show a file that need not be in the archive, such as an uploaded example of a search."""
    from mcp_cxr.images import DisplayOptions  # pydicom and numpy are not loaded before the handshake

    archive = await state_of(context).archive()
    try:
        view = await archive.view_file(path, DisplayOptions(max_px=max_px))
    except ImageError as exc:
        raise QueryError(f"{exc.reason[:1].upper()}{exc.reason[1:]}.") from exc
    return image_result(view, {"view_position": view.header.view_position})
