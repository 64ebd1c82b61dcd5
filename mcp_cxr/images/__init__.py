"""Reads image files: header facts, 8-bit renderings by the grayscale steps of DICOM, stored values, contact sheets."""

from mcp_cxr.images._read import IMPLAUSIBLE_PIXELS, PREPROCESSING, DecodedImage, read_header, read_image, render_view
from mcp_cxr.images._stored_values import TILE_PX, StoredValues, ValuesTile, overview_tile, read_values, values_tile
from mcp_cxr.images.dicom import HeaderFacts, parse_view_position
from mcp_cxr.images.files import is_image_candidate, is_image_name
from mcp_cxr.images.render import (
    MAX_CONTACT_SHEET_IMAGES,
    ContactSheetTile,
    DisplayOptions,
    EncodedImage,
    ImageView,
    combine_views,
    contact_sheet,
    contact_sheet_layout,
)
from mcp_cxr.images.workers import ImageReader, StoredValuesCache

__all__ = [
    "IMPLAUSIBLE_PIXELS",
    "MAX_CONTACT_SHEET_IMAGES",
    "PREPROCESSING",
    "TILE_PX",
    "ContactSheetTile",
    "DecodedImage",
    "DisplayOptions",
    "EncodedImage",
    "HeaderFacts",
    "ImageReader",
    "ImageView",
    "StoredValues",
    "StoredValuesCache",
    "ValuesTile",
    "combine_views",
    "contact_sheet",
    "contact_sheet_layout",
    "is_image_candidate",
    "is_image_name",
    "overview_tile",
    "parse_view_position",
    "read_header",
    "read_image",
    "read_values",
    "render_view",
    "values_tile",
]
