"""Stored values as pictures: grayscale, downscaled, resampled; views and contact sheets."""

from mcp_cxr.images.render._contact_sheet import (
    MAX_CONTACT_SHEET_IMAGES,
    ContactSheet,
    ContactSheetTile,
    combine_views,
    contact_sheet,
    contact_sheet_layout,
)
from mcp_cxr.images.render._downscale import Block, in_blocks
from mcp_cxr.images.render._gray_image import cut_out, developed, surveyed
from mcp_cxr.images.render._grayscale import grayscale, looked_up
from mcp_cxr.images.render._view import ImageView, ViewOptions, to_picture, to_view

__all__ = [
    "MAX_CONTACT_SHEET_IMAGES",
    "Block",
    "ContactSheet",
    "ContactSheetTile",
    "ImageView",
    "ViewOptions",
    "combine_views",
    "contact_sheet",
    "contact_sheet_layout",
    "cut_out",
    "developed",
    "grayscale",
    "in_blocks",
    "looked_up",
    "surveyed",
    "to_picture",
    "to_view",
]
