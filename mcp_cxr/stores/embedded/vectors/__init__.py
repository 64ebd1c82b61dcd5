"""Exact search by vector: an int8 copy of the vectors beside the database selects which images to compare."""

from mcp_cxr.stores.embedded.vectors._int8_copy import (
    LEAST_APPENDED,
    MAX_LAG_SLOTS,
    MOST_APPENDED,
    CopyWiper,
    Int8Copy,
)
from mcp_cxr.stores.embedded.vectors._int8_file import Int8Snapshot
from mcp_cxr.stores.embedded.vectors._nearest import nearest
from mcp_cxr.stores.embedded.vectors._uncovered_images import excluded_slots, uncovered_images

__all__ = [
    "LEAST_APPENDED",
    "MAX_LAG_SLOTS",
    "MOST_APPENDED",
    "CopyWiper",
    "Int8Copy",
    "Int8Snapshot",
    "excluded_slots",
    "nearest",
    "uncovered_images",
]
