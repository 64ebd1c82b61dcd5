"""An encoder in this process: a folder of ONNX graphs that the user brings, run by onnxruntime."""

from mcp_cxr.embeddings.local._embedder import LocalConfig, LocalEmbedder
from mcp_cxr.embeddings.local._encoder import describe_folder
from mcp_cxr.embeddings.local._exporter_reference import read_reference
from mcp_cxr.embeddings.local._onnx_sessions import SessionOptions
from mcp_cxr.embeddings.local._quantize import quantize_folder

__all__ = [
    "LocalConfig",
    "LocalEmbedder",
    "SessionOptions",
    "describe_folder",
    "quantize_folder",
    "read_reference",
]
