"""Reads, ranks and writes rows: images, studies, the full-text index, files, counts and the reference sample."""

from mcp_cxr.stores.iris.tables import _files as files
from mcp_cxr.stores.iris.tables import _images as images
from mcp_cxr.stores.iris.tables import _rankings_and_counts as rankings_and_counts
from mcp_cxr.stores.iris.tables import _studies as studies
from mcp_cxr.stores.iris.tables._rankings_and_counts import CachedSample
from mcp_cxr.stores.iris.tables._result_facts import FactsReader

__all__ = [
    "CachedSample",
    "FactsReader",
    "files",
    "images",
    "rankings_and_counts",
    "studies",
]
