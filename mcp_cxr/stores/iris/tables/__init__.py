"""Rows read, ranked and written: images, studies, documents, files, listings."""

from mcp_cxr.stores.iris.tables import _documents as documents
from mcp_cxr.stores.iris.tables import _files as files
from mcp_cxr.stores.iris.tables import _images as images
from mcp_cxr.stores.iris.tables import _listing as listing
from mcp_cxr.stores.iris.tables import _result_facts as result_facts
from mcp_cxr.stores.iris.tables import _studies as studies
from mcp_cxr.stores.iris.tables._listing import KeptSample
from mcp_cxr.stores.iris.tables._nearest import nearest

__all__ = [
    "KeptSample",
    "documents",
    "files",
    "images",
    "listing",
    "nearest",
    "result_facts",
    "studies",
]
