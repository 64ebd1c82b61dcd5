"""Tools for the page of `mcp-cxr chat`, which the archive's owner uses: no other server offers them."""

from __future__ import annotations

from collections.abc import Sequence
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
from mcp_cxr.records import ImageId, SearchArguments
from mcp_cxr.server._image_tools import image_result
from mcp_cxr.server._search_tool import search_page, search_signature
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


async def search_by_finding_score(
    context: Context[Any, Any],
    scores: Annotated[list[Name], Field(min_length=1, max_length=20)],
    **arguments: Any,  # noqa: ANN401 - one for each field of SearchArguments
) -> CallToolResult:
    """Search among the images whose finding scores meet conditions such as `Pneumothorax>0.8`."""
    from mcp_cxr.research.probes import score_notes  # numpy is not loaded before the handshake

    state = state_of(context)
    scored = await (await state.archive()).images_with_scores(*scores)
    page = await search_page(state, SearchArguments(**arguments), value_of=scored.value_of)
    labels = [probe.label for probe in scored.probes]
    images = [
        hit.model_copy(update={"why": [*_stated(labels, scored.scores[ImageId(hit.image_id)]), *hit.why]})
        for hit in page.images
    ]
    warnings = [*page.warnings, *score_notes(scored.probes, scored.stale)]
    return tool_result(page.model_copy(update={"images": images, "warnings": warnings}))


def _stated(labels: Sequence[str], values: Sequence[float]) -> list[str]:
    return [f"score of {label} {value:.3f}" for label, value in zip(labels, values, strict=True)]


search_by_finding_score.__signature__ = search_signature(search_by_finding_score)


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
