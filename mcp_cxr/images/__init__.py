"""Reads image files: header facts, 8-bit renderings by the grayscale steps of DICOM, stored values, contact sheets.

Decoders are loaded with the first name that needs them, so that a search, and the handshake of `serve`, wait for none.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from mcp_cxr.images._reading_versions import PREPROCESSING, READING
from mcp_cxr.images.workers import FileCache, ImageReader

if TYPE_CHECKING:
    from mcp_cxr.images._read import (
        IMPLAUSIBLE_PIXELS,
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
    from mcp_cxr.images.dicom_reports import ReportDocument
    from mcp_cxr.images.files import is_image_candidate, is_image_name
    from mcp_cxr.images.pixels import STRAY_BITS, are_values_moved
    from mcp_cxr.images.render import (
        ContactSheetTile,
        DisplayOptions,
        EncodedImage,
        ImageView,
        as_jpeg,
        combine_views,
        contact_sheet,
        contact_sheet_layout,
        encode_jpeg,
        mirrored,
        rendering_of_pixels,
        resized,
    )

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
    "as_jpeg",
    "combine_views",
    "contact_sheet",
    "contact_sheet_layout",
    "describes_other_body_part",
    "encode_jpeg",
    "is_image_candidate",
    "is_image_name",
    "mirrored",
    "overview_tile",
    "parse_view_position",
    "read_header",
    "read_identifiers",
    "read_image",
    "read_values",
    "render_view",
    "rendering_of_pixels",
    "resized",
    "values_tile",
    "why_ineligible",
]

_WITH_DECODERS = ("_read", "_stored_values", "dicom", "dicom_reports", "files", "pixels", "render")


def __getattr__(name: str) -> object:
    """Import a name of this package on first use."""
    if name in __all__:
        for module in map(import_module, (f"{__name__}.{each}" for each in _WITH_DECODERS)):
            if hasattr(module, name):
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
