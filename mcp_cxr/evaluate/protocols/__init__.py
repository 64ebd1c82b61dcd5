"""The protocols, one module each: what is asked and how it is measured."""

from mcp_cxr.evaluate.protocols._by_image import by_image
from mcp_cxr.evaluate.protocols._by_index import by_index
from mcp_cxr.evaluate.protocols._by_label import by_label
from mcp_cxr.evaluate.protocols._by_report import by_report
from mcp_cxr.evaluate.protocols._feedback import TITLE as FEEDBACK
from mcp_cxr.evaluate.protocols._feedback import feedback
from mcp_cxr.evaluate.protocols._negation import TITLE as NEGATION
from mcp_cxr.evaluate.protocols._negation import negation
from mcp_cxr.evaluate.protocols._rankings import TITLE as LEGS
from mcp_cxr.evaluate.protocols._rankings import legs

__all__ = [
    "FEEDBACK",
    "LEGS",
    "NEGATION",
    "by_image",
    "by_index",
    "by_label",
    "by_report",
    "feedback",
    "legs",
    "negation",
]
