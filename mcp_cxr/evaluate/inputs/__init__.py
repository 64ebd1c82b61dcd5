"""What the protocols work on: the plan, the ground truth, the archive as arrays, and copies of it without labels."""

from mcp_cxr.evaluate.inputs._coded_findings import Code, CodesFile, strongest_status
from mcp_cxr.evaluate.inputs._context import MIN_STUDIES, NO_LABELS, EvaluationContext
from mcp_cxr.evaluate.inputs._dataset import NOT_MENTIONED, Dataset, load_dataset, report_query
from mcp_cxr.evaluate.inputs._held_out_copy import (
    REMOVED_LABELS,
    TOP_K,
    HeldOutCopy,
    JudgedRanking,
    SearchRanking,
    held_out_copy,
)
from mcp_cxr.evaluate.inputs._plan import CLASS_PROMPTS, PROTOCOLS, EvaluationPlan, TruthFile, read_prompts
from mcp_cxr.evaluate.inputs._reports import folder_reports, stored_reports

__all__ = [
    "CLASS_PROMPTS",
    "MIN_STUDIES",
    "NOT_MENTIONED",
    "NO_LABELS",
    "PROTOCOLS",
    "REMOVED_LABELS",
    "TOP_K",
    "Code",
    "CodesFile",
    "Dataset",
    "EvaluationContext",
    "EvaluationPlan",
    "HeldOutCopy",
    "JudgedRanking",
    "SearchRanking",
    "TruthFile",
    "folder_reports",
    "held_out_copy",
    "load_dataset",
    "read_prompts",
    "report_query",
    "stored_reports",
    "strongest_status",
]
