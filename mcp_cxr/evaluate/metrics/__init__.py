"""Retrieval figures, their confidence intervals over patients, and the results of an evaluation."""

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
    ProtocolResult,
    figures_by_label,
    figures_with_intervals,
    read_baseline,
    skipped_result,
)

__all__ = [
    "TITLES",
    "Baseline",
    "Bootstrap",
    "Evaluation",
    "Figure",
    "Floats",
    "Integers",
    "KnownItemRank",
    "Mask",
    "ProtocolResult",
    "Ranking",
    "TieGroups",
    "column_means",
    "figures_by_label",
    "figures_with_intervals",
    "mean_then_rows",
    "random_ranking",
    "read_baseline",
    "skipped_result",
]
