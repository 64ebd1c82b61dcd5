"""The collection's own entries, and its tables made and dropped."""

from mcp_cxr.stores.iris.collection._collection import Entries, Made, collection, drop, make, read, renew

__all__ = ["Entries", "Made", "collection", "drop", "make", "read", "renew"]
