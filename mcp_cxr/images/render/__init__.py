"""Stored values as pictures: grayscale, downscaled, resampled; views and contact sheets."""

from mcp_cxr.images.render._contact_sheet import MAX_IMAGES, Sheet, Tile, contact_sheet, sheet_layout, side_by_side
from mcp_cxr.images.render._downscale import Block, in_blocks
from mcp_cxr.images.render._gray_image import cut_out, developed, surveyed
from mcp_cxr.images.render._grayscale import grayscale, looked_up
from mcp_cxr.images.render._view import View, Viewing, to_picture, to_view

__all__ = [
    "MAX_IMAGES",
    "Block",
    "Sheet",
    "Tile",
    "View",
    "Viewing",
    "contact_sheet",
    "cut_out",
    "developed",
    "grayscale",
    "in_blocks",
    "looked_up",
    "sheet_layout",
    "side_by_side",
    "surveyed",
    "to_picture",
    "to_view",
]
