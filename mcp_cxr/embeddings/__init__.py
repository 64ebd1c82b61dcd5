"""Embedders turn renderings and texts into vectors of one space.

`embeddings.nvclip` is imported by its own name: it loads an HTTP client, which the other embedders do not need.
"""

from mcp_cxr.embeddings._base import CheckableEmbedder, Embedder
from mcp_cxr.embeddings._offline_embedder import OfflineEmbedder
from mcp_cxr.embeddings.local import (
    LocalConfig,
    LocalEmbedder,
    SessionOptions,
    describe_folder,
    quantize_folder,
    read_reference,
)

__all__ = [
    "CheckableEmbedder",
    "Embedder",
    "LocalConfig",
    "LocalEmbedder",
    "OfflineEmbedder",
    "SessionOptions",
    "describe_folder",
    "quantize_folder",
    "read_reference",
]
