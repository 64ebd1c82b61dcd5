"""A page of its own for people who have no chat host: a host of our server, with or without a model (extra `chat`)."""

from mcp_cxr.chat._launch import serve_page

__all__ = ["serve_page"]
