"""Search: checked arguments, rankings by vector and by words, and a page of explained hits."""

from mcp_cxr.search._check_arguments import MAX_LIMIT, Query, check_arguments, known_labels
from mcp_cxr.search._combine_vectors import centered
from mcp_cxr.search._searcher import Searcher, Selection
from mcp_cxr.search._understand import SearchableWords

__all__ = [
    "MAX_LIMIT",
    "Query",
    "SearchableWords",
    "Searcher",
    "Selection",
    "centered",
    "check_arguments",
    "known_labels",
]
