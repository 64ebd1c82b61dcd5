"""How data sets arrange images and companions: MIMIC-CXR and other public data sets."""

from mcp_cxr.layouts._facts import NO_FACTS, FileFacts, TableUse
from mcp_cxr.layouts._find_companions import packed_files
from mcp_cxr.layouts._layouts import Layouts, read_layouts
from mcp_cxr.layouts._tables import OpenTable, TableError, open_table
from mcp_cxr.layouts.adapters import MimicIds, mimic_ids

__all__ = [
    "NO_FACTS",
    "FileFacts",
    "Layouts",
    "MimicIds",
    "OpenTable",
    "TableError",
    "TableUse",
    "mimic_ids",
    "open_table",
    "packed_files",
    "read_layouts",
]
