"""The bytes of a file: what kind it is, opened within bounds, and library errors as this package's own."""

from mcp_cxr.images.source._bytes import DEFLATE, GZIP, inflated, opened
from mcp_cxr.images.source._library_errors import FAULTS, NeedsDecoding, typed_faults
from mcp_cxr.images.source._sniff import START, Kind, is_gzip, is_image_candidate, is_image_name, kind_of

__all__ = [
    "DEFLATE",
    "FAULTS",
    "GZIP",
    "START",
    "Kind",
    "NeedsDecoding",
    "inflated",
    "is_gzip",
    "is_image_candidate",
    "is_image_name",
    "kind_of",
    "opened",
    "typed_faults",
]
