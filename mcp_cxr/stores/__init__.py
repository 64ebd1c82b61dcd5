"""Records, vectors and words, stored and ranked."""

from mcp_cxr.stores._base import SAMPLE_SIZE, Store, sample_key
from mcp_cxr.stores.embedded import EmbeddedStore

__all__ = ["SAMPLE_SIZE", "EmbeddedStore", "Store", "sample_key"]
