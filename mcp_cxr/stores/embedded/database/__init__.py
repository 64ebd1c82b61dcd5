"""One SQLite file: connections, transactions, errors, schema, and filters as SQL."""

from mcp_cxr.stores.embedded.database import _collection as collection
from mcp_cxr.stores.embedded.database._changes import Changes, KeptAnswers
from mcp_cxr.stores.embedded.database._collection import fingerprint_of
from mcp_cxr.stores.embedded.database._connections import Connections
from mcp_cxr.stores.embedded.database._filter import HOLDS_TERMS, OURS, any_of, compose
from mcp_cxr.stores.embedded.database._lock import CAN_LOCK, LockBusy, locked
from mcp_cxr.stores.embedded.database._network_file_system import network_file_system
from mcp_cxr.stores.embedded.database._paths import from_cell, to_cell

__all__ = [
    "CAN_LOCK",
    "HOLDS_TERMS",
    "OURS",
    "Changes",
    "Connections",
    "KeptAnswers",
    "LockBusy",
    "any_of",
    "collection",
    "compose",
    "fingerprint_of",
    "from_cell",
    "locked",
    "network_file_system",
    "to_cell",
]
