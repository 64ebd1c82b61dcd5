"""Use case: a question into a page of hits."""

from mcp_cxr.search._parse_query import MAX_LIMIT, Query, parse_query
from mcp_cxr.search._searcher import Searcher

__all__ = ["MAX_LIMIT", "Query", "Searcher", "parse_query"]
