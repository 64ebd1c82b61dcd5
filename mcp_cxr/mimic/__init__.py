"""MIMIC-CXR: the layout of its folders and its companion files."""

from mcp_cxr.mimic._companions import Companions, ImageFacts, read_companions
from mcp_cxr.mimic._layout import MimicIds, ids_of, report_places

__all__ = [
    "Companions",
    "ImageFacts",
    "MimicIds",
    "ids_of",
    "read_companions",
    "report_places",
]
