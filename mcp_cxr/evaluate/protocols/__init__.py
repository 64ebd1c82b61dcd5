"""The protocols, one module each: what is searched for, and how the results are measured."""

from mcp_cxr.evaluate.protocols._feedback import measure_feedback
from mcp_cxr.evaluate.protocols._integrity import measure_integrity
from mcp_cxr.evaluate.protocols._labels import measure_labels
from mcp_cxr.evaluate.protocols._nearest_recall import measure_nearest_recall
from mcp_cxr.evaluate.protocols._negation import measure_negation
from mcp_cxr.evaluate.protocols._probes import measure_probes
from mcp_cxr.evaluate.protocols._questions import measure_questions
from mcp_cxr.evaluate.protocols._rankings import measure_rankings
from mcp_cxr.evaluate.protocols._reader import measure_reader
from mcp_cxr.evaluate.protocols._reports import measure_reports
from mcp_cxr.evaluate.protocols._similar import measure_similar

__all__ = [
    "measure_feedback",
    "measure_integrity",
    "measure_labels",
    "measure_nearest_recall",
    "measure_negation",
    "measure_probes",
    "measure_questions",
    "measure_rankings",
    "measure_reader",
    "measure_reports",
    "measure_similar",
]
