"""Reads a DICOM file up to its pixels: allow-listed elements, transfer syntax, offset of the pixel data."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pydicom.datadict import tag_for_keyword
from pydicom.filereader import read_dataset, read_partial
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from mcp_cxr.errors import CorruptImage, UnsupportedImage
from mcp_cxr.images.dicom._elements import integer, text
from mcp_cxr.images.dicom._eligibility import check_eligibility
from mcp_cxr.images.files import DEFLATE, NeedsDecoding, inflate, translate_library_errors

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from pydicom.dataset import Dataset
    from pydicom.tag import BaseTag

MAX_PIXELS: Final = 64_000_000
"""Largest rows x columns that is decoded; an image of 43 x 35 cm at 0.1 mm has 15 million."""
UNDEFINED_LENGTH: Final = 0xFFFFFFFF

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
_READ_KEYWORDS: Final = (
    *TEXT_KEYWORDS,
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "PatientID", "StudyDate", "DirectoryRecordSequence"),
    *("ViewPosition", "ViewCodeSequence", "PatientOrientation", "AnatomicRegionSequence"),
    *("ProcedureCodeSequence", "RequestedProcedureDescription"),
    *("Rows", "Columns", "SamplesPerPixel", "PlanarConfiguration", "NumberOfFrames"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelSpacing", "ImagerPixelSpacing"),
    *("PixelPaddingValue", "PixelPaddingRangeLimit", "ModalityLUTSequence", "RescaleSlope", "RescaleIntercept"),
    *("VOILUTSequence", "WindowCenter", "WindowWidth", "WindowCenterWidthExplanation", "VOILUTFunction"),
    *(f"{color}PaletteColorLookupTableDescriptor" for color in ("Red", "Green", "Blue")),
    *(f"{color}PaletteColorLookupTableData" for color in ("Red", "Green", "Blue")),
    *(f"Segmented{color}PaletteColorLookupTableData" for color in ("Red", "Green", "Blue")),
)
_READ_TAGS = [tag for keyword in _READ_KEYWORDS if (tag := tag_for_keyword(keyword)) is not None]
"""The only elements that are read; names, birth dates, comments and private elements are never parsed into values."""
_PIXEL_GROUP = 0x7FE0
_DAMAGED: Final = "damaged header"
_META_GROUP = 0x0002


@dataclass(frozen=True, slots=True)
class PixelElement:
    """(7FE0,0010) Pixel Data, not yet read."""

    vr: str
    length: int
    offset: int
    """Offset of the value in the file, in bytes."""


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
    with translate_library_errors(_DAMAGED):
        syntax = _meta_syntax(source)
    if syntax == DeflatedExplicitVRLittleEndian:  # pydicom would decompress it without a bound, even for a header
        if uncompressed_only:
            raise NeedsDecoding
        source, syntax = io.BytesIO(inflate(source.read(), wbits=DEFLATE)), ExplicitVRLittleEndian
    found: list[tuple[str | None, int]] = []

    def at_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:
        if tag == 0x7FE00010:  # noqa: PLR2004 # Pixel Data
            found.append((vr, length))
        return tag.group >= _PIXEL_GROUP

    with translate_library_errors(_DAMAGED):
        elements = _read_facts(source, syntax, at_pixels)
        implicit, little_endian = elements.original_encoding
    check_eligibility(elements, any_body_part=any_body_part)
    if not found:
        raise UnsupportedImage("no pixel data")
    (vr, length), start = found[0], source.tell()
    # `start` is that of the tag; implicit VR has 8 bytes before the value, OB and OW have 12 (PS3.5 7.1).
    pixels = PixelElement(vr or "OW", length, start + (8 if vr is None else 12))
    if syntax is None:
        explicit = ExplicitVRLittleEndian if little_endian else ExplicitVRBigEndian
        syntax = ImplicitVRLittleEndian if implicit else explicit
    return DicomFile(elements, _pixel_layout(elements), syntax, bool(little_endian), source, pixels, uncompressed_only)


def _read_facts(source: BinaryIO, syntax: UID | None, at_pixels: Callable[[BaseTag, str | None, int], bool]) -> Dataset:
    """Read the data set at the position of `source`; without a syntax, pydicom guesses it from the first bytes."""
    if syntax is None:
        source.seek(0)
        return read_partial(source, stop_when=at_pixels, force=True, specific_tags=list(_READ_TAGS))
    is_implicit, is_little_endian = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
    return read_dataset(source, is_implicit, is_little_endian, stop_when=at_pixels, specific_tags=list(_READ_TAGS))


def _meta_syntax(source: BinaryIO) -> UID | None:
    """Return (0002,0010) Transfer Syntax UID and leave `source` at the start of the data set."""
    start = source.read(132)
    source.seek(132 if start.endswith(b"DICM") else 0)
    meta = read_dataset(
        source, is_implicit_VR=False, is_little_endian=True, stop_when=lambda tag, vr, length: tag.group != _META_GROUP
    )
    syntax = text(meta, "TransferSyntaxUID")
    return UID(syntax) if syntax else None


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
