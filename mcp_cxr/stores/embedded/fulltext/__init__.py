"""Search by words: the index of the studies' documents, BM25, and filters as arrays by study."""

from mcp_cxr.stores.embedded.fulltext import _documents as documents
from mcp_cxr.stores.embedded.fulltext._documents import reindex
from mcp_cxr.stores.embedded.fulltext._postings import bm25_scores
from mcp_cxr.stores.embedded.fulltext._study_filter import (
    image_conditions,
    selects_few,
    study_conditions,
    study_mask,
)

__all__ = [
    "bm25_scores",
    "documents",
    "image_conditions",
    "reindex",
    "selects_few",
    "study_conditions",
    "study_mask",
]
