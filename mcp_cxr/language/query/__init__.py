"""Reads what a query asks for: findings and how they are joined, what is ruled out, and filters that words name."""

from mcp_cxr.language.query._parse import is_general_word, parse_query_text
from mcp_cxr.language.query._request import Request, read_request
from mcp_cxr.language.query._spelling import Correction, one_edit_away
from mcp_cxr.language.query._wanted import QueryMeaning, WantedFinding

__all__ = [
    "Correction",
    "QueryMeaning",
    "Request",
    "WantedFinding",
    "is_general_word",
    "one_edit_away",
    "parse_query_text",
    "read_request",
]
