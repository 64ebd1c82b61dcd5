"""Small DICOM files, made as a test needs them."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

DX = "1.2.840.10008.5.1.4.1.1.1.1"


def phantom(rows: int = 96, columns: int = 80, *, top: int = 4095) -> NDArray[np.uint16]:
    """Stored values with smooth shading, an edge and a bright spot."""
    down, across = np.mgrid[0:rows, 0:columns]
    shade = 0.25 + 0.5 * np.sin(down / 17) ** 2 * np.cos(across / 23) ** 2
    shade[:, : columns // 8] = 0.02
    shade[rows // 3 : rows // 3 + 9, columns // 2 : columns // 2 + 9] = 1
    return (shade * top).astype(np.uint16)


def radiograph(rows: int = 3056, columns: int = 2544, *, top: int = 4095, seed: int = 7) -> NDArray[np.uint16]:
    """Stored values of an image's size and grain: broad shades, ribs, a bright marker, the noise of a detector."""
    down, across = (np.linspace(0, 1, count, dtype=np.float32) for count in (rows, columns))
    shade = 0.2 + 0.45 * np.outer(np.sin(3 * down) ** 2, np.cos(4 * across - 2) ** 2)
    shade += 0.05 * np.sin(40 * down + 5 * np.sin(5 * across.reshape(1, -1)).T).reshape(columns, rows).T
    shade[rows // 20 : rows // 12, columns // 9 : columns // 7] = 0.9
    for axis in (0, 1):  # no focal spot is a point: edges are a few pixels wide
        shade = (shade + np.roll(shade, 1, axis) + np.roll(shade, 2, axis) + np.roll(shade, 3, axis)) / 4
    shade += np.random.default_rng(seed).normal(0, 0.002, shade.shape)
    return np.rint(np.clip(shade, 0, 1) * top).astype(np.uint16)


def dicom_image(pixels: NDArray[Any] | None = None, **elements: Any) -> FileDataset:
    """A DX image of 12 bits with these elements on top; None takes one away."""
    pixels = phantom() if pixels is None else pixels
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UID(DX), UID("2.25.1")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    facts = FileDataset(BytesIO(), {}, file_meta=meta, preamble=b"\0" * 128)
    facts.SOPClassUID, facts.SOPInstanceUID, facts.StudyInstanceUID = DX, "2.25.1", "2.25.2"
    facts.PatientID, facts.PatientName, facts.Modality = "MRN-77", "DOE^JANE", "DX"
    facts.Rows, facts.Columns = pixels.shape[:2]
    facts.SamplesPerPixel, facts.PhotometricInterpretation = 1, "MONOCHROME2"
    facts.BitsAllocated = 8 * pixels.dtype.itemsize
    facts.BitsStored = min(12, facts.BitsAllocated)
    facts.HighBit, facts.PixelRepresentation = facts.BitsStored - 1, int(pixels.dtype.kind == "i")
    facts.add_new("PixelData", "OW", pixels.tobytes())
    for keyword, value in elements.items():
        if value is None:
            delattr(facts, keyword)
        else:
            setattr(facts, keyword, value)
    return facts


def saved(facts: FileDataset, path: Path) -> Path:
    """Write an image, and say where."""
    facts.save_as(path, enforce_file_format=True)
    return path


def coded(value: str, meaning: str) -> Sequence:
    """A code sequence of one item."""
    item = Dataset()
    item.CodeValue, item.CodeMeaning = value, meaning
    return Sequence([item])


def lut(entries: NDArray[Any], *, first: int = 0, depth: int = 16) -> Sequence:
    """A LUT sequence of one item; entries are written as they are."""
    item = Dataset()
    item.add_new("LUTDescriptor", "US" if first >= 0 else "SS", [len(entries) % 65536, first, depth])
    item.add_new("LUTData", "OW", entries.tobytes())
    return Sequence([item])
