"""Writes pixels as a DICOM file like that of an X-ray machine."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from mcp_cxr.demo.phantom import MAX_STORED_VALUE, pixel_spacing_mm

if TYPE_CHECKING:
    from numpy.typing import NDArray

Voi: TypeAlias = Literal["window", "lut", "none"]
Syntax: TypeAlias = Literal["explicit", "implicit", "rle"]

_BITS = 12
_WINDOW = (2100, 3700)
"""Center and width, for an image whose dense tissue is bright."""
_SYNTAX_UIDS = {"explicit": ExplicitVRLittleEndian, "implicit": ImplicitVRLittleEndian}


def to_dicom(
    pixels: NDArray[np.uint16],
    *,
    monochrome1: bool = False,
    voi: Voi = "window",
    syntax: Syntax = "explicit",
    **tags: object,
) -> bytes:
    """Return one image as the bytes of a Digital X-Ray file; the same arguments give the same bytes.

    Args:
        pixels: 12 bits, shape (rows, columns), dense tissue is bright; MONOCHROME1 stores them inverted.
        monochrome1: Whether the lowest stored value is shown white, (0028,0004).
        voi: How the file selects the displayed values, PS3.3 C.11.2: a window, a table, or not at all.
        syntax: Transfer syntax.
        tags: DICOM keywords to set after all others; None removes one.
    """
    uid = UID(str(tags.get("SOPInstanceUID", "2.25.1")))
    ds = FileDataset("", {}, file_meta=_meta(uid, syntax), preamble=bytes(128))
    _set_acquisition(ds, uid)
    _set_pixels(ds, pixels, monochrome1=monochrome1)
    if voi == "window":
        center, width = _WINDOW
        ds.WindowCenter, ds.WindowWidth = str(MAX_STORED_VALUE - center if monochrome1 else center), str(width)
    elif voi == "lut":
        ds.VOILUTSequence = Sequence([_s_curve_lut()])
    for keyword, value in tags.items():
        if value is not None:
            setattr(ds, keyword, value)
        elif keyword in ds:
            delattr(ds, keyword)
    if syntax == "rle":
        ds.compress(RLELossless, generate_instance_uid=False)
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def code_sequence(value: str, meaning: str, *, scheme: str = "SNM3") -> Sequence:
    """Return a code sequence of one item, PS3.3 section 8."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return Sequence([item])


def _meta(uid: UID, syntax: Syntax) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = uid
    meta.TransferSyntaxUID = _SYNTAX_UIDS.get(syntax, ExplicitVRLittleEndian)
    return meta


def _set_acquisition(ds: Dataset, uid: UID) -> None:
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.ImageType = ["DERIVED", "PRIMARY"]
    ds.SOPClassUID, ds.SOPInstanceUID = DigitalXRayImageStorageForPresentation, uid
    ds.Modality, ds.PresentationIntentType, ds.BodyPartExamined = "DX", "FOR PRESENTATION", "CHEST"
    ds.Manufacturer = ds.ManufacturerModelName = "mcp-cxr phantom"
    ds.AccessionNumber = ds.PatientName = ds.ReferringPhysicianName = ""
    ds.PatientIdentityRemoved, ds.BurnedInAnnotation = "YES", "NO"
    ds.SeriesNumber = ds.InstanceNumber = 1
    ds.AnatomicRegionSequence = code_sequence("T-D3000", "Chest")


def _set_pixels(ds: Dataset, pixels: NDArray[np.uint16], *, monochrome1: bool) -> None:
    ds.Rows, ds.Columns = pixels.shape
    ds.SamplesPerPixel, ds.PixelRepresentation = 1, 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, _BITS, _BITS - 1
    ds.PhotometricInterpretation = "MONOCHROME1" if monochrome1 else "MONOCHROME2"
    ds.PresentationLUTShape = "INVERSE" if monochrome1 else "IDENTITY"
    spacing = round(pixel_spacing_mm(*pixels.shape), 4)
    ds.PixelSpacing = ds.ImagerPixelSpacing = [spacing, spacing]
    ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = "1", "0", "US"
    ds.LossyImageCompression = "00"
    ds.add_new("PixelData", "OW", (MAX_STORED_VALUE - pixels if monochrome1 else pixels).astype("<u2").tobytes())


def _s_curve_lut() -> Dataset:
    """Return a table that steepens the middle grays; it is point-symmetric, so it fits MONOCHROME1 as well."""
    x = np.linspace(-1, 1, MAX_STORED_VALUE + 1)
    y = np.tanh(1.6 * x) / np.tanh(1.6)
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [MAX_STORED_VALUE + 1, 0, _BITS])
    item.LUTExplanation = "NORMAL"
    item.add_new("LUTData", "OW", np.rint((y + 1) / 2 * MAX_STORED_VALUE).astype("<u2").tobytes())
    return item
