"""Search by words: the index of the studies' documents, BM25, and filters as arrays by study."""

from mcp_cxr.stores.embedded.fulltext._postings import bm25_scores, term_counts
from mcp_cxr.stores.embedded.fulltext._search import match, reindex, reindex_all
from mcp_cxr.stores.embedded.fulltext._study_filter import (
    image_conditions,
    selects_few,
    study_conditions,
    study_mask,
)

__all__ = [
    "bm25_scores",
    "image_conditions",
    "match",
    "reindex",
    "reindex_all",
    "selects_few",
    "study_conditions",
    "study_mask",
    "term_counts",
]
