"""The MCP server: tools over an archive, the viewer page, and the access log."""

from mcp_cxr.server._access_log import AccessLog
from mcp_cxr.server._redaction import OWNER_SEES_PATHS
from mcp_cxr.server._server import build_server
from mcp_cxr.server._stdio import serve_stdio
from mcp_cxr.server._strict_tool import UNTRUSTED_TEXT_NOTE

__all__ = ["OWNER_SEES_PATHS", "UNTRUSTED_TEXT_NOTE", "AccessLog", "build_server", "serve_stdio"]
