"""Reading off the event loop: tasks, worker processes, and a cache of what was read."""

from mcp_cxr.images.workers._image_reader import FileCache, ImageReader

__all__ = [
    "FileCache",
    "ImageReader",
]
