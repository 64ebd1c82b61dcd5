"""Embedders turn renderings and texts into vectors of one space."""

from mcp_cxr.embeddings._base import Embedder
from mcp_cxr.embeddings._offline_embedder import OfflineEmbedder
from mcp_cxr.embeddings.local import LocalConfig, LocalEmbedder, SessionOptions
from mcp_cxr.embeddings.nvclip import NvclipConfig, NvclipEmbedder, likely_truncated

__all__ = [
    "Embedder",
    "LocalConfig",
    "LocalEmbedder",
    "NvclipConfig",
    "NvclipEmbedder",
    "OfflineEmbedder",
    "SessionOptions",
    "likely_truncated",
]
