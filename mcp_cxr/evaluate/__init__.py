"""Use case: measures how good the search of an archive is."""

from mcp_cxr.evaluate._evaluate import evaluate
from mcp_cxr.evaluate.inputs import CLASS_PROMPTS, PROTOCOLS, EvaluationPlan, TruthFile, read_prompts
from mcp_cxr.evaluate.metrics import Baseline, Evaluation, Figure, ProtocolResult, read_baseline
from mcp_cxr.evaluate.page import page_writer

__all__ = [
    "CLASS_PROMPTS",
    "PROTOCOLS",
    "Baseline",
    "Evaluation",
    "EvaluationPlan",
    "Figure",
    "ProtocolResult",
    "TruthFile",
    "evaluate",
    "page_writer",
    "read_baseline",
    "read_prompts",
]
