"""Use case: how good the search is, measured on the archive at hand."""

from mcp_cxr.evaluate._evaluate import evaluate
from mcp_cxr.evaluate._page import page_writer
from mcp_cxr.evaluate._plan import CLASS_PROMPTS, PROTOCOLS, Plan, read_prompts
from mcp_cxr.evaluate._result import Baseline, Evaluation, Figure, Measured, read_baseline
from mcp_cxr.evaluate._truth import TruthFile

__all__ = [
    "CLASS_PROMPTS",
    "PROTOCOLS",
    "Baseline",
    "Evaluation",
    "Figure",
    "Measured",
    "Plan",
    "TruthFile",
    "evaluate",
    "page_writer",
    "read_baseline",
    "read_prompts",
]
