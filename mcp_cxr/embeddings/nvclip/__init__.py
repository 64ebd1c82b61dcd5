"""Vectors from an embedding service: NV-CLIP's NIM, and also infinity or vLLM, despite the package's name."""

from mcp_cxr.embeddings.nvclip._dialects import likely_truncated
from mcp_cxr.embeddings.nvclip._embedder import NvclipEmbedder
from mcp_cxr.embeddings.nvclip._service import NvclipConfig, RequestPolicy

__all__ = ["NvclipConfig", "NvclipEmbedder", "RequestPolicy", "likely_truncated"]
