"""A file becomes header facts and an 8-bit picture by the standard's grey-scale steps."""

from mcp_cxr.images._film import PREPROCESSING, Film, read_film, read_header, view_film
from mcp_cxr.images._header import Header
from mcp_cxr.images._reader import Reader
from mcp_cxr.images._render import View, Viewing
from mcp_cxr.images._sheet import Tile, contact_sheet
from mcp_cxr.images._sniff import is_candidate, told_by_name
from mcp_cxr.images._view_position import normal_view

__all__ = [
    "PREPROCESSING",
    "Film",
    "Header",
    "Reader",
    "Tile",
    "View",
    "Viewing",
    "contact_sheet",
    "is_candidate",
    "normal_view",
    "read_film",
    "read_header",
    "told_by_name",
    "view_film",
]
