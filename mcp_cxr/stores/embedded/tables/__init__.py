"""Reads and writes rows: images, studies, files, counts and lists."""

from mcp_cxr.stores.embedded.tables import _files as files
from mcp_cxr.stores.embedded.tables import _images as images
from mcp_cxr.stores.embedded.tables import _queries as queries

__all__ = [
    "files",
    "images",
    "queries",
]
