"""The words of chest radiology: what reports and questions say, and as which terms."""

from mcp_cxr.language._document import SEARCHED_TAGS, document, statements
from mcp_cxr.language._question import Meaning, understood
from mcp_cxr.language._report import main_text, sections, sentences
from mcp_cxr.language._said import Said, Status, said, terms_of
from mcp_cxr.language._terms import terms

__all__ = [
    "SEARCHED_TAGS",
    "Meaning",
    "Said",
    "Status",
    "document",
    "main_text",
    "said",
    "sections",
    "sentences",
    "statements",
    "terms",
    "terms_of",
    "understood",
]
