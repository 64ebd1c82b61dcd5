"""The DICOM header: elements, allow-listed facts, view position, eligibility, grayscale parameters."""

from mcp_cxr.images.dicom._eligibility import check_admission
from mcp_cxr.images.dicom._file import (
    MAX_PIXELS,
    UNDEFINED_LENGTH,
    DicomFile,
    Layout,
    PixelElement,
    layout_of,
    open_dicom,
    syntax_name,
)
from mcp_cxr.images.dicom._grayscale_parameters import Lut, Preset, Treatment, Window, treatment_of
from mcp_cxr.images.dicom._header import HeaderFacts, dicom_header
from mcp_cxr.images.dicom._view_position import parse_view_position

__all__ = [
    "MAX_PIXELS",
    "UNDEFINED_LENGTH",
    "DicomFile",
    "HeaderFacts",
    "Layout",
    "Lut",
    "PixelElement",
    "Preset",
    "Treatment",
    "Window",
    "check_admission",
    "dicom_header",
    "layout_of",
    "open_dicom",
    "parse_view_position",
    "syntax_name",
    "treatment_of",
]
