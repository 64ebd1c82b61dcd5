"""Reads what a query asks for: findings and how they are joined, what is ruled out, and filters that words name."""

from mcp_cxr.language.query._english import is_english
from mcp_cxr.language.query._filters_in_text import TextFilters, read_text_filters
from mcp_cxr.language.query._general_words import is_general_word
from mcp_cxr.language.query._meaning import QueryMeaning, WantedFinding
from mcp_cxr.language.query._parse import parse_query_text
from mcp_cxr.language.query._spelling import Correction, is_known_word, is_word_of_reports, one_edit_away

__all__ = [
    "Correction",
    "QueryMeaning",
    "TextFilters",
    "WantedFinding",
    "is_english",
    "is_general_word",
    "is_known_word",
    "is_word_of_reports",
    "one_edit_away",
    "parse_query_text",
    "read_text_filters",
]
