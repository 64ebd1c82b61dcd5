"""Pixel data as stored values: codecs, frames, rasters."""

from mcp_cxr.images.pixels._decode import check_decodable, open_raster
from mcp_cxr.images.pixels._png_jpeg import open_plain, plain_header, plain_values
from mcp_cxr.images.pixels._raster import ArrayRaster, FileRaster, Raster, Survey

__all__ = [
    "ArrayRaster",
    "FileRaster",
    "Raster",
    "Survey",
    "check_decodable",
    "open_plain",
    "open_raster",
    "plain_header",
    "plain_values",
]
