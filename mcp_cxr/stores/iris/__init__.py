"""An archive in InterSystems IRIS: one table that others may share, and its side tables."""

from mcp_cxr.stores.iris._config import IrisConfig
from mcp_cxr.stores.iris._pool import PoolStats
from mcp_cxr.stores.iris._store import IrisStore

__all__ = ["IrisConfig", "IrisStore", "PoolStats"]
