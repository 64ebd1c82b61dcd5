"""Vectors: an int8 copy beside the database, and exact search by way of it."""

from mcp_cxr.stores.embedded.vectors._blobs import from_blob, stack, to_blob
from mcp_cxr.stores.embedded.vectors._int8_copy import LAG, Cache, Stale, Wiping
from mcp_cxr.stores.embedded.vectors._int8_file import Copy
from mcp_cxr.stores.embedded.vectors._nearest import nearest

__all__ = [
    "LAG",
    "Cache",
    "Copy",
    "Stale",
    "Wiping",
    "from_blob",
    "nearest",
    "stack",
    "to_blob",
]
