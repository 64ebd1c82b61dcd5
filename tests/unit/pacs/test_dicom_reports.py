"""Reports in DICOM files: prose of structured reports and text of PDFs, within bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pydicom
import pytest

from mcp_cxr.errors import ImageError
from mcp_cxr.images import ImageReader
from mcp_cxr.images.dicom_reports import read_document
from tests.support.image_files import dicom
from tests.support.pacs import deep_report, structured_report

if TYPE_CHECKING:
    from pathlib import Path


def pdf_of(text: str, *, pages: int = 1) -> bytes:
    """Write a PDF by hand: pypdf reads, and writes no text."""
    content = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [" + b"3 0 R " * pages + b"] /Count " + str(pages).encode() + b" >>",
        b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length " + str(len(content)).encode() + b" >> stream\n" + content + b"\nendstream",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    body, places = b"%PDF-1.4\n", list[int]()
    for number, one in enumerate(objects, 1):
        places.append(len(body))
        body += f"{number} 0 obj\n".encode() + one + b"\nendobj\n"
    table = b"xref\n0 6\n0000000000 65535 f \n" + b"".join(f"{place:010} 00000 n \n".encode() for place in places)
    return body + table + b"trailer << /Size 6 /Root 1 0 R >>\nstartxref\n" + str(len(body)).encode() + b"\n%%EOF\n"


def encapsulated(path: Path, document: bytes, kind: str = "application/pdf") -> Path:
    """Write a PDF document in DICOM."""
    elements: Any = pydicom.dcmread(dicom(path, 1))
    del elements.PixelData
    elements.SOPClassUID = elements.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.104.1"
    elements.MIMETypeOfEncapsulatedDocument = kind
    elements.EncapsulatedDocument = document + b"\0" * (len(document) % 2)
    elements.save_as(path)
    return path


def test_a_structured_report(tmp_path: Path):
    found = read_document(structured_report(tmp_path / "sr.dcm", "Small left effusion."))
    assert found.text == "FINDINGS:\nSmall left effusion."
    assert (found.is_final, found.written, found.patient_name) == (True, "20261101101500", "Sample^Maria")
    assert "Sample" not in repr(found)
    assert "effusion" not in repr(found)


def test_a_report_that_is_not_verified_is_not_final(tmp_path: Path):
    assert not read_document(structured_report(tmp_path / "sr.dcm", "Clear.", verified=False)).is_final


@pytest.mark.parametrize("title", ["Radiology Report", "Chest 2 views", "Röntgenbefund", "Informe radiológico"])
def test_titles_of_reports(tmp_path: Path, title: str):
    path = structured_report(tmp_path / "sr.dcm", "Clear.", title=title, SpecificCharacterSet="ISO_IR 192")
    assert "Clear." in read_document(path).text


@pytest.mark.parametrize(
    "title", ["X-Ray Radiation Dose Report", "Chest CAD Report", "Basic Measurements", "Key Object Selection", ""]
)
def test_titles_of_other_documents(tmp_path: Path, title: str):
    with pytest.raises(ImageError, match="without prose"):
        read_document(structured_report(tmp_path / "sr.dcm", "Clear.", title=title))


def test_the_text_of_a_pdf(tmp_path: Path):
    assert read_document(encapsulated(tmp_path / "pdf.dcm", pdf_of("Small effusion"))).text == "Small effusion"


@pytest.mark.parametrize(
    ("document", "kind", "reason"),
    [
        (b"no PDF at all", "application/pdf", "damaged PDF"),
        (pdf_of("x")[:200], "application/pdf", "damaged PDF"),
        (pdf_of("x", pages=201), "application/pdf", "more than 200 pages"),
        (pdf_of(""), "application/pdf", "without text"),
        (pdf_of("x"), "text/xml", "no PDF"),
        (b"", "application/pdf", "damaged PDF"),
    ],
)
def test_documents_that_are_not_read(tmp_path: Path, document: bytes, kind: str, reason: str):
    with pytest.raises(ImageError, match=reason):
        read_document(encapsulated(tmp_path / "pdf.dcm", document, kind))


@pytest.mark.parametrize("levels", [40, 300, 10_000])
async def test_a_deep_report_is_refused_in_a_worker(tmp_path: Path, levels: int):
    path = deep_report(tmp_path / "sr.dcm", levels)
    async with ImageReader(workers=1) as reader:
        with pytest.raises(ImageError, match=r"damaged document|nested too deeply"):
            await reader.read_document(path)
        assert "Clear." in (await reader.read_document(structured_report(tmp_path / "good.dcm", "Clear."))).text
