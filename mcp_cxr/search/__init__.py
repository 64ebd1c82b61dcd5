"""Search: checked arguments, rankings by vector and by words, and a page of explained hits."""

from mcp_cxr.search._parse_query import MAX_LIMIT, Query, parse_query
from mcp_cxr.search._searcher import Searcher

__all__ = ["MAX_LIMIT", "Query", "Searcher", "parse_query"]
