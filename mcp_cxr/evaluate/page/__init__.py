"""Renders an evaluation as a web page with plots."""

from mcp_cxr.evaluate.page._page import page_writer

__all__ = ["page_writer"]
