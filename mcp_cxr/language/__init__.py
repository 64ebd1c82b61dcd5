"""The language of chest radiology: mentions of findings in reports and queries, and search terms."""

from mcp_cxr.language._document_terms import (
    READER_VERSION,
    SEARCHED_TAGS,
    document_terms,
    main_text,
    mentions_by_sentence,
    sections,
    sentences,
)
from mcp_cxr.language._mentions import Mention, Status, finding_terms, mentions_in
from mcp_cxr.language._query_findings import QueryMeaning, parse_query_text
from mcp_cxr.language._vocabulary import terms

__all__ = [
    "READER_VERSION",
    "SEARCHED_TAGS",
    "Mention",
    "QueryMeaning",
    "Status",
    "document_terms",
    "finding_terms",
    "main_text",
    "mentions_by_sentence",
    "mentions_in",
    "parse_query_text",
    "sections",
    "sentences",
    "terms",
]
