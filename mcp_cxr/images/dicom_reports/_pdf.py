"""The text layer of a PDF document in a DICOM file, PS3.3 A.45.1; nothing else of it is opened."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from mcp_cxr.errors import CorruptImage, UnsupportedImage
from mcp_cxr.images.dicom import text
from mcp_cxr.images.files import translate_library_errors

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_MAX_PAGES: Final = 200
_MAX_CHARACTERS: Final = 1 << 20


def pdf_text(elements: Dataset) -> str:
    """Return the text layer of the document, page by page.

    Embedded files, scripts and links are never looked at.

    Raises:
        UnsupportedImage: It is no PDF, encrypted, longer than 200 pages, or pypdf is not installed.
        CorruptImage: It is damaged.
    """
    if (text(elements, "MIMETypeOfEncapsulatedDocument") or "").lower() != "application/pdf":
        raise UnsupportedImage("document that is no PDF")
    try:
        import pypdf  # an extra: most archives have no such reports
        from pypdf.errors import PyPdfError
    except ImportError:
        raise UnsupportedImage("PDF; to read them, install mcp-cxr[pdf]") from None
    pages: list[str] = []
    with translate_library_errors("damaged PDF"):
        try:
            reader = pypdf.PdfReader(io.BytesIO(bytes(elements["EncapsulatedDocument"].value or b"")))
            if not reader.is_encrypted and len(reader.pages) <= _MAX_PAGES:
                for page in reader.pages:
                    pages.append(page.extract_text())
                    if sum(map(len, pages)) > _MAX_CHARACTERS:
                        break
                return "\n".join(pages)
        except PyPdfError as exc:
            raise CorruptImage("damaged PDF") from exc
    raise UnsupportedImage("encrypted PDF" if reader.is_encrypted else "PDF of more than 200 pages")
