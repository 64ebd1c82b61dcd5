"""The command `mcp-cxr`."""

from mcp_cxr.cli._doctor import doctor
from mcp_cxr.cli._ingest import ingest
from mcp_cxr.cli._main import cli, main, run
from mcp_cxr.cli._table import table

__all__ = ["cli", "doctor", "ingest", "main", "run", "table"]
