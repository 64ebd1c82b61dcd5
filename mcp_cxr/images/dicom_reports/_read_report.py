"""Reads a report from a DICOM file: its prose, its state, and the identifiers that must be masked in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pydicom

from mcp_cxr.errors import UnsupportedImage
from mcp_cxr.images.dicom import text
from mcp_cxr.images.dicom_reports._pdf import pdf_text
from mcp_cxr.images.dicom_reports._structured_report import is_radiology_report, prose
from mcp_cxr.images.files import open_bounded, translate_library_errors, translate_system_errors

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom.dataset import Dataset

MAX_DOCUMENT_BYTES: Final = 64 << 20
"""Of a file; a report of prose has kilobytes, a scanned one a few megabytes."""
MAX_TEXT_BYTES: Final = 1 << 20
"""Of the text, in UTF-8; as for reports in text files."""
_PDF_CLASS: Final = "1.2.840.10008.5.1.4.1.1.104.1"


@dataclass(frozen=True, slots=True)
class ReportDocument:
    """A report as it stands in a DICOM file. Text and identifiers are patient data: never log or print them."""

    text: str = field(repr=False)
    written: str
    """(0008,0023) Content Date and (0008,0033) Content Time as digits; empty if unknown."""
    is_final: bool
    """Whether it is VERIFIED and COMPLETE, and not flagged PRELIMINARY; a PDF has no such state."""
    patient_name: str | None = field(repr=False)
    patient_id: str | None = field(repr=False)
    birth_date: str | None = field(repr=False)
    accession_number: str | None = field(repr=False)


def read_document(path: Path) -> ReportDocument:
    """Read a report.

    Args:
        path: Absolute and resolved; a regular file.

    Raises:
        UnsupportedImage: It is no report in words (dose, measurements, another title), or there is no text in it.
        CorruptImage: The file is damaged, or nested more deeply than any report.
        ImageError: The file is missing or not readable.
    """
    with translate_system_errors(), open_bounded(path) as file:
        if path.stat().st_size > MAX_DOCUMENT_BYTES:
            raise UnsupportedImage("document too large")
        with translate_library_errors("damaged document"):  # also one that is nested too deeply
            elements: Dataset = pydicom.dcmread(file)  # pyright: ignore[reportUnknownMemberType]  # of a type without arguments
        return _document(elements)


def _document(elements: Dataset) -> ReportDocument:
    is_pdf = text(elements, "SOPClassUID") == _PDF_CLASS
    if not is_pdf and not is_radiology_report(elements):
        raise UnsupportedImage("structured report without prose")
    found = pdf_text(elements) if is_pdf else prose(elements)
    bounded = found.encode("utf-8", "replace")[:MAX_TEXT_BYTES].decode("utf-8", "ignore").strip()
    if not bounded:
        raise UnsupportedImage("document without text")
    written = "".join(text(elements, keyword) or "" for keyword in ("ContentDate", "ContentTime"))
    return ReportDocument(
        text=bounded,
        written="".join(char for char in written if char.isdigit()),
        is_final=is_pdf or _is_final(elements),
        patient_name=text(elements, "PatientName"),
        patient_id=text(elements, "PatientID"),
        birth_date=text(elements, "PatientBirthDate"),
        accession_number=text(elements, "AccessionNumber"),
    )


def _is_final(elements: Dataset) -> bool:
    """Return whether a structured report is complete and verified, PS3.3 C.17.2."""
    state = [(text(elements, name) or "").upper() for name in ("CompletionFlag", "VerificationFlag")]
    return state == ["COMPLETE", "VERIFIED"] and text(elements, "PreliminaryFlag") != "PRELIMINARY"
