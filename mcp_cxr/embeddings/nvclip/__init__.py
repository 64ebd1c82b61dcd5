"""Vectors from an embedding service: NV-CLIP's NIM, infinity or vLLM."""

from mcp_cxr.embeddings.nvclip._config import NvclipConfig, RequestPolicy
from mcp_cxr.embeddings.nvclip._embedder import NvclipEmbedder, ServiceCheck
from mcp_cxr.embeddings.nvclip._validation import likely_truncated

__all__ = ["NvclipConfig", "NvclipEmbedder", "RequestPolicy", "ServiceCheck", "likely_truncated"]
