"""The MCP edge."""

from mcp_cxr.server._access_log import AccessLog
from mcp_cxr.server._server import build_server

__all__ = ["AccessLog", "build_server"]
