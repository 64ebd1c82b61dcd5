"""Draws several images on one contact sheet, for people and models."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mcp_cxr.images.render._encode import encode_view
from mcp_cxr.images.render._image_view import EncodedImage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mcp_cxr.images.render._image_view import ImageView

_MAX_ACROSS: Final = 3
"""Images up to this number form one row; four form a square."""
_THUMBNAIL_PX: Final = 280
_GAP: Final = 20
_LINE: Final = 21
_TEXT_SIZE: Final = 15
_BACKGROUND: Final = (17, 18, 20)
_FRAME: Final = (44, 46, 51)
_TITLE: Final = (236, 238, 242)
_TEXT: Final = (158, 164, 174)
_NUMBER: Final = (255, 209, 102)
_BLANK: Final = np.zeros((1, 1), np.uint8)


@dataclass(frozen=True, slots=True)
class ContactSheetTile:
    """One image of a contact sheet."""

    pixels: NDArray[np.uint8]
    """Shape (rows, columns), any size; scaled to fit, proportions kept."""
    caption: Sequence[str] = ()
    """Lines below it, the first one brighter; cut to the tile's width."""


def contact_sheet(tiles: Sequence[ContactSheetTile], *, columns: int) -> bytes:
    """Return a PNG with the tiles in rows of `columns`, numbered from 1 in their order.

    Raises:
        ValueError: No tiles, or no columns.
    """
    buffer = io.BytesIO()
    _draw_sheet(tiles, columns=columns, side=_THUMBNAIL_PX, first=1).save(buffer, "PNG")
    return buffer.getvalue()


def combine_views(views: Sequence[ImageView | str], *, first: int, max_px: int) -> EncodedImage:
    """Return the views on one contact sheet: up to three in one row, four in a square, more in a grid.

    Args:
        views: A view for each image, or the reason why there is none.
        first: Number of the first image.
        max_px: Longer side of the sheet at most.

    Raises:
        ValueError: No views.
    """
    columns, side = contact_sheet_layout(len(views), max_px=max_px)
    tiles = [ContactSheetTile(_BLANK, (view,)) if isinstance(view, str) else _tile(view) for view in views]
    return EncodedImage(*encode_view(_draw_sheet(tiles, columns=columns, side=side, first=first)))


def contact_sheet_layout(images: int, *, max_px: int) -> tuple[int, int]:
    """Return the images in a row of a contact sheet, and the pixels a side of each."""
    columns = images if images <= _MAX_ACROSS else math.ceil(math.sqrt(images))
    rows = -(-images // max(1, columns))
    across = (max_px - _GAP) // max(1, columns) - _GAP
    down = (max_px - _GAP) // max(1, rows) - _height_below(1)
    return columns, max(16, min(across, down))


def _tile(view: ImageView) -> ContactSheetTile:
    with Image.open(io.BytesIO(view.data), formats=("PNG", "JPEG")) as image:
        return ContactSheetTile(np.asarray(image.convert("L")), (view.header.view_position,))


def _height_below(lines: int) -> int:
    """Return the pixels below an image: its caption and the gap."""
    return lines * _LINE + _GAP + _LINE // 2


def _draw_sheet(tiles: Sequence[ContactSheetTile], *, columns: int, side: int, first: int) -> Image.Image:
    if not tiles or columns < 1:
        raise ValueError("A contact sheet needs at least one tile and one column.")
    lines = max(1, *(len(tile.caption) for tile in tiles))
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    width, height = side + _GAP, side + _height_below(lines)
    sheet = Image.new("RGB", (columns * width + _GAP, rows * height + _GAP), _BACKGROUND)
    for number, tile in enumerate(tiles):
        down, across = divmod(number, columns)
        _draw(sheet, tile, number + first, left=_GAP + across * width, top=_GAP + down * height, side=side)
    return sheet


def _draw(sheet: Image.Image, tile: ContactSheetTile, number: int, *, left: int, top: int, side: int) -> None:
    pen = ImageDraw.Draw(sheet)
    pen.rectangle((left - 1, top - 1, left + side, top + side), fill=(0, 0, 0), outline=_FRAME)
    image = Image.fromarray(tile.pixels)
    ratio = side / max(image.size)
    size = (max(1, round(image.width * ratio)), max(1, round(image.height * ratio)))
    image = image.resize(size, Image.Resampling.LANCZOS)
    sheet.paste(image, (left + (side - image.width) // 2, top + (side - image.height) // 2))
    font = ImageFont.load_default(_TEXT_SIZE)
    words = f"{number}  "
    indent = pen.textlength(words, font=font)
    below = top + side + _LINE // 3
    pen.text((left, below), words, font=font, fill=_NUMBER)  # not on the image, whose side marker may be there
    for line, words in enumerate(tile.caption):
        room = side - (0 if line else indent)
        point = (left + side - room, below + line * _LINE)
        pen.text(point, _fit_text(words, font, pen, room=room), font=font, fill=_TEXT if line else _TITLE)


def _fit_text(
    words: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, pen: ImageDraw.ImageDraw, *, room: float
) -> str:
    """Return `words`, shortened with `...` to a width of `room` pixels."""
    if pen.textlength(words, font=font) <= room:
        return words
    while words and pen.textlength(f"{words}...", font=font) > room:
        words = words[:-1]
    return f"{words.rstrip()}..."
