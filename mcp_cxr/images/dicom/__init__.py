"""The DICOM header: elements, allow-listed facts, view position, eligibility, grayscale parameters."""

from mcp_cxr.images.dicom._element_values import items, text, values
from mcp_cxr.images.dicom._eligibility import OTHER_BODY_PART, describes_other_body_part, why_ineligible
from mcp_cxr.images.dicom._file import (
    MAX_PIXELS,
    DicomFile,
    Identifiers,
    PixelLayout,
    identifiers,
    open_dicom,
    syntax_name,
)
from mcp_cxr.images.dicom._grayscale_parameters import (
    GrayscaleParameters,
    Lut,
    Window,
    read_grayscale_parameters,
)
from mcp_cxr.images.dicom._header_facts import HeaderFacts, dicom_header
from mcp_cxr.images.dicom._read_elements import UNDEFINED_LENGTH
from mcp_cxr.images.dicom._view_position import parse_view_position

__all__ = [
    "MAX_PIXELS",
    "OTHER_BODY_PART",
    "UNDEFINED_LENGTH",
    "DicomFile",
    "GrayscaleParameters",
    "HeaderFacts",
    "Identifiers",
    "Lut",
    "PixelLayout",
    "Window",
    "describes_other_body_part",
    "dicom_header",
    "identifiers",
    "items",
    "open_dicom",
    "parse_view_position",
    "read_grayscale_parameters",
    "syntax_name",
    "text",
    "values",
    "why_ineligible",
]
