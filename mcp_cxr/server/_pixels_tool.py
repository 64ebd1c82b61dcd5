"""get_image_pixels: what the viewer page draws; no host's model is offered it."""

from __future__ import annotations

import base64
import zlib
from typing import TYPE_CHECKING, Annotated, Any

from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import Field

from mcp_cxr.errors import ImageError, QueryError
from mcp_cxr.server._image_tools import ImageIdArgument
from mcp_cxr.server._share import require_images
from mcp_cxr.server._tool import json_text, session_of

if TYPE_CHECKING:
    from mcp_cxr.images import StoredValues, ValuesTile

_OVERVIEW_PX = 768
_THUMBNAIL_PX = 384
"""A film of which no more than this is asked for is not kept."""
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing")
"""(0028,0030), in the patient where the maker says so; else (0018,1164), at the detector."""


async def get_image_pixels(
    context: Context[Any, Any],
    image_id: ImageIdArgument,
    max_px: Annotated[
        int, Field(description="Longer side of the whole film, where no tile is given.", ge=32, le=_OVERVIEW_PX)
    ] = _OVERVIEW_PX,
    tile: Annotated[
        list[int] | None, Field(description="Column and row of a tile of 512 px.", min_length=2, max_length=2)
    ] = None,
    factor: Annotated[
        int, Field(description="Film pixels a side for one value of a tile: 1, 2, 4, ...", ge=1, le=128)
    ] = 1,
) -> CallToolResult:
    """For the viewer page only; to look at a film use view_image. The film's 12 to 16 bit values, packed: uint16,
    little-endian, each less the one to its left, as zlib stream in base64.
    """
    session = session_of(context)
    require_images(session.share)
    archive = await session.archive()
    if factor & (factor - 1):
        raise QueryError("factor must be 1, 2, 4, 8, ...")
    place = (tile[0], tile[1]) if tile else None
    keep = bool(tile) or max_px > _THUMBNAIL_PX
    try:
        film, part = await archive.stored_values(image_id, max_px=max_px, place=place, factor=factor, keep=keep)
    except ValueError as exc:
        raise QueryError(str(exc)) from exc
    except ImageError as exc:
        raise QueryError(f"This film cannot be shown ({exc.reason}).") from exc
    facts = {"image_id": image_id} | ({} if tile else _meaning(film)) | _placed(part)
    return CallToolResult(content=[json_text(facts)])


def _meaning(film: StoredValues) -> dict[str, Any]:
    """Return what turns values into greys, and pixels into millimetres."""
    from mcp_cxr.images import TILE_PX

    source, spacing = _spacing(film)
    return {
        "rows": film.header.rows,
        "columns": film.header.columns,
        "tile_px": TILE_PX,
        "low": film.low,
        **_measured(film),
        "greys": _base64(zlib.compress(film.greys.tobytes())),
        "grayscale": film.grayscale,
        "presets": [
            {"name": one.name, "center": one.window.center, "width": one.window.width, "function": one.window.function}
            for one in film.presets
        ],
        "inverse": film.inverse,
        "padding": film.padding,
        "spacing_mm": spacing,
        "spacing_source": source,
    }


def _measured(film: StoredValues) -> dict[str, Any]:
    if isinstance(film.measured, tuple):
        slope, intercept = film.measured
        return {"slope": slope, "intercept": intercept, "lut": None}
    return {"slope": 1, "intercept": 0, "lut": _base64(zlib.compress(film.measured.astype("<u2").tobytes()))}


def _spacing(film: StoredValues) -> tuple[str, list[float]] | tuple[None, None]:
    """Return where the distance of two rows and of two columns stands, and both in mm."""
    for name in _SPACINGS:
        found: list[float] = film.header.tags.get(name, [])
        if len(found) == 2 and min(found) > 0:  # noqa: PLR2004 - rows and columns
            return name, found
    return None, None


def _placed(part: ValuesTile) -> dict[str, Any]:
    return {
        "factor": part.factor,
        "left": part.left,
        "top": part.top,
        "width": part.width,
        "height": part.height,
        "data": _base64(part.data),
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
