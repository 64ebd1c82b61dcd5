"""Reports in DICOM files: structured reports, and PDF documents in DICOM."""

from mcp_cxr.images.documents._read_document import ReportDocument, read_document

__all__ = ["ReportDocument", "read_document"]
