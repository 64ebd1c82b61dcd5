"""Stores of images, studies and vectors: the interface `Store`, and the embedded and in-memory ones."""

from mcp_cxr.stores._base import SAMPLE_SIZE, Store, sample_key, with_mimic_prefixes
from mcp_cxr.stores.embedded import EmbeddedStore
from mcp_cxr.stores.memory import MemoryDatabase, MemoryStore

__all__ = [
    "SAMPLE_SIZE",
    "EmbeddedStore",
    "MemoryDatabase",
    "MemoryStore",
    "Store",
    "sample_key",
    "with_mimic_prefixes",
]
