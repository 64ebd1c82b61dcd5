"""One SQLite file holds the archive: records, vectors and words, with nothing to install."""

from mcp_cxr.stores.embedded._store import EmbeddedStore

__all__ = ["EmbeddedStore"]
