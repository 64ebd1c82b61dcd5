"""The MCP edge."""

from mcp_cxr.server._server import build_server

__all__ = ["build_server"]
