"""Reads, ranks and writes rows: images, studies, the full-text index, files, counts and the reference sample."""

from mcp_cxr.stores.iris.tables import _files as files
from mcp_cxr.stores.iris.tables import _images as images
from mcp_cxr.stores.iris.tables import _rankings_and_counts as rankings_and_counts
from mcp_cxr.stores.iris.tables import _result_facts as result_facts
from mcp_cxr.stores.iris.tables import _studies as studies
from mcp_cxr.stores.iris.tables._rankings_and_counts import CachedSample

__all__ = [
    "CachedSample",
    "files",
    "images",
    "rankings_and_counts",
    "result_facts",
    "studies",
]
