"""Use case: a question into a page of hits."""

from mcp_cxr.search._question import MAX_LIMIT, Query, ask
from mcp_cxr.search._searcher import Searcher

__all__ = ["MAX_LIMIT", "Query", "Searcher", "ask"]
