"""A web page for people without a chat host: an MCP host of this server, with or without a language model.

All modules run in the process of `mcp-cxr chat`: `web_server` serves the page, and Streamlit's `pages` in a frame of
it. `backend` starts the MCP servers as child processes and holds what outlives a request; `language_models` has the
clients of language models.
"""

from mcp_cxr.chat.backend import broad_folder_warning
from mcp_cxr.chat.web_server import serve_page

__all__ = ["broad_folder_warning", "serve_page"]
