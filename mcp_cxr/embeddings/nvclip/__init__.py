"""Vectors from an embedding service: NV-CLIP's NIM, and also infinity or vLLM, despite the package's name."""

from mcp_cxr.embeddings.nvclip._embedder import NvclipEmbedder
from mcp_cxr.embeddings.nvclip._service import NvclipConfig, RequestPolicy, RequestRefused
from mcp_cxr.embeddings.nvclip._service_probes import (
    FINE_TEXT_LENGTHS,
    PlainQuestion,
    ServiceProbes,
    TextLimit,
    seen_size,
)

__all__ = [
    "FINE_TEXT_LENGTHS",
    "NvclipConfig",
    "NvclipEmbedder",
    "PlainQuestion",
    "RequestPolicy",
    "RequestRefused",
    "ServiceProbes",
    "TextLimit",
    "seen_size",
]
