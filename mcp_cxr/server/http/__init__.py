"""The same server over HTTP."""

from mcp_cxr.server.http._authentication import Authentication, authentication_of
from mcp_cxr.server.http._config import HttpConfig
from mcp_cxr.server.http._serve import serve_http

__all__ = ["Authentication", "HttpConfig", "authentication_of", "serve_http"]
