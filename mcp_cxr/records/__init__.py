"""The values that packages hand to each other: frozen dataclasses without behavior of their own.

The result of a search is a pydantic model, because what is optional in it depends on who reads it. The other results
(`IngestSummary`, `ImageDetails`, `Overview`) have no slots: the MCP SDK reads their schemas.

numpy appears in annotations only, because the MCP server imports this package before anything heavy is loaded.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mcp_cxr.records._archive_results import (
    ForgetPreview,
    ImageDetails,
    IngestSummary,
    Overview,
    Repair,
    Verification,
    to_json,
)
from mcp_cxr.records._cohorts import (
    COHORT_FILTERS,
    CohortDifference,
    CohortMatch,
    CohortRequest,
    CohortSummary,
    CohortVerification,
)
from mcp_cxr.records._embedding import (
    LOCAL_ENCODER,
    Fingerprint,
    ImageSpec,
    Rejection,
    Rendering,
    Resampling,
    Vector,
    Vectors,
)
from mcp_cxr.records._images_and_studies import (
    LABELS,
    SPLITS,
    VIEW_GROUPS,
    VIEW_POSITIONS,
    VIEWER_URI,
    ImageId,
    ImageRecord,
    StoredImage,
    Study,
    StudyId,
    SubjectId,
    burned_in_annotation,
    mimic_study_id,
    mimic_subject_id,
    without_mimic_prefix,
)
from mcp_cxr.records._result_table import RESULT_COLUMNS, listed, result_row
from mcp_cxr.records._search_arguments import FILTERS, DefaultLimit, GroupBy, Mode, SearchArguments
from mcp_cxr.records._store_values import (
    IDS_KEPT,
    STUDY_FACTS,
    Filter,
    Outcome,
    RankedImage,
    ReferenceSample,
    ResultFacts,
    StoreInfo,
    StudyFact,
    TermClause,
    Totals,
    VectorAndFile,
    are_ids_kept,
)

if TYPE_CHECKING:
    from mcp_cxr.records._search_result import (
        Hit,
        Matched,
        SearchResult,
        Understood,
        count_texts,
        counted,
        joined_pages,
    )
    from mcp_cxr.records._timeline import PatientTimeline, TimelineOrder, TimelineStudy

__all__ = [
    "COHORT_FILTERS",
    "FILTERS",
    "IDS_KEPT",
    "LABELS",
    "LOCAL_ENCODER",
    "RESULT_COLUMNS",
    "SPLITS",
    "STUDY_FACTS",
    "VIEWER_URI",
    "VIEW_GROUPS",
    "VIEW_POSITIONS",
    "CohortDifference",
    "CohortMatch",
    "CohortRequest",
    "CohortSummary",
    "CohortVerification",
    "DefaultLimit",
    "Filter",
    "Fingerprint",
    "ForgetPreview",
    "GroupBy",
    "Hit",
    "ImageDetails",
    "ImageId",
    "ImageRecord",
    "ImageSpec",
    "IngestSummary",
    "Matched",
    "Mode",
    "Outcome",
    "Overview",
    "PatientTimeline",
    "RankedImage",
    "ReferenceSample",
    "Rejection",
    "Rendering",
    "Repair",
    "Resampling",
    "ResultFacts",
    "SearchArguments",
    "SearchResult",
    "StoreInfo",
    "StoredImage",
    "Study",
    "StudyFact",
    "StudyId",
    "SubjectId",
    "TermClause",
    "TimelineOrder",
    "TimelineStudy",
    "Totals",
    "Understood",
    "Vector",
    "VectorAndFile",
    "Vectors",
    "Verification",
    "are_ids_kept",
    "burned_in_annotation",
    "count_texts",
    "counted",
    "joined_pages",
    "listed",
    "mimic_study_id",
    "mimic_subject_id",
    "result_row",
    "to_json",
    "without_mimic_prefix",
]

_PYDANTIC_MODULES = {
    "_search_result": ("Hit", "Matched", "SearchResult", "Understood", "count_texts", "counted", "joined_pages"),
    "_timeline": ("PatientTimeline", "TimelineOrder", "TimelineStudy"),
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 # of whatever name
    """Import a module of pydantic models when it is first used: a worker process never does, which saves it 60 ms."""
    for module, names in _PYDANTIC_MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
