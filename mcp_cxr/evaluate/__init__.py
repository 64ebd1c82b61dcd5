"""Use case: how good the search is, measured on the archive at hand."""

from mcp_cxr.evaluate._evaluate import evaluate
from mcp_cxr.evaluate.metrics import Baseline, Evaluation, Figure, Measured, read_baseline
from mcp_cxr.evaluate.page import page_writer
from mcp_cxr.evaluate.truth import CLASS_PROMPTS, PROTOCOLS, EvaluationPlan, TruthFile, read_prompts

__all__ = [
    "CLASS_PROMPTS",
    "PROTOCOLS",
    "Baseline",
    "Evaluation",
    "EvaluationPlan",
    "Figure",
    "Measured",
    "TruthFile",
    "evaluate",
    "page_writer",
    "read_baseline",
    "read_prompts",
]
