"""Starts the page: the web application, the check of each request, and the folder of its private files."""

from mcp_cxr.chat.launch._serve import serve_page

__all__ = ["serve_page"]
