"""Many films on one page, for people."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

_SIDE: Final = 280
_GAP: Final = 20
_LINE: Final = 21
_TEXT_SIZE: Final = 15
_BACKGROUND: Final = (17, 18, 20)
_FRAME: Final = (44, 46, 51)
_TITLE: Final = (236, 238, 242)
_TEXT: Final = (158, 164, 174)
_NUMBER: Final = (255, 209, 102)


@dataclass(frozen=True, slots=True)
class Tile:
    """One film of a contact sheet."""

    pixels: NDArray[np.uint8]
    """Shape (rows, columns), any size; shown whole, in its proportions."""
    caption: Sequence[str] = ()
    """Lines below it, the first one brighter; cut to the tile's width."""


def contact_sheet(tiles: Sequence[Tile], *, columns: int) -> bytes:
    """Return a PNG with the tiles in rows of `columns`, numbered from 1 in their order.

    Raises:
        ValueError: No tiles, or no columns.
    """
    if not tiles or columns < 1:
        raise ValueError("A contact sheet needs at least one tile and one column.")
    lines = max(1, *(len(tile.caption) for tile in tiles))
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    width, height = _SIDE + _GAP, _SIDE + lines * _LINE + _GAP + _LINE // 2
    sheet = Image.new("RGB", (columns * width + _GAP, rows * height + _GAP), _BACKGROUND)
    for number, tile in enumerate(tiles):
        down, across = divmod(number, columns)
        _draw(sheet, tile, number + 1, left=_GAP + across * width, top=_GAP + down * height)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _draw(sheet: Image.Image, tile: Tile, number: int, *, left: int, top: int) -> None:
    pen = ImageDraw.Draw(sheet)
    pen.rectangle((left - 1, top - 1, left + _SIDE, top + _SIDE), fill=(0, 0, 0), outline=_FRAME)
    film = Image.fromarray(tile.pixels)
    scale = _SIDE / max(film.size)
    size = (max(1, round(film.width * scale)), max(1, round(film.height * scale)))
    film = film.resize(size, Image.Resampling.LANCZOS)
    sheet.paste(film, (left + (_SIDE - film.width) // 2, top + (_SIDE - film.height) // 2))
    font = ImageFont.load_default(_TEXT_SIZE)
    words = f"{number}  "
    indent = pen.textlength(words, font=font)
    below = top + _SIDE + _LINE // 3
    pen.text((left, below), words, font=font, fill=_NUMBER)  # not on the film: its side marker may stand there
    for line, words in enumerate(tile.caption):
        room = _SIDE - (0 if line else indent)
        place = (left + _SIDE - room, below + line * _LINE)
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
