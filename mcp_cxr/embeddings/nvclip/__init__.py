"""Vectors from NV-CLIP, or from another server behind the same client: NIM, infinity, vLLM."""

from mcp_cxr.embeddings.nvclip._config import NvclipConfig, RequestPolicy
from mcp_cxr.embeddings.nvclip._embedder import NvclipEmbedder, ServiceCheck
from mcp_cxr.embeddings.nvclip._validation import likely_truncated

__all__ = ["NvclipConfig", "NvclipEmbedder", "RequestPolicy", "ServiceCheck", "likely_truncated"]
