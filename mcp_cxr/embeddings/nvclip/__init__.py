"""Vectors from NV-CLIP, or from another server behind the same client: NIM, infinity, vLLM."""

from mcp_cxr.embeddings.nvclip._config import NvclipConfig, Patience
from mcp_cxr.embeddings.nvclip._embedder import Check, NvclipEmbedder
from mcp_cxr.embeddings.nvclip._vectors import likely_truncated

__all__ = ["Check", "NvclipConfig", "NvclipEmbedder", "Patience", "likely_truncated"]
