"""Reads a DICOM file up to its pixels: allow-listed elements, transfer syntax, offset of the pixel data."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from mcp_cxr.errors import CorruptImage, UnsupportedImage
from mcp_cxr.images.dicom._element_values import integer, text
from mcp_cxr.images.dicom._eligibility import check_eligibility
from mcp_cxr.images.dicom._read_elements import (
    TRUNCATED,
    ElementList,
    PixelElement,
    read_elements,
    read_transfer_syntax,
)
from mcp_cxr.images.files import DEFLATE, NeedsDecoding, inflate

if TYPE_CHECKING:
    from typing import BinaryIO

    from pydicom.dataset import Dataset

MAX_PIXELS: Final = 64_000_000
"""Largest rows x columns that is decoded; an image of 43 x 35 cm at 0.1 mm has 15 million."""

TEXT_KEYWORDS: Final = (
    "Modality",
    "BodyPartExamined",
    "PhotometricInterpretation",
    "BurnedInAnnotation",
    "StudyDescription",
    "SeriesDescription",
    "ProtocolName",
    "PerformedProcedureStepDescription",
    "Manufacturer",
    "ManufacturerModelName",
)
"""Elements whose text may be stored and displayed."""
_PALETTE: Final = ("Red", "Green", "Blue")
_WANTED: Final = ElementList(
    values=(
        *TEXT_KEYWORDS,
        *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "PatientID", "StudyDate", "StudyTime"),
        *("ViewPosition", "PatientOrientation", "RequestedProcedureDescription"),
        *("Rows", "Columns", "SamplesPerPixel", "PlanarConfiguration", "NumberOfFrames"),
        *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelSpacing", "ImagerPixelSpacing"),
        *("PixelPaddingValue", "PixelPaddingRangeLimit", "RescaleSlope", "RescaleIntercept"),
        *("WindowCenter", "WindowWidth", "WindowCenterWidthExplanation", "VOILUTFunction"),
        *(f"{color}PaletteColorLookupTableDescriptor" for color in _PALETTE),
    ),
    tables=(
        "LUTData",
        *(f"{color}PaletteColorLookupTableData" for color in _PALETTE),
        *(f"Segmented{color}PaletteColorLookupTableData" for color in _PALETTE),
    ),
    sequences=(
        *("ViewCodeSequence", "AnatomicRegionSequence", "ProcedureCodeSequence"),
        *("ModalityLUTSequence", "VOILUTSequence"),
    ),
    in_items=("CodeValue", "CodeMeaning", "LUTDescriptor", "LUTData"),
)
"""The only elements that are read; names, birth dates, comments and private elements are never parsed into values."""

_IDENTIFIERS: Final = ("SOPInstanceUID", "StudyInstanceUID", "PatientID")


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """How the pixels are stored, PS3.3 C.7.6.3."""

    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    shift: int
    """Bits below the stored ones, from (0028,0102) High Bit."""
    signed: bool
    photometric: str
    planar: int


@dataclass(frozen=True, slots=True)
class DicomFile:
    """A DICOM file whose pixels have not been read."""

    elements: Dataset
    """The allow-listed elements before the pixel data."""
    layout: PixelLayout
    syntax: UID
    little_endian: bool
    source: BinaryIO
    pixels: PixelElement
    uncompressed_only: bool
    """Pixels that would have to be decoded raise `NeedsDecoding`."""


def open_dicom(source: BinaryIO, *, any_body_part: bool, uncompressed_only: bool) -> DicomFile:
    """Read a header; `source` must stay open while the pixels are wanted.

    Raises:
        NeedsDecoding: A deflated data set, with `uncompressed_only`.
        UnsupportedImage: As `check_eligibility`; no pixel data, more than one frame, too many pixels, a layout that
            radiographs do not have, or a deflated data set that is too large when decompressed.
        CorruptImage: A deflated data set that ends early, or a header that pydicom cannot read, that contradicts itself
            or lacks the size.
    """
    syntax = read_transfer_syntax(source)
    if syntax == DeflatedExplicitVRLittleEndian:
        if uncompressed_only:
            raise NeedsDecoding
        source, syntax = io.BytesIO(inflate(source.read(), wbits=DEFLATE)), ExplicitVRLittleEndian
    header = read_elements(source, syntax, _WANTED)
    elements = header.elements
    check_eligibility(elements, any_body_part=any_body_part)
    if header.pixels is None:
        raise CorruptImage(TRUNCATED) if header.is_truncated else UnsupportedImage("no pixel data")
    if syntax is None:
        explicit = ExplicitVRLittleEndian if header.is_little_endian else ExplicitVRBigEndian
        syntax = ImplicitVRLittleEndian if header.is_implicit else explicit
    return DicomFile(
        elements, _pixel_layout(elements), syntax, header.is_little_endian, source, header.pixels, uncompressed_only
    )


@dataclass(frozen=True, slots=True)
class Identifiers:
    """What a DICOM file says that it is. Never store, log or display them."""

    sop_instance_uid: str | None = field(repr=False)
    study_instance_uid: str | None = field(repr=False)
    patient_id: str | None = field(repr=False)


def identifiers(source: BinaryIO) -> Identifiers:
    """Read the identifiers of a DICOM file of any class.

    Raises:
        UnsupportedImage: The header is larger than that of any radiograph or report.
        CorruptImage: The header is damaged.
    """
    syntax = read_transfer_syntax(source)
    if syntax == DeflatedExplicitVRLittleEndian:
        source, syntax = io.BytesIO(inflate(source.read(), wbits=DEFLATE)), ExplicitVRLittleEndian
    wanted = ElementList(values=_IDENTIFIERS, tables=(), sequences=(), in_items=())
    elements = read_elements(source, syntax, wanted).elements
    return Identifiers(*(text(elements, keyword) for keyword in _IDENTIFIERS))


def _pixel_layout(elements: Dataset) -> PixelLayout:
    """Check and return how the pixels are stored."""
    rows, columns = integer(elements, "Rows") or 0, integer(elements, "Columns") or 0
    if rows < 1 or columns < 1:
        raise CorruptImage("no rows or columns")
    if rows * columns > MAX_PIXELS:
        raise UnsupportedImage("more than 64 megapixels")
    if (integer(elements, "NumberOfFrames") or 1) > 1:
        raise UnsupportedImage("more than one frame")
    samples = integer(elements, "SamplesPerPixel") or 1
    allocated = integer(elements, "BitsAllocated") or 0
    stored = integer(elements, "BitsStored") or allocated
    if allocated not in (8, 16) or samples not in (1, 3):
        raise UnsupportedImage("neither 8 nor 16 bits, or neither one nor three samples")
    if not 1 <= stored <= allocated:
        raise CorruptImage("more bits stored than allocated")
    return PixelLayout(
        rows=rows,
        columns=columns,
        samples=samples,
        bits_allocated=allocated,
        bits_stored=stored,
        shift=_shift(elements, allocated, stored),
        signed=integer(elements, "PixelRepresentation") == 1,
        photometric=text(elements, "PhotometricInterpretation") or ("RGB" if samples > 1 else "MONOCHROME2"),
        planar=integer(elements, "PlanarConfiguration") or 0,
    )


def _shift(elements: Dataset, allocated: int, stored: int) -> int:
    """Return the bits below the stored ones, PS3.5 8.1.1; a high bit for which there is no room is not believed."""
    high_bit = integer(elements, "HighBit")
    return 0 if high_bit is None or not stored <= high_bit + 1 <= allocated else high_bit + 1 - stored


def syntax_name(syntax: UID) -> str:
    """Return the registered name of a transfer syntax; `unknown` for any other, whose UID is text of the file."""
    return syntax.name if syntax.name != str(syntax) else "unknown"
