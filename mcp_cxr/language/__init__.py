"""The language of chest radiology: what reports say, what queries ask for, and the search terms of both."""

from mcp_cxr.language._document_terms import (
    READ_TERM,
    READER_VERSION,
    SEARCHED_TAGS,
    TermKind,
    combinations,
    context_term,
    document_terms,
    finding_term,
    form_term,
    stated_terms,
)
from mcp_cxr.language._mentions import Mention, Status, mentions_in
from mcp_cxr.language._query import QueryMeaning, WantedFinding, is_general_word, parse_query_text
from mcp_cxr.language._request import Request, read_request
from mcp_cxr.language._sections import SectionKind, main_text, sections, statements
from mcp_cxr.language._spelling import Correction, one_edit_away
from mcp_cxr.language._study_reading import (
    FindingReading,
    Statement,
    is_normal,
    read_report,
    read_study,
    report_statements,
)
from mcp_cxr.language._vocabulary import ancestors, descendants, finding_entries, finding_of_label, terms

__all__ = [
    "READER_VERSION",
    "READ_TERM",
    "SEARCHED_TAGS",
    "Correction",
    "FindingReading",
    "Mention",
    "QueryMeaning",
    "Request",
    "SectionKind",
    "Statement",
    "Status",
    "TermKind",
    "WantedFinding",
    "ancestors",
    "combinations",
    "context_term",
    "descendants",
    "document_terms",
    "finding_entries",
    "finding_of_label",
    "finding_term",
    "form_term",
    "is_general_word",
    "is_normal",
    "main_text",
    "mentions_in",
    "one_edit_away",
    "parse_query_text",
    "read_report",
    "read_request",
    "read_study",
    "report_statements",
    "sections",
    "stated_terms",
    "statements",
    "terms",
]
