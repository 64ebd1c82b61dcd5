"""Streamlit's pages. Streamlit runs `_streamlit_script` in a thread for each tab, again after each click."""
