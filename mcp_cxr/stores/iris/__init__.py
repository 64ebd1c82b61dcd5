"""An archive in InterSystems IRIS: one table, which other programs may share, and its side tables."""

from mcp_cxr.stores.iris._store import IrisStore
from mcp_cxr.stores.iris.driver import IrisConfig

__all__ = ["IrisConfig", "IrisStore"]
