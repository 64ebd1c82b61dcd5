"""The bytes of a file: what kind it is, opened within bounds, and library errors as this package's own."""

from mcp_cxr.images.source._bytes import DEFLATE, GZIP, inflated, opened
from mcp_cxr.images.source._library_errors import FAULTS, NeedsDecoding, typed_faults
from mcp_cxr.images.source._sniff import START, Kind, is_candidate, is_gzip, kind_of, told_by_name

__all__ = [
    "DEFLATE",
    "FAULTS",
    "GZIP",
    "START",
    "Kind",
    "NeedsDecoding",
    "inflated",
    "is_candidate",
    "is_gzip",
    "kind_of",
    "opened",
    "told_by_name",
    "typed_faults",
]
