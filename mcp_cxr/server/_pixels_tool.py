"""The tool get_image_pixels: stored values for the viewer page; hosts do not offer it to a model."""

from __future__ import annotations

import base64
import zlib
from typing import TYPE_CHECKING, Annotated, Any

from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import Field

from mcp_cxr.errors import ImageError, QueryError
from mcp_cxr.server._image_tools import ImageIdArgument
from mcp_cxr.server._share import require_images_shared
from mcp_cxr.server._tool import compact_json, session_of

if TYPE_CHECKING:
    from mcp_cxr.images import StoredValues, ValuesTile

_OVERVIEW_PX = 768
_THUMBNAIL_PX = 384
"""Values of an image requested at this size or smaller are not cached."""
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing")
"""(0028,0030), in the patient if the manufacturer calibrated it; else (0018,1164), at the detector."""


async def get_image_pixels(
    context: Context[Any, Any],
    image_id: ImageIdArgument,
    max_px: Annotated[
        int, Field(description="Longer side of the whole image; ignored with tile.", ge=32, le=_OVERVIEW_PX)
    ] = _OVERVIEW_PX,
    tile: Annotated[
        list[int] | None, Field(description="Column and row of a tile of 512 x 512 values.", min_length=2, max_length=2)
    ] = None,
    factor: Annotated[
        int, Field(description="Image pixels per value of a tile, along each side: 1, 2, 4, ...", ge=1, le=128)
    ] = 1,
) -> CallToolResult:
    """For the viewer page only; to look at an image use view_image. The image's stored 12 to 16 bit values: uint16,
    little-endian, each as difference to the one on its left, zlib-compressed, in base64.
    """
    session = session_of(context)
    require_images_shared(session.share)
    archive = await session.archive()
    if factor & (factor - 1):
        raise QueryError("factor must be 1, 2, 4, 8, ...")
    place = (tile[0], tile[1]) if tile else None
    keep = bool(tile) or max_px > _THUMBNAIL_PX
    try:
        values, part = await archive.stored_values(image_id, max_px=max_px, place=place, factor=factor, keep=keep)
    except ValueError as exc:
        raise QueryError(str(exc)) from exc
    except ImageError as exc:
        raise QueryError(f"This image cannot be shown ({exc.reason}).") from exc
    facts = {"image_id": image_id} | ({} if tile else _image_facts(values)) | _tile_facts(part)
    return CallToolResult(content=[compact_json(facts)])


def _image_facts(values: StoredValues) -> dict[str, Any]:
    """Return the size, the grayscale parameters and the pixel spacing."""
    from mcp_cxr.images import TILE_PX

    source, spacing = _spacing(values)
    return {
        "rows": values.header.rows,
        "columns": values.header.columns,
        "tile_px": TILE_PX,
        "low": values.low,
        **_rescale_facts(values),
        "grays": _base64(zlib.compress(values.default_grays.tobytes())),
        "grayscale": values.grayscale,
        "presets": [
            {"name": one.name, "center": one.window.center, "width": one.window.width, "function": one.window.function}
            for one in values.presets
        ],
        "inverse": values.inverse,
        "padding": values.padding,
        "spacing_mm": spacing,
        "spacing_source": source,
    }


def _rescale_facts(values: StoredValues) -> dict[str, Any]:
    if isinstance(values.modality_transform, tuple):
        slope, intercept = values.modality_transform
        return {"slope": slope, "intercept": intercept, "lut": None}
    entries = values.modality_transform.astype("<u2").tobytes()
    return {"slope": 1, "intercept": 0, "lut": _base64(zlib.compress(entries))}


def _spacing(values: StoredValues) -> tuple[str, list[float]] | tuple[None, None]:
    """Return the attribute that gives the pixel spacing, and the distances of rows and of columns in mm."""
    for name in _SPACINGS:
        found: list[float] = values.header.tags.get(name, [])
        if len(found) == 2 and min(found) > 0:  # noqa: PLR2004 - rows and columns
            return name, found
    return None, None


def _tile_facts(tile: ValuesTile) -> dict[str, Any]:
    return {
        "factor": tile.factor,
        "left": tile.left,
        "top": tile.top,
        "width": tile.width,
        "height": tile.height,
        "data": _base64(tile.data),
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
