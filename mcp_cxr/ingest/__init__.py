"""Ingests a folder: finds its images, embeds them and stores them."""

from mcp_cxr.ingest._compare_reading import ReadingComparison, compare_reading
from mcp_cxr.ingest._counts import IngestProgress
from mcp_cxr.ingest._ids import IdAssigner, IdKey, check_value_of_key
from mcp_cxr.ingest._ingest import ingest
from mcp_cxr.ingest._non_image_cache import NonImageCache
from mcp_cxr.ingest._plan import IngestPlan, StopSignal
from mcp_cxr.ingest._preview_layout import preview_layout
from mcp_cxr.ingest._record_outcomes import IngestCallbacks
from mcp_cxr.ingest._walk import Candidate, Shard

__all__ = [
    "Candidate",
    "IdAssigner",
    "IdKey",
    "IngestCallbacks",
    "IngestPlan",
    "IngestProgress",
    "NonImageCache",
    "ReadingComparison",
    "Shard",
    "StopSignal",
    "check_value_of_key",
    "compare_reading",
    "ingest",
    "preview_layout",
]
