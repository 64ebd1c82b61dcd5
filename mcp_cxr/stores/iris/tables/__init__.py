"""Reads, ranks and writes rows: images, studies, the words index, files, counts and the reference sample."""

from mcp_cxr.stores.iris.tables import _documents as documents
from mcp_cxr.stores.iris.tables import _files as files
from mcp_cxr.stores.iris.tables import _images as images
from mcp_cxr.stores.iris.tables import _listing as listing
from mcp_cxr.stores.iris.tables import _result_facts as result_facts
from mcp_cxr.stores.iris.tables import _studies as studies
from mcp_cxr.stores.iris.tables._listing import CachedSample
from mcp_cxr.stores.iris.tables._nearest import nearest

__all__ = [
    "CachedSample",
    "documents",
    "files",
    "images",
    "listing",
    "nearest",
    "result_facts",
    "studies",
]
