"""The same server over HTTP."""

from mcp_cxr.server.http._config import HttpConfig
from mcp_cxr.server.http._guard import Guard, guard_of
from mcp_cxr.server.http._listen import serve_http

__all__ = ["Guard", "HttpConfig", "guard_of", "serve_http"]
