"""A web page for people without a chat host: an MCP host of this server, with or without a language model.

All modules run in the process of `mcp-cxr chat`: `launch` serves the page, and Streamlit's pages in a frame of it.
Streamlit runs `_streamlit_script`, and so `_app`, in a thread for each tab, again after each click. `_servers` starts
the MCP servers as child processes.
"""

from mcp_cxr.chat._folders import broad_folder_warning
from mcp_cxr.chat.launch import serve_page

__all__ = ["broad_folder_warning", "serve_page"]
