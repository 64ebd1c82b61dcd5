"""A file becomes header facts, an 8-bit picture by the standard's grey-scale steps, or values to be windowed."""

from mcp_cxr.images._read import PREPROCESSING, DecodedImage, read_header, read_image, view_image_file
from mcp_cxr.images._stored_values import TILE_PX, StoredValues, ValuesTile, overview, read_values, tile
from mcp_cxr.images.dicom import HeaderFacts, normal_view
from mcp_cxr.images.render import MAX_IMAGES, Sheet, Tile, View, Viewing, contact_sheet, sheet_layout, side_by_side
from mcp_cxr.images.source import is_candidate, told_by_name
from mcp_cxr.images.workers import Reader, StoredValuesCache

__all__ = [
    "MAX_IMAGES",
    "PREPROCESSING",
    "TILE_PX",
    "DecodedImage",
    "HeaderFacts",
    "Reader",
    "Sheet",
    "StoredValues",
    "StoredValuesCache",
    "Tile",
    "ValuesTile",
    "View",
    "Viewing",
    "contact_sheet",
    "is_candidate",
    "normal_view",
    "overview",
    "read_header",
    "read_image",
    "read_values",
    "sheet_layout",
    "side_by_side",
    "tile",
    "told_by_name",
    "view_image_file",
]
