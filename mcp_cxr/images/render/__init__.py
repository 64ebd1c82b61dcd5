"""Renders stored values: grayscale, downscaling, resampling, views and contact sheets."""

from mcp_cxr.images.render._contact_sheet import (
    ContactSheetTile,
    combine_views,
    contact_sheet,
    contact_sheet_layout,
)
from mcp_cxr.images.render._downscale import Block, split_into_blocks
from mcp_cxr.images.render._encode import (
    as_jpeg,
    encode_jpeg,
    mirrored,
    rendering_of_pixels,
    resized,
    to_rendering,
    to_view,
)
from mcp_cxr.images.render._grayscale_table import apply_lut, grayscale_table
from mcp_cxr.images.render._image_view import DisplayOptions, EncodedImage, ImageView
from mcp_cxr.images.render._plausibility import is_plausible
from mcp_cxr.images.render._render_gray import Decode, render_gray, render_region, scan_values

__all__ = [
    "Block",
    "ContactSheetTile",
    "Decode",
    "DisplayOptions",
    "EncodedImage",
    "ImageView",
    "apply_lut",
    "as_jpeg",
    "combine_views",
    "contact_sheet",
    "contact_sheet_layout",
    "encode_jpeg",
    "grayscale_table",
    "is_plausible",
    "mirrored",
    "render_gray",
    "render_region",
    "rendering_of_pixels",
    "resized",
    "scan_values",
    "split_into_blocks",
    "to_rendering",
    "to_view",
]
