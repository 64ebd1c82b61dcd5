"""The standard's grey-scale steps, PS3.3 C.11 and PS3.4 N.2, on a table of every value a pixel can have.

A film has 8 or 16 bits, so at most 65,536 values: each step is done once a value, then the table is looked up once a
pixel. pydicom's `apply_*` mean the same where they are right, and the tests hold these to them; they wrap around for
8-bit tables of more than 256 entries, and refuse where a broken window can be passed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from mcp_cxr.errors import UnsupportedImage

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    from mcp_cxr.images.dicom import Lut, Treatment, Window
    from mcp_cxr.images.pixels import Survey
    from mcp_cxr.images.pixels._raster import Mask

    Table: TypeAlias = NDArray[np.float64]
    """One number for each value a pixel can have."""

# Greys are cut to whole ones, not rounded, as in the usual pipelines: rounding would lie half a level above theirs. So
# that an 8-bit film stays as it is, the division's own error must not cut one off.
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Grayscale:
    """What becomes of each stored value."""

    table: NDArray[np.uint8]
    """The grey of each value, by its bits read as an unsigned number; bright is dense."""
    record: dict[str, Any]
    """What was done: `modality`, `voi` with its figures, `inverted`, `notes`; fit for JSON."""
    largest_step: float
    """From one value to the next, in greys. Infinite where padding stands between the values."""
    steepness: float
    """`largest_step` against the one there would be if all were alike: 1 where they are, and the grey of a mean is the
    mean of greys."""
    reaches_ends: bool
    """The film comes so close to both ends of what its window or VOI LUT can give that no pixel, however bright or
    dark, could stretch it otherwise by more than 4 greys."""

    def greys(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """Look the greys up; `values` lie between those that were surveyed."""
        return np.take(self.table, values.view(f"u{values.itemsize}"))


@np.errstate(all="ignore")  # values no pixel has may overflow; those in use are checked
def grayscale(survey: Survey, treatment: Treatment, dtype: np.dtype[Any], *, window: Window | None = None) -> Grayscale:
    """Work out the grey of every value there is.

    Modality LUT or rescale, VOI LUT or else window, MONOCHROME1 inverted once. The darkest pixel becomes 0 and the
    brightest 255, whichever step came before: a generous window costs no contrast, and films without a window (a
    twentieth of Indiana's) end like the others. Minimum and maximum, not percentiles: nothing of the film is cut off,
    and the result is that of the usual pipelines. Padding takes no part and is black.

    Args:
        survey: The values of the film at full size.
        treatment: What the header asks for.
        dtype: Of the stored values.
        window: Stands in for VOI LUT and window, and is kept to exactly, without the stretch.

    Raises:
        UnsupportedImage: `blank image`: all pixels are the same, or padding.
    """
    values = _Values(survey, treatment.padding)
    notes = list(treatment.notes)
    measured, modality = _modality(values.all, treatment)
    if window is None:
        shown, voi = _voi(measured, values, treatment, notes)
        low, high = values.extremes(shown)
        brightness, reaches_ends = _stretched(shown, low, high), _comes_close(low, high, _reach(voi, treatment))
    else:
        brightness, voi, reaches_ends = windowed(measured, window), _window_record(window), True
    if treatment.inverse:
        brightness = 1 - brightness
    greys = np.floor(brightness * 255 + _ROUNDING).astype(np.uint8)
    greys[values.padding] = 0
    table = np.zeros(1 << 8 * dtype.itemsize, np.uint8)
    table[np.arange(survey.low, survey.high + 1) % table.size] = greys
    largest = np.inf if values.padding.any() else float(np.abs(np.diff(brightness)).max())
    record = modality | voi | {"inverted": treatment.inverse, "notes": notes}
    return Grayscale(table, record, 255 * largest, largest * (greys.size - 1), reaches_ends)


class _Values:
    """The stored values from the lowest to the highest, and which of them are the film's."""

    def __init__(self, survey: Survey, padding: tuple[int, int] | None) -> None:
        self._survey = survey
        self.all: Table = np.arange(survey.low, survey.high + 1, dtype=np.float64)
        first, last = padding or (survey.low - 1, survey.low - 1)
        self.padding: Mask = (self.all >= first) & (self.all <= last)
        self._ends = (0, self.all.size - 1)
        if self.padding.any():
            used = np.flatnonzero(self.used)
            self._ends = (int(used[0]), int(used[-1])) if used.size else (0, 0)
        if self._ends[0] == self._ends[1]:
            raise UnsupportedImage("blank image")  # one grey is no picture

    @cached_property
    def used(self) -> Mask:
        """Whether a pixel that is no padding has the value."""
        return self._survey.used() & ~self.padding

    def extremes(self, shown: Table) -> tuple[float, float]:
        """Return the least and the most of what the film's values are shown as.

        Where `shown` only rises or only falls they belong to the lowest and the highest value, which are known to be
        there; of those between, only a count tells.
        """
        first, last = self._ends
        steps = np.diff(shown[first : last + 1])
        if (steps >= 0).all() or (steps <= 0).all():
            ends = float(shown[first]), float(shown[last])
            return min(ends), max(ends)
        used = shown[self.used]
        return float(used.min()), float(used.max())


def _modality(values: Table, treatment: Treatment) -> tuple[Table, dict[str, Any]]:
    if treatment.modality_lut is not None:
        return looked_up(values, treatment.modality_lut), {"modality": "lut"}
    if (treatment.slope, treatment.intercept) == (1, 0):
        return values, {"modality": "identity"}
    record = {"modality": "rescale", "slope": treatment.slope, "intercept": treatment.intercept}
    return values * treatment.slope + treatment.intercept, record


def _voi(measured: Table, values: _Values, treatment: Treatment, notes: list[str]) -> tuple[Table, dict[str, Any]]:
    """The first step that is there and leaves a picture; a window beside the film's values would leave none."""
    if treatment.voi_lut is not None:
        shown = looked_up(measured, treatment.voi_lut)
        if _varies(*values.extremes(shown)):
            return shown, {"voi": "lut"}
        notes.append("VOI LUT that blanks the film ignored")
    if treatment.window is not None:
        shown = windowed(measured, treatment.window)
        if _varies(*values.extremes(shown)):
            return shown, _window_record(treatment.window)
        notes.append("window that blanks the film ignored")
    low, high = values.extremes(measured)
    return measured, {"voi": "stretch", "low": low, "high": high}


def _window_record(window: Window) -> dict[str, Any]:
    return {"voi": "window", "center": window.center, "width": window.width, "function": window.function}


def _varies(low: float, high: float) -> bool:
    return low < high  # false for NaN too


def _reach(voi: dict[str, Any], treatment: Treatment) -> tuple[float, float] | None:
    """Return the least and the most that a VOI LUT or window gives; None where they are nowhere reached."""
    if voi["voi"] == "lut" and treatment.voi_lut is not None:
        return float(treatment.voi_lut.entries.min()), float(treatment.voi_lut.entries.max())
    return (0.0, 1.0) if voi.get("function") in ("LINEAR", "LINEAR_EXACT") else None


def _comes_close(low: float, high: float, reach: tuple[float, float] | None) -> bool:
    if reach is None:
        return False
    spare = (reach[1] - reach[0]) / 64
    return low <= reach[0] + spare and high >= reach[1] - spare


def _stretched(shown: Table, low: float, high: float) -> Table:
    """Return 0 for `low`, 1 for `high`."""
    if not 0 < high - low < np.inf:  # false for NaN too
        raise UnsupportedImage("blank image")
    return np.clip((shown - low) / (high - low), 0, 1)


def looked_up(values: Table, lut: Lut) -> Table:
    """Return the entries for `values`; beyond the ends, the first and the last (PS3.3 C.11.2.1.1)."""
    first = lut.first
    if first >= 1 << 15 and values.max() < first:  # a signed first value, stored with an unsigned VR
        first -= 1 << 16
    places = np.clip(np.rint(values) - first, 0, lut.entries.size - 1).astype(np.intp)
    return lut.entries[places].astype(np.float64)


def windowed(values: Table, window: Window) -> Table:
    """Return 0 to 1 by the window's function, PS3.3 C.11.2.1.2 and C.11.2.1.3."""
    if window.function == "SIGMOID":
        return 1 / (1 + np.exp(-4 * (values - window.center) / window.width))
    center, width = window.center, window.width
    if window.function == "LINEAR":
        center, width = center - 0.5, width - 1
    if width == 0:
        return (values > center).astype(np.float64)
    return np.clip((values - center) / width + 0.5, 0, 1)
