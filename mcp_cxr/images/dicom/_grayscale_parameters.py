"""What a header asks to be done to the stored values; whatever is broken counts as absent and is noted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from mcp_cxr.images.dicom._elements import integer, item, number, numbers, text, values
from mcp_cxr.images.dicom._header import clean
from mcp_cxr.images.source import FAULTS

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from mcp_cxr.images.dicom._file import DicomFile, Layout

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


@dataclass(frozen=True, slots=True)
class Preset:
    """A window that the header offers."""

    name: str
    """(0028,1055) Window Center & Width Explanation, cleaned; empty where it has none."""
    window: Window


@dataclass(frozen=True, slots=True)
class Treatment:
    """The grey-scale steps of one film, in their order; the default is a plain picture's."""

    modality_lut: Lut | None = None
    slope: float = 1.0
    intercept: float = 0.0
    voi_lut: Lut | None = None
    window: Window | None = None
    presets: tuple[Preset, ...] = ()
    """Every window of the header that can be used, for people to choose from; `window` is the first, if it can be."""
    inverse: bool = False
    """MONOCHROME1: low values are bright."""
    padding: tuple[int, int] | None = None
    """Stored values, both inclusive, that are no part of the film."""
    notes: tuple[str, ...] = ()
    """What was broken and is ignored."""


def treatment_of(file: DicomFile, layout: Layout) -> Treatment:
    """Read the steps from a header; colour has none."""
    if not layout.photometric.startswith("MONOCHROME"):
        return Treatment()
    facts, notes = file.facts, list[str]()
    modality_lut = _lut(file, "ModalityLUTSequence", "modality LUT", notes)
    slope, intercept = (1.0, 0.0) if modality_lut else _rescale(facts, notes)
    return Treatment(
        modality_lut=modality_lut,
        slope=slope,
        intercept=intercept,
        voi_lut=_lut(file, "VOILUTSequence", "VOI LUT", notes),
        window=_window(facts, notes),
        presets=_presets(facts),
        inverse=layout.photometric == "MONOCHROME1",
        padding=_padding(facts, layout, notes),
        notes=tuple(notes),
    )


def _lut(file: DicomFile, keyword: str, name: str, notes: list[str]) -> Lut | None:
    """The first item of the sequence."""
    if keyword not in file.facts:
        return None
    try:
        table = _table(item(file.facts, keyword), little_endian=file.little_endian)
    except FAULTS:
        table = None
    if table is None:
        notes.append(f"broken {name} ignored")
    return table


def _table(facts: Dataset | None, *, little_endian: bool) -> Lut | None:
    if facts is None:
        return None
    count, first, depth = (int(one) for one in values(facts, "LUTDescriptor"))
    count = count % _MAX_ENTRIES or _MAX_ENTRIES  # 0 stands for 2**16; read as signed it may be below 0
    entries = _entries(facts.get("LUTData"), count, little_endian=little_endian)
    if entries.size < count or not 1 <= depth <= _MAX_DEPTH:
        return None
    return Lut(first, entries[:count])


def _entries(data: Any, count: int, *, little_endian: bool) -> NDArray[np.uint16]:  # noqa: ANN401 # pydicom's: bytes, or numbers by VR
    if not isinstance(data, bytes):
        return np.asarray(data).astype(np.uint16).ravel()
    # 8-bit entries may stand in 8 or in 16 bits each; the length tells, PS3.3 C.11.1.1.1.
    width = 2 if len(data) >= 2 * count else 1
    usable = len(data) // width * width
    return np.frombuffer(data[:usable], f"{'<' if little_endian else '>'}u{width}").astype(np.uint16)


def _rescale(facts: Dataset, notes: list[str]) -> tuple[float, float]:
    """(0028,1053) Rescale Slope and (0028,1052) Rescale Intercept, PS3.3 C.11.1.1.2."""
    slope, intercept = number(facts, "RescaleSlope"), number(facts, "RescaleIntercept")
    if slope is not None and intercept is not None:
        return slope, intercept
    if "RescaleSlope" in facts or "RescaleIntercept" in facts:
        notes.append("incomplete rescale ignored")
    return 1.0, 0.0


def _window(facts: Dataset, notes: list[str]) -> Window | None:
    """The first of several windows."""
    if "WindowCenter" not in facts and "WindowWidth" not in facts:
        return None
    center, width = number(facts, "WindowCenter"), number(facts, "WindowWidth")
    function = _function(facts)
    if center is None or width is None:
        notes.append("incomplete window ignored")
    elif function is None:
        notes.append("window of an unknown function ignored")
    elif not _is_wide(width, function):
        notes.append("window width below 1 ignored")
    else:
        return Window(center, width, function)
    return None


def _presets(facts: Dataset) -> tuple[Preset, ...]:
    function = _function(facts)
    if function is None:
        return ()
    pairs = zip(numbers(facts, "WindowCenter"), numbers(facts, "WindowWidth"), strict=False)
    windows = [Window(center, width, function) for center, width in pairs if _is_wide(width, function)]
    names = [clean(str(one)) for one in values(facts, "WindowCenterWidthExplanation")]
    names += [""] * len(windows)
    return tuple(map(Preset, names, windows))


def _function(facts: Dataset) -> WindowFunction | None:
    """(0028,1056) VOI LUT Function."""
    asked = (text(facts, "VOILUTFunction") or "LINEAR").upper()
    return next((function for function in _FUNCTIONS if function == asked), None)


def _is_wide(width: float, function: WindowFunction) -> bool:
    """PS3.3 C.11.2.1.2.1 and C.11.2.1.3: at least 1 for LINEAR, above 0 for the others."""
    return width >= 1 if function == "LINEAR" else width > 0


def _padding(facts: Dataset, layout: Layout, notes: list[str]) -> tuple[int, int] | None:
    """(0028,0120) Pixel Padding Value and (0028,0121) Pixel Padding Range Limit, PS3.3 C.7.5.1.1.2."""
    if "PixelPaddingValue" not in facts:
        return None
    value = integer(facts, "PixelPaddingValue")
    if value is None:
        notes.append("broken padding value ignored")
        return None
    limit = integer(facts, "PixelPaddingRangeLimit")
    ends = sorted(_as_stored(end, layout) for end in (value, value if limit is None else limit))
    return ends[0], ends[1]


def _as_stored(value: int, layout: Layout) -> int:
    """A value whose VR had the other sign than the pixels."""
    half, whole = 1 << (layout.bits_allocated - 1), 1 << layout.bits_allocated
    if layout.signed:
        return (value + half) % whole - half
    return value % whole
