"""An encoder in this process: a folder of ONNX graphs that the user brings, run by onnxruntime."""

from mcp_cxr.embeddings.local._embedder import LocalConfig, LocalEmbedder
from mcp_cxr.embeddings.local._encoder import FolderSummary, describe_folder
from mcp_cxr.embeddings.local._exporter_reference import Reference, read_reference
from mcp_cxr.embeddings.local._onnx_sessions import SessionOptions
from mcp_cxr.embeddings.local._quantize import quantize_folder

__all__ = [
    "FolderSummary",
    "LocalConfig",
    "LocalEmbedder",
    "Reference",
    "SessionOptions",
    "describe_folder",
    "quantize_folder",
    "read_reference",
]
