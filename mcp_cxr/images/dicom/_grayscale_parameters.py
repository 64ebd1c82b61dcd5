"""Reads the grayscale parameters of a header; an invalid one counts as absent and is noted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from mcp_cxr.images.dicom._element_values import integer, item, number, numbers, text, values
from mcp_cxr.images.dicom._header_facts import clean
from mcp_cxr.images.files import LIBRARY_ERRORS

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from mcp_cxr.images.dicom._file import DicomFile, PixelLayout

WindowFunction = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]
_FUNCTIONS: Final[tuple[WindowFunction, ...]] = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
_MAX_ENTRIES: Final = 2**16
_MAX_DEPTH: Final = 16


@dataclass(frozen=True, slots=True)
class Lut:
    """A look-up table, PS3.3 C.11.1.1 and C.11.2.1.1; values outside of it take its first or last entry."""

    first: int
    """The value that maps to the first entry."""
    entries: NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Window:
    """(0028,1050) Window Center and (0028,1051) Window Width, in the units after the modality step."""

    center: float
    width: float
    function: WindowFunction = "LINEAR"
    name: str = ""
    """(0028,1055) Window Center & Width Explanation, cleaned; empty if there is none."""


@dataclass(frozen=True, slots=True)
class GrayscaleParameters:
    """Parameters of the grayscale steps of one image, in their order; the default is that of PNG and JPEG."""

    modality_lut: Lut | None = None
    slope: float = 1.0
    intercept: float = 0.0
    voi_lut: Lut | None = None
    window: Window | None = None
    presets: tuple[Window, ...] = ()
    """Every valid window of the header, for people to choose from; `window` is the first, if valid."""
    inverse: bool = False
    """MONOCHROME1: low values are bright."""
    padding: tuple[int, int] | None = None
    """First and last stored value of padding, both inclusive."""
    notes: tuple[str, ...] = ()
    """Invalid parameters that were ignored."""


def read_grayscale_parameters(file: DicomFile) -> GrayscaleParameters:
    """Read the grayscale parameters of a header; color images have none."""
    if not file.layout.photometric.startswith("MONOCHROME"):
        return GrayscaleParameters()
    elements, notes = file.elements, list[str]()
    high_bit = integer(elements, "HighBit")
    if high_bit is not None and high_bit + 1 != file.layout.bits_stored + file.layout.shift:
        notes.append("impossible high bit ignored")
    modality_lut = _first_lut(file, "ModalityLUTSequence", "modality LUT", notes)
    slope, intercept = (1.0, 0.0) if modality_lut else _rescale(elements, notes)
    voi_lut = _first_lut(file, "VOILUTSequence", "VOI LUT", notes)
    window, presets = _windows(elements, notes)
    return GrayscaleParameters(
        modality_lut=modality_lut,
        slope=slope,
        intercept=intercept,
        voi_lut=voi_lut,
        window=window,
        presets=presets,
        inverse=file.layout.photometric == "MONOCHROME1",
        padding=_padding(elements, file.layout, notes),
        notes=tuple(notes),
    )


def _first_lut(file: DicomFile, keyword: str, name: str, notes: list[str]) -> Lut | None:
    """Return the first item of the sequence; None if absent or invalid."""
    if keyword not in file.elements:
        return None
    table = _read_lut(item(file.elements, keyword), little_endian=file.little_endian)
    if table is None:
        notes.append(f"broken {name} ignored")
    return table


def _read_lut(elements: Dataset | None, *, little_endian: bool) -> Lut | None:
    if elements is None:
        return None
    descriptor = [int(value) for value in numbers(elements, "LUTDescriptor")]
    if len(descriptor) != 3:  # noqa: PLR2004 # PS3.3 C.11.1.1
        return None
    count, first, depth = descriptor
    count = count % _MAX_ENTRIES or _MAX_ENTRIES  # 0 means 2**16; read as signed it may be below 0
    entries = _entries(elements, count, little_endian=little_endian)
    if entries is None or entries.size < count or not 1 <= depth <= _MAX_DEPTH:
        return None
    return Lut(first, entries[:count])


def _entries(elements: Dataset, count: int, *, little_endian: bool) -> NDArray[np.uint16] | None:
    try:
        data: Any = elements.get("LUTData")  # bytes, or numbers by VR
        if not isinstance(data, bytes):
            numbers = np.asarray(data, np.float64).ravel()
            is_valid = np.isfinite(numbers) & (np.abs(numbers) < _MAX_ENTRIES)
            return numbers.astype(np.int64).astype(np.uint16) if is_valid.all() else None
    except LIBRARY_ERRORS:
        return None
    # 8-bit entries may take 8 or 16 bits each; the length decides, PS3.3 C.11.1.1.1.
    width = 2 if len(data) >= 2 * count else 1
    usable = len(data) // width * width
    return np.frombuffer(data[:usable], f"{'<' if little_endian else '>'}u{width}").astype(np.uint16)


def _rescale(elements: Dataset, notes: list[str]) -> tuple[float, float]:
    """(0028,1053) Rescale Slope and (0028,1052) Rescale Intercept, PS3.3 C.11.1.1.2."""
    slope, intercept = number(elements, "RescaleSlope"), number(elements, "RescaleIntercept")
    if slope is not None and intercept is not None:
        return slope, intercept
    if "RescaleSlope" in elements or "RescaleIntercept" in elements:
        notes.append("incomplete rescale ignored")
    return 1.0, 0.0


def _windows(elements: Dataset, notes: list[str]) -> tuple[Window | None, tuple[Window, ...]]:
    """Return the first window, None if absent or invalid, and every valid one."""
    if "WindowCenter" not in elements and "WindowWidth" not in elements:
        return None, ()
    pairs = list(zip(numbers(elements, "WindowCenter"), numbers(elements, "WindowWidth"), strict=False))
    requested = (text(elements, "VOILUTFunction") or "LINEAR").upper()
    function: WindowFunction | None = next((each for each in _FUNCTIONS if each == requested), None)
    if not pairs or function is None:
        notes.append("window of an unknown function ignored" if pairs else "incomplete window ignored")
        return None, ()
    names = values(elements, "WindowCenterWidthExplanation", keep_empty=True) + [""] * len(pairs)
    windows = tuple(
        Window(center, width, function, clean(str(name or "")))
        for (center, width), name in zip(pairs, names, strict=False)
        if _is_valid_width(width, function)
    )
    if _is_valid_width(pairs[0][1], function):
        return windows[0], windows
    notes.append("window width below 1 ignored")
    return None, windows


def _is_valid_width(width: float, function: WindowFunction) -> bool:
    """PS3.3 C.11.2.1.2.1 and C.11.2.1.3: at least 1 for LINEAR, above 0 for the others."""
    return width >= 1 if function == "LINEAR" else width > 0


def _padding(elements: Dataset, layout: PixelLayout, notes: list[str]) -> tuple[int, int] | None:
    """(0028,0120) Pixel Padding Value and (0028,0121) Pixel Padding Range Limit, PS3.3 C.7.5.1.1.2."""
    if "PixelPaddingValue" not in elements:
        return None
    value = integer(elements, "PixelPaddingValue")
    if value is None:
        notes.append("broken padding value ignored")
        return None
    limit = integer(elements, "PixelPaddingRangeLimit")
    ends = sorted(_as_stored(end, layout) for end in (value, value if limit is None else limit))
    return ends[0], ends[1]


def _as_stored(value: int, layout: PixelLayout) -> int:
    """Return a value as the pixels store it; its VR may have the other sign."""
    lowest = -(1 << layout.bits_allocated - 1) if layout.signed else 0
    return (value - lowest) % (1 << layout.bits_allocated) + lowest
