"""Search by words: the index of the studies' documents, BM25, and filters as arrays by study."""

from mcp_cxr.stores.embedded.fulltext._postings import mask_size, term_counts
from mcp_cxr.stores.embedded.fulltext._search import match, reindex, reindex_all
from mcp_cxr.stores.embedded.fulltext._study_filter import (
    cached_study_mask,
    image_conditions,
    selects_few,
    study_conditions,
)

__all__ = [
    "cached_study_mask",
    "image_conditions",
    "mask_size",
    "match",
    "reindex",
    "reindex_all",
    "selects_few",
    "study_conditions",
    "term_counts",
]
