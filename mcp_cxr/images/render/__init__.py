"""Renders stored values: grayscale, downscaling, resampling, views and contact sheets."""

from mcp_cxr.images.render._contact_sheet import (
    MAX_CONTACT_SHEET_IMAGES,
    ContactSheetTile,
    combine_views,
    contact_sheet,
    contact_sheet_layout,
)
from mcp_cxr.images.render._downscale import Block, split_into_blocks
from mcp_cxr.images.render._gray_image import Decode, render_gray, render_region, scan_values
from mcp_cxr.images.render._grayscale import apply_lut, grayscale
from mcp_cxr.images.render._view import EncodedImage, ImageView, ViewOptions, to_rendering, to_view

__all__ = [
    "MAX_CONTACT_SHEET_IMAGES",
    "Block",
    "ContactSheetTile",
    "Decode",
    "EncodedImage",
    "ImageView",
    "ViewOptions",
    "apply_lut",
    "combine_views",
    "contact_sheet",
    "contact_sheet_layout",
    "grayscale",
    "render_gray",
    "render_region",
    "scan_values",
    "split_into_blocks",
    "to_rendering",
    "to_view",
]
