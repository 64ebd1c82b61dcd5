"""Exact search by vector: an int8 copy of the vectors beside the database selects which images to compare."""

from mcp_cxr.stores.embedded.vectors._int8_copy import MAX_LAG_SLOTS, CopyWiper, Int8Copy, StaleCopy
from mcp_cxr.stores.embedded.vectors._int8_file import Int8Snapshot
from mcp_cxr.stores.embedded.vectors._nearest import nearest

__all__ = ["MAX_LAG_SLOTS", "CopyWiper", "Int8Copy", "Int8Snapshot", "StaleCopy", "nearest"]
