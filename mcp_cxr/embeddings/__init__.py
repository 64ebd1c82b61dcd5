"""Embedders turn renderings and texts into vectors of one space."""

from mcp_cxr.embeddings._base import Embedder
from mcp_cxr.embeddings._offline_embedder import OfflineEmbedder
from mcp_cxr.embeddings.local import (
    FolderSummary,
    LocalConfig,
    LocalEmbedder,
    Reference,
    SessionOptions,
    describe_folder,
    quantize_folder,
    read_reference,
)
from mcp_cxr.embeddings.nvclip import NvclipConfig, NvclipEmbedder, ServiceProbes, seen_size

__all__ = [
    "Embedder",
    "FolderSummary",
    "LocalConfig",
    "LocalEmbedder",
    "NvclipConfig",
    "NvclipEmbedder",
    "OfflineEmbedder",
    "Reference",
    "ServiceProbes",
    "SessionOptions",
    "describe_folder",
    "quantize_folder",
    "read_reference",
    "seen_size",
]
