"""Computer-drawn chest phantoms as DICOM files: an archive that is nobody's."""

from mcp_cxr.demo._archive import DemoArchive, DemoImage, write_archive
from mcp_cxr.demo._dicom import to_dicom, write_dicom
from mcp_cxr.demo._run import run_demo
from mcp_cxr.demo.phantom import KINDS, WHITE, Finding, Patient, draw, pixel_spacing_mm

__all__ = [
    "KINDS",
    "WHITE",
    "DemoArchive",
    "DemoImage",
    "Finding",
    "Patient",
    "draw",
    "pixel_spacing_mm",
    "run_demo",
    "to_dicom",
    "write_archive",
    "write_dicom",
]
