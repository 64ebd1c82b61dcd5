"""Pixel data as stored values: codecs, frames, rasters."""

from mcp_cxr.images.pixels._decode import check_decodable, open_raster
from mcp_cxr.images.pixels._png_jpeg import open_png_jpeg, png_jpeg_header, png_jpeg_values
from mcp_cxr.images.pixels._raster import (
    STRAY_BITS,
    ArrayRaster,
    FileRaster,
    Mask,
    Raster,
    StoredArray,
    ValueRange,
    are_values_moved,
)

__all__ = [
    "STRAY_BITS",
    "ArrayRaster",
    "FileRaster",
    "Mask",
    "Raster",
    "StoredArray",
    "ValueRange",
    "are_values_moved",
    "check_decodable",
    "open_png_jpeg",
    "open_raster",
    "png_jpeg_header",
    "png_jpeg_values",
]
