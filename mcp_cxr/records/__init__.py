"""The values that packages hand to each other: frozen dataclasses without behavior of their own.

Results (`SearchResult`, `IngestSummary`, `ImageDetails`, `Overview`) have no slots: the MCP SDK reads their schemas.

numpy appears in annotations only, because the MCP server imports this package before anything heavy is loaded. `Vector`
and `Vectors` therefore exist for the type checker alone; import them below `TYPE_CHECKING`.
"""

from typing import TYPE_CHECKING

from mcp_cxr.records._images import (
    LABELS,
    VIEW_GROUPS,
    VIEWER_URI,
    VIEWS,
    ImageId,
    ImageRecord,
    ImageSpec,
    Rejected,
    Rendering,
    StoredImage,
    Study,
    StudyId,
    SubjectId,
    mimic_study_id,
    mimic_subject_id,
    without_mimic_letter,
)
from mcp_cxr.records._results import ForgetPreview, ImageDetails, IngestSummary, Overview, Repair, Verification
from mcp_cxr.records._search import FILTERS, GroupBy, Hit, Mode, SearchArguments, SearchResult
from mcp_cxr.records._store import (
    Collection,
    Filter,
    Fingerprint,
    Outcome,
    RankedImage,
    ReferenceSample,
    ResultFacts,
    Totals,
)

if TYPE_CHECKING:
    from mcp_cxr.records._images import Vector as Vector
    from mcp_cxr.records._images import Vectors as Vectors

__all__ = [
    "FILTERS",
    "LABELS",
    "VIEWER_URI",
    "VIEWS",
    "VIEW_GROUPS",
    "Collection",
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
    "Mode",
    "Outcome",
    "Overview",
    "RankedImage",
    "ReferenceSample",
    "Rejected",
    "Rendering",
    "Repair",
    "ResultFacts",
    "SearchArguments",
    "SearchResult",
    "StoredImage",
    "Study",
    "StudyId",
    "SubjectId",
    "Totals",
    "Verification",
    "mimic_study_id",
    "mimic_subject_id",
    "without_mimic_letter",
]
