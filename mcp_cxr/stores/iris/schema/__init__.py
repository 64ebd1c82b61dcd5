"""The tables, created and dropped, and the entries that describe the archive in the table `...Collection`."""

from mcp_cxr.stores.iris.schema._archive_info import Entries, read_entries, record_report_reader
from mcp_cxr.stores.iris.schema._create import (
    CreatedTables,
    add_later_columns,
    create_tables,
    create_vector_index,
    drop_tables,
    replace_fingerprint,
)

__all__ = [
    "CreatedTables",
    "Entries",
    "add_later_columns",
    "create_tables",
    "create_vector_index",
    "drop_tables",
    "read_entries",
    "record_report_reader",
    "replace_fingerprint",
]
