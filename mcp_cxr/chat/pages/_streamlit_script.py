"""The script that Streamlit runs for each tab, again after each click."""

from mcp_cxr.chat.pages._app import draw_app

if __name__ == "__main__":
    draw_app()
