"""Opens files within bounds, detects their kind, and translates library errors."""

from mcp_cxr.images.files._library_errors import (
    LIBRARY_ERRORS,
    NeedsDecoding,
    silence_libraries,
    translate_library_errors,
    translate_system_errors,
)
from mcp_cxr.images.files._untrusted_files import (
    DEFLATE,
    GZIP,
    SNIFFED_BYTES,
    FileKind,
    file_kind,
    inflate,
    is_gzip,
    is_image_candidate,
    is_image_name,
    open_bounded,
)

__all__ = [
    "DEFLATE",
    "GZIP",
    "LIBRARY_ERRORS",
    "SNIFFED_BYTES",
    "FileKind",
    "NeedsDecoding",
    "file_kind",
    "inflate",
    "is_gzip",
    "is_image_candidate",
    "is_image_name",
    "open_bounded",
    "silence_libraries",
    "translate_library_errors",
    "translate_system_errors",
]
