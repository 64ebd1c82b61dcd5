"""What Streamlit runs for every tab, again after each click."""

from mcp_cxr.chat._app import show

if __name__ == "__main__":
    show()
