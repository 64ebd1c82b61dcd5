"""A demo archive: computer-drawn chest phantoms as DICOM files with reports, of no real patient."""

from mcp_cxr.demo._data_set import DemoDataSet, DemoImage, write_data_set
from mcp_cxr.demo._dicom import to_dicom
from mcp_cxr.demo._reports import write_report
from mcp_cxr.demo._run import ENCODER_FOLDER, run_demo
from mcp_cxr.demo.phantom import (
    MAX_STORED_VALUE,
    Patient,
    PhantomFinding,
    draw_phantom,
    pixel_spacing_mm,
)

__all__ = [
    "ENCODER_FOLDER",
    "MAX_STORED_VALUE",
    "DemoDataSet",
    "DemoImage",
    "Patient",
    "PhantomFinding",
    "draw_phantom",
    "pixel_spacing_mm",
    "run_demo",
    "to_dicom",
    "write_data_set",
    "write_report",
]
