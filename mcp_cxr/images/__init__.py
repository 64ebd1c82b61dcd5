"""A file becomes header facts, an 8-bit picture by the standard's grey-scale steps, or values to be windowed."""

from mcp_cxr.images._film import PREPROCESSING, Film, read_film, read_header, view_film
from mcp_cxr.images._header import Header
from mcp_cxr.images._lightbox import Lightbox
from mcp_cxr.images._reader import Reader
from mcp_cxr.images._render import View, Viewing
from mcp_cxr.images._sheet import MAX_FILMS, Sheet, Tile, contact_sheet, sheet_layout, side_by_side
from mcp_cxr.images._sniff import is_candidate, told_by_name
from mcp_cxr.images._values import TILE_PX, FilmValues, Part, overview, read_values, tile
from mcp_cxr.images._view_position import normal_view

__all__ = [
    "MAX_FILMS",
    "PREPROCESSING",
    "TILE_PX",
    "Film",
    "FilmValues",
    "Header",
    "Lightbox",
    "Part",
    "Reader",
    "Sheet",
    "Tile",
    "View",
    "Viewing",
    "contact_sheet",
    "is_candidate",
    "normal_view",
    "overview",
    "read_film",
    "read_header",
    "read_values",
    "sheet_layout",
    "side_by_side",
    "tile",
    "told_by_name",
    "view_film",
]
