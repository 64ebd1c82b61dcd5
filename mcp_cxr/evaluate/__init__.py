"""Use case: measures how good the search of an archive is."""

from mcp_cxr.evaluate._evaluate import evaluate, evaluate_reports
from mcp_cxr.evaluate.inputs import CLASS_PROMPTS, PROTOCOLS, CodesFile, EvaluationPlan, TruthFile, read_prompts
from mcp_cxr.evaluate.metrics import Baseline, Evaluation, Figure, FindingAgreement, ProtocolResult, read_baseline
from mcp_cxr.evaluate.page import page_writer

__all__ = [
    "CLASS_PROMPTS",
    "PROTOCOLS",
    "Baseline",
    "CodesFile",
    "Evaluation",
    "EvaluationPlan",
    "Figure",
    "FindingAgreement",
    "ProtocolResult",
    "TruthFile",
    "evaluate",
    "evaluate_reports",
    "page_writer",
    "read_baseline",
    "read_prompts",
]
