"""MIMIC-CXR: the layout of its folders, its companion files, the sections of its reports."""

from mcp_cxr.mimic._companions import Companions, ImageFacts, read_companions
from mcp_cxr.mimic._layout import MimicIds, ids_of, report_places
from mcp_cxr.mimic._report import main_text, sections, sentences

__all__ = [
    "Companions",
    "ImageFacts",
    "MimicIds",
    "ids_of",
    "main_text",
    "read_companions",
    "report_places",
    "sections",
    "sentences",
]
