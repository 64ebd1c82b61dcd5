"""A web page for people without a chat host: an MCP host of this server, with or without a language model."""

from mcp_cxr.chat._launch import serve_page

__all__ = ["serve_page"]
