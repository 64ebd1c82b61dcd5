"""The MCP edge."""

from mcp_cxr.server._audit import Audit
from mcp_cxr.server._server import build_server

__all__ = ["Audit", "build_server"]
