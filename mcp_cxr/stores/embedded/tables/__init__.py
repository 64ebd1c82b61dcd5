"""Reads and writes rows: images, studies, files, counts and lists."""

from mcp_cxr.stores.embedded.tables import _counts_and_lists as counts_and_lists
from mcp_cxr.stores.embedded.tables import _files as files
from mcp_cxr.stores.embedded.tables import _images as images

__all__ = [
    "counts_and_lists",
    "files",
    "images",
]
