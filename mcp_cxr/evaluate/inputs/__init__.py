"""What the protocols work on: the plan, the ground truth, the archive as arrays, and copies of it without labels."""

from mcp_cxr.evaluate.inputs._context import NO_LABELS, EvaluationContext
from mcp_cxr.evaluate.inputs._dataset import Dataset, load_dataset, report_query
from mcp_cxr.evaluate.inputs._held_out import (
    REMOVED_LABELS,
    TOP_K,
    HeldOutCopy,
    JudgedRanking,
    SearchRanking,
    held_out_copy,
)
from mcp_cxr.evaluate.inputs._plan import CLASS_PROMPTS, PROTOCOLS, EvaluationPlan, TruthFile, read_prompts

__all__ = [
    "CLASS_PROMPTS",
    "NO_LABELS",
    "PROTOCOLS",
    "REMOVED_LABELS",
    "TOP_K",
    "Dataset",
    "EvaluationContext",
    "EvaluationPlan",
    "HeldOutCopy",
    "JudgedRanking",
    "SearchRanking",
    "TruthFile",
    "held_out_copy",
    "load_dataset",
    "read_prompts",
    "report_query",
]
