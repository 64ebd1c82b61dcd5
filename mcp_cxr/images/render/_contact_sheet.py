"""Many films on one page, for people and models."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mcp_cxr.images.render._view import to_sendable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mcp_cxr.images.render._view import ImageView

MAX_CONTACT_SHEET_IMAGES: Final = 100
"""On one sheet: the longest page of results."""
_MAX_ACROSS: Final = 3
"""Films that stand in one row before a second one begins; four make a square."""
_SIDE: Final = 280
_GAP: Final = 20
_LINE: Final = 21
_TEXT_SIZE: Final = 15
_BACKGROUND: Final = (17, 18, 20)
_FRAME: Final = (44, 46, 51)
_TITLE: Final = (236, 238, 242)
_TEXT: Final = (158, 164, 174)
_NUMBER: Final = (255, 209, 102)
_NOTHING: Final = np.zeros((1, 1), np.uint8)


@dataclass(frozen=True, slots=True)
class ContactSheetTile:
    """One film of a contact sheet."""

    pixels: NDArray[np.uint8]
    """Shape (rows, columns), any size; shown whole, in its proportions."""
    caption: Sequence[str] = ()
    """Lines below it, the first one brighter; cut to the tile's width."""


@dataclass(frozen=True, slots=True)
class ContactSheet:
    """Several films in one picture, numbered, each beside the next."""

    data: bytes
    """At most `MAX_VIEW_BYTES`."""
    mime_type: str
    width: int
    height: int


def contact_sheet(tiles: Sequence[ContactSheetTile], *, columns: int) -> bytes:
    """Return a PNG with the tiles in rows of `columns`, numbered from 1 in their order.

    Raises:
        ValueError: No tiles, or no columns.
    """
    buffer = io.BytesIO()
    _drawn(tiles, columns=columns, side=_SIDE, first=1).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def combine_views(shown: Sequence[ImageView | str], *, first: int, max_px: int) -> ContactSheet:
    """Return the films on one sheet: up to three in a row, four in a square, more on a contact sheet.

    Args:
        shown: A view for each film, or why there is none.
        first: Number of the first one.
        max_px: Longer side of the sheet at most.

    Raises:
        ValueError: No films.
    """
    columns, side = contact_sheet_layout(len(shown), max_px=max_px)
    tiles = [ContactSheetTile(_NOTHING, (one,)) if isinstance(one, str) else _tile(one) for one in shown]
    return ContactSheet(*to_sendable(_drawn(tiles, columns=columns, side=side, first=first)))


def contact_sheet_layout(films: int, *, max_px: int) -> tuple[int, int]:
    """Return how many films stand in a row of a sheet, and how many pixels each has a side."""
    columns = films if films <= _MAX_ACROSS else math.ceil(math.sqrt(films))
    rows = -(-films // max(1, columns))
    across = (max_px - _GAP) // max(1, columns) - _GAP
    down = (max_px - _GAP) // max(1, rows) - _below(1)
    return columns, max(16, min(across, down))


def _tile(view: ImageView) -> ContactSheetTile:
    with Image.open(io.BytesIO(view.data), formats=("PNG", "JPEG")) as image:
        return ContactSheetTile(np.asarray(image.convert("L")), (view.header.view_position,))


def _below(lines: int) -> int:
    """Pixels below a film: its caption, and the way to the next one."""
    return lines * _LINE + _GAP + _LINE // 2


def _drawn(tiles: Sequence[ContactSheetTile], *, columns: int, side: int, first: int) -> Image.Image:
    if not tiles or columns < 1:
        raise ValueError("A contact sheet needs at least one tile and one column.")
    lines = max(1, *(len(tile.caption) for tile in tiles))
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    width, height = side + _GAP, side + _below(lines)
    sheet = Image.new("RGB", (columns * width + _GAP, rows * height + _GAP), _BACKGROUND)
    for number, tile in enumerate(tiles):
        down, across = divmod(number, columns)
        _draw(sheet, tile, number + first, left=_GAP + across * width, top=_GAP + down * height, side=side)
    return sheet


def _draw(sheet: Image.Image, tile: ContactSheetTile, number: int, *, left: int, top: int, side: int) -> None:
    pen = ImageDraw.Draw(sheet)
    pen.rectangle((left - 1, top - 1, left + side, top + side), fill=(0, 0, 0), outline=_FRAME)
    film = Image.fromarray(tile.pixels)
    scale = side / max(film.size)
    size = (max(1, round(film.width * scale)), max(1, round(film.height * scale)))
    film = film.resize(size, Image.Resampling.LANCZOS)
    sheet.paste(film, (left + (side - film.width) // 2, top + (side - film.height) // 2))
    font = ImageFont.load_default(_TEXT_SIZE)
    words = f"{number}  "
    indent = pen.textlength(words, font=font)
    below = top + side + _LINE // 3
    pen.text((left, below), words, font=font, fill=_NUMBER)  # not on the film: its side marker may stand there
    for line, words in enumerate(tile.caption):
        room = side - (0 if line else indent)
        place = (left + side - room, below + line * _LINE)
        pen.text(place, _fitting(words, font, pen, room=room), font=font, fill=_TEXT if line else _TITLE)


def _fitting(
    words: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, pen: ImageDraw.ImageDraw, *, room: float
) -> str:
    """Cut a line to the room there is."""
    if pen.textlength(words, font=font) <= room:
        return words
    while words and pen.textlength(f"{words}...", font=font) > room:
        words = words[:-1]
    return f"{words.rstrip()}..."
