"""Finding scores, learned from the labels of an archive; the probe that gives a score saw nothing of the patient.

They are for research: not a diagnosis, and given to no model by any tool.
"""

from mcp_cxr.research.probes._calibration import RocCurve, auc, brier_skill, calibration_slope
from mcp_cxr.research.probes._fit_and_score import fit_probes
from mcp_cxr.research.probes._fitted_probes import FittedProbes, Probe, ProbeChoices
from mcp_cxr.research.probes._linear_probes import LinearProbes, fit_linear_probes
from mcp_cxr.research.probes._moments import FOLDS
from mcp_cxr.research.probes._score_conditions import ScoredImages, images_with_scores, read_condition
from mcp_cxr.research.probes._score_notes import NO_DIAGNOSIS, score_notes, stale_notes
from mcp_cxr.research.probes._stored_probes import CHANGED, FORGOTTEN, StoredProbes
from mcp_cxr.research.probes._training_data import (
    MIN_POSITIVES,
    MIN_SUBJECTS,
    NEEDED,
    ExampleReader,
    Examples,
    fold_of,
    too_few_examples,
)

__all__ = [
    "CHANGED",
    "FOLDS",
    "FORGOTTEN",
    "MIN_POSITIVES",
    "MIN_SUBJECTS",
    "NEEDED",
    "NO_DIAGNOSIS",
    "ExampleReader",
    "Examples",
    "FittedProbes",
    "LinearProbes",
    "Probe",
    "ProbeChoices",
    "RocCurve",
    "ScoredImages",
    "StoredProbes",
    "auc",
    "brier_skill",
    "calibration_slope",
    "fit_linear_probes",
    "fit_probes",
    "fold_of",
    "images_with_scores",
    "read_condition",
    "score_notes",
    "stale_notes",
    "too_few_examples",
]
