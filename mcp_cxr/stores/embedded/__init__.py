"""The embedded store: an archive in one SQLite file, with nothing to install."""

from mcp_cxr.stores.embedded._store import EmbeddedStore

__all__ = ["EmbeddedStore"]
