"""Figures: rankings measured, intervals over patients, and results compared."""

from mcp_cxr.evaluate.metrics._bootstrap import Bootstrap, means, with_means
from mcp_cxr.evaluate.metrics._ranking import Counted, Place, Ranking, unordered
from mcp_cxr.evaluate.metrics._result import Baseline, Evaluation, Figure, Measured, read_baseline, sampled, skipped

__all__ = [
    "Baseline",
    "Bootstrap",
    "Counted",
    "Evaluation",
    "Figure",
    "Measured",
    "Place",
    "Ranking",
    "means",
    "read_baseline",
    "sampled",
    "skipped",
    "unordered",
    "with_means",
]
