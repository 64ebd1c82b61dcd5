"""Reads and writes rows: images, studies, files, counts and lists."""

from mcp_cxr.stores.embedded.tables import _counts as counts
from mcp_cxr.stores.embedded.tables import _files as files
from mcp_cxr.stores.embedded.tables import _images as images
from mcp_cxr.stores.embedded.tables import _listing as listing
from mcp_cxr.stores.embedded.tables import _studies as studies

__all__ = [
    "counts",
    "files",
    "images",
    "listing",
    "studies",
]
