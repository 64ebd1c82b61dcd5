"""Words: the index of documents, BM25 over it, and filters on studies as arrays."""

from mcp_cxr.stores.embedded.fulltext import _documents as documents
from mcp_cxr.stores.embedded.fulltext._bm25 import scores
from mcp_cxr.stores.embedded.fulltext._documents import reindex
from mcp_cxr.stores.embedded.fulltext._study_filter import is_narrow, of_images, of_studies, studies

__all__ = [
    "documents",
    "is_narrow",
    "of_images",
    "of_studies",
    "reindex",
    "scores",
    "studies",
]
