"""Retrieval figures, their confidence intervals over patients, and the results of an evaluation."""

from mcp_cxr.evaluate.metrics._agreement import Disagreement, FindingAgreement, Rate, rate, wilson_interval
from mcp_cxr.evaluate.metrics._bootstrap import Bootstrap, column_means, mean_then_rows
from mcp_cxr.evaluate.metrics._ranking import (
    Floats,
    Integers,
    KnownItemRank,
    Mask,
    Ranking,
    TieGroups,
    random_ranking,
)
from mcp_cxr.evaluate.metrics._result import (
    TITLES,
    Baseline,
    Evaluation,
    Figure,
    NotMeasured,
    ProtocolResult,
    figures_by_label,
    figures_with_intervals,
    measured_result,
    read_baseline,
    skipped_result,
)

__all__ = [
    "TITLES",
    "Baseline",
    "Bootstrap",
    "Disagreement",
    "Evaluation",
    "Figure",
    "FindingAgreement",
    "Floats",
    "Integers",
    "KnownItemRank",
    "Mask",
    "NotMeasured",
    "ProtocolResult",
    "Ranking",
    "Rate",
    "TieGroups",
    "column_means",
    "figures_by_label",
    "figures_with_intervals",
    "mean_then_rows",
    "measured_result",
    "random_ranking",
    "rate",
    "read_baseline",
    "skipped_result",
    "wilson_interval",
]
