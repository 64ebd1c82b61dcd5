"""What counts as right: labels, the dataset read once, copies with the answers held out."""

from mcp_cxr.evaluate.truth._context import Ground
from mcp_cxr.evaluate.truth._dataset import Gallery, asked_of, load
from mcp_cxr.evaluate.truth._holdout import SEALED, Answers, K, Listing, Sealed, sealed
from mcp_cxr.evaluate.truth._label_file import TruthFile
from mcp_cxr.evaluate.truth._plan import CLASS_PROMPTS, PROTOCOLS, EvaluationPlan, read_prompts

__all__ = [
    "CLASS_PROMPTS",
    "PROTOCOLS",
    "SEALED",
    "Answers",
    "EvaluationPlan",
    "Gallery",
    "Ground",
    "K",
    "Listing",
    "Sealed",
    "TruthFile",
    "asked_of",
    "load",
    "read_prompts",
    "sealed",
]
