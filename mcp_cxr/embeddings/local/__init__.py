"""An encoder in this process: a folder of ONNX graphs that the user brings, run by onnxruntime."""

from mcp_cxr.embeddings.local._embedder import LocalConfig, LocalEmbedder
from mcp_cxr.embeddings.local._sessions import SessionOptions

__all__ = ["LocalConfig", "LocalEmbedder", "SessionOptions"]
