"""A pool of connections to IRIS, and statements on them; driver errors and cell values are translated."""

from mcp_cxr.stores.iris.driver._config import IrisConfig
from mcp_cxr.stores.iris.driver._connection import Connection, Row
from mcp_cxr.stores.iris.driver._errors import (
    COLUMN_EXISTS,
    DUPLICATE_KEY,
    INDEX_EXISTS,
    NO_PRIVILEGE,
    NO_SUCH_TABLE,
    TABLE_EXISTS,
    PrivilegeMissing,
    StatementRefused,
)
from mcp_cxr.stores.iris.driver._pool import Pool
from mcp_cxr.stores.iris.driver._statements import (
    MAX_IDS_PER_QUERY,
    Parameters,
    Statements,
    from_path_cell,
    path_key,
    to_int,
    to_list_cell,
    to_path_cell,
    to_text,
)
from mcp_cxr.stores.iris.driver._vector_cells import (
    from_vector_cell,
    to_vector_cell,
    to_vector_cells,
    vectors_from_cells,
)

__all__ = [
    "COLUMN_EXISTS",
    "DUPLICATE_KEY",
    "INDEX_EXISTS",
    "MAX_IDS_PER_QUERY",
    "NO_PRIVILEGE",
    "NO_SUCH_TABLE",
    "TABLE_EXISTS",
    "Connection",
    "IrisConfig",
    "Parameters",
    "Pool",
    "PrivilegeMissing",
    "Row",
    "StatementRefused",
    "Statements",
    "from_path_cell",
    "from_vector_cell",
    "path_key",
    "to_int",
    "to_list_cell",
    "to_path_cell",
    "to_text",
    "to_vector_cell",
    "to_vector_cells",
    "vectors_from_cells",
]
