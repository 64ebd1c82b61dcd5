"""The web server of the page: its routes and API, the checks of each request, sessions, and the private folder."""

from mcp_cxr.chat.web_server._serve import serve_page

__all__ = ["serve_page"]
