"""MIMIC-CXR: its folder layout and its companion tables."""

from mcp_cxr.mimic._companions import Companions, ImageFacts, read_companions
from mcp_cxr.mimic._layout import MimicIds, ids_of, report_paths

__all__ = [
    "Companions",
    "ImageFacts",
    "MimicIds",
    "ids_of",
    "read_companions",
    "report_paths",
]
