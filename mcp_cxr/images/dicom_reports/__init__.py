"""Reports in DICOM files: structured reports, and PDF documents in DICOM."""

from mcp_cxr.images.dicom_reports._read_report import ReportDocument, read_document

__all__ = ["ReportDocument", "read_document"]
