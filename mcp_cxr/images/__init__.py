"""A file becomes header facts, an 8-bit picture by the standard's grey-scale steps, or values to be windowed."""

from mcp_cxr.images._read import PREPROCESSING, Film, read_film, read_header, view_film
from mcp_cxr.images._stored_values import TILE_PX, FilmValues, Part, overview, read_values, tile
from mcp_cxr.images.dicom import Header, normal_view
from mcp_cxr.images.render import MAX_FILMS, Sheet, Tile, View, Viewing, contact_sheet, sheet_layout, side_by_side
from mcp_cxr.images.source import is_candidate, told_by_name
from mcp_cxr.images.workers import Lightbox, Reader

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
