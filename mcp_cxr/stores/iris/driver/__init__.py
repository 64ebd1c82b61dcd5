"""The driver's connections, lent from a pool; its errors, values and statements."""

from mcp_cxr.stores.iris.driver._cells import (
    from_path_cell,
    from_vector_cell,
    key_of,
    several,
    stack,
    to_path_cell,
    to_text,
    to_vector_cell,
)
from mcp_cxr.stores.iris.driver._config import IrisConfig
from mcp_cxr.stores.iris.driver._connection import Link, Row
from mcp_cxr.stores.iris.driver._errors import DUPLICATE, INDEX_EXISTS, NO_TABLE, TABLE_EXISTS
from mcp_cxr.stores.iris.driver._pool import Pool, PoolStats
from mcp_cxr.stores.iris.driver._session import MOST_IDS, Bound, Statements, batches_of

__all__ = [
    "DUPLICATE",
    "INDEX_EXISTS",
    "MOST_IDS",
    "NO_TABLE",
    "TABLE_EXISTS",
    "Bound",
    "IrisConfig",
    "Link",
    "Pool",
    "PoolStats",
    "Row",
    "Statements",
    "batches_of",
    "from_path_cell",
    "from_vector_cell",
    "key_of",
    "several",
    "stack",
    "to_path_cell",
    "to_text",
    "to_vector_cell",
]
