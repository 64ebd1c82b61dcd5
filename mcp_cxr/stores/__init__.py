"""Records, vectors and words, stored and ranked."""

from mcp_cxr.stores._base import SAMPLE_SIZE, Store
from mcp_cxr.stores._words import SEARCHED_TAGS, document, sample_key, terms
from mcp_cxr.stores.embedded import EmbeddedStore

__all__ = ["SAMPLE_SIZE", "SEARCHED_TAGS", "EmbeddedStore", "Store", "document", "sample_key", "terms"]
