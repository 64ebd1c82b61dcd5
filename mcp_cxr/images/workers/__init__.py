"""Reading off the event loop: tasks, worker processes, and a cache of the images being viewed."""

from mcp_cxr.images.workers._image_reader import ImageReader, StoredValuesCache

__all__ = [
    "ImageReader",
    "StoredValuesCache",
]
