"""Renders a check of the data as one web page that needs no other file."""

from mcp_cxr.research.data_check.page._page import PageImages, images_shown, page_writer

__all__ = ["PageImages", "images_shown", "page_writer"]
