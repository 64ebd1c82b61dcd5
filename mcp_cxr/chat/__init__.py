"""A web page for people without a chat host: an MCP host of this server, with or without a language model.

All modules run in the process of `mcp-cxr chat`: `_launch` starts Streamlit in it, which runs `_streamlit_script`, and
so `_app`, in a thread for each tab, again after each click. `_servers` starts the MCP servers as child processes.
"""

from mcp_cxr.chat._launch import serve_page

__all__ = ["serve_page"]
