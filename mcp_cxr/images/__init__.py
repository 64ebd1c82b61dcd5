"""Reads image files: header facts, 8-bit renderings by the grayscale steps of DICOM, stored values, contact sheets."""

from mcp_cxr.images._read import (
    IMPLAUSIBLE_PIXELS,
    PREPROCESSING,
    READING,
    DecodedImage,
    read_header,
    read_identifiers,
    read_image,
    render_view,
)
from mcp_cxr.images._stored_values import TILE_PX, StoredValues, ValuesTile, overview_tile, read_values, values_tile
from mcp_cxr.images.dicom import (
    OTHER_BODY_PART,
    HeaderFacts,
    Identifiers,
    describes_other_body_part,
    parse_view_position,
    why_ineligible,
)
from mcp_cxr.images.documents import ReportDocument
from mcp_cxr.images.files import is_image_candidate, is_image_name
from mcp_cxr.images.pixels import STRAY_BITS, are_values_moved
from mcp_cxr.images.render import (
    ContactSheetTile,
    DisplayOptions,
    EncodedImage,
    ImageView,
    combine_views,
    contact_sheet,
    contact_sheet_layout,
    encode_jpeg,
    resized,
)
from mcp_cxr.images.workers import FileCache, ImageReader

__all__ = [
    "IMPLAUSIBLE_PIXELS",
    "OTHER_BODY_PART",
    "PREPROCESSING",
    "READING",
    "STRAY_BITS",
    "TILE_PX",
    "ContactSheetTile",
    "DecodedImage",
    "DisplayOptions",
    "EncodedImage",
    "FileCache",
    "HeaderFacts",
    "Identifiers",
    "ImageReader",
    "ImageView",
    "ReportDocument",
    "StoredValues",
    "ValuesTile",
    "are_values_moved",
    "combine_views",
    "contact_sheet",
    "contact_sheet_layout",
    "describes_other_body_part",
    "encode_jpeg",
    "is_image_candidate",
    "is_image_name",
    "overview_tile",
    "parse_view_position",
    "read_header",
    "read_identifiers",
    "read_image",
    "read_values",
    "render_view",
    "resized",
    "values_tile",
    "why_ineligible",
]
