"""The grayscale steps of DICOM, PS3.3 C.11 and PS3.4 N.2, on a table of every value a pixel can have.

An image has 8 or 16 bits, so at most 65,536 values: each step is computed once per value, then the table is looked up
once per pixel. The tests compare these steps with pydicom's `apply_*`, which wrap around for 8-bit tables of more than
256 entries, and raise for an invalid window that is ignored here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mcp_cxr.errors import UnsupportedImage

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    from mcp_cxr.images.dicom import GrayscaleParameters, Lut, Window
    from mcp_cxr.images.pixels import Mask, ValueRange

    Table: TypeAlias = NDArray[np.float64]
    """One number for each value a pixel can have."""

# Gray levels are truncated, not rounded, as in common pipelines: rounding would be half a level above theirs. This
# keeps the error of the division from lowering a level, so that an 8-bit image stays unchanged.
_ROUNDING = 1e-6
_MAX_SHARE_OF_ONE_GRAY: Final = 0.98
"""Share of the pixels outside the padding; a window or VOI LUT that gives more of them one gray is passed over."""


@dataclass(frozen=True, slots=True)
class GrayscaleTable:
    """The gray level of each stored value."""

    gray_levels: NDArray[np.uint8]
    """The gray level by stored value, indexed by its bits as an unsigned number; dense tissue is bright, as
    MONOCHROME2."""
    grayscale_steps: dict[str, Any]
    """The steps: `modality`, `voi` with its figures, `inverted`, `notes`; JSON values."""
    largest_step: float
    """Largest difference of two neighboring values, in gray levels. Infinite if padding lies between the values."""
    steepness: float
    """`largest_step` relative to equal steps: 1 if all steps are equal, and the gray of a mean is then the mean of
    grays."""
    reaches_ends: bool
    """Whether the image comes so close to both ends of the output of its window or VOI LUT that no other pixel could
    change the stretch by more than 4 gray levels."""

    def grays(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """Return the gray levels of `values`, which lie within the range that was scanned."""
        return np.take(self.gray_levels, values.view(f"u{values.itemsize}"))


@np.errstate(all="ignore")  # values that no pixel has may overflow; those in use are checked
def grayscale_table(
    value_range: ValueRange,
    parameters: GrayscaleParameters,
    dtype: np.dtype[Any],
    *,
    window: Window | None = None,
    notes: tuple[str, ...] = (),
) -> GrayscaleTable:
    """Return the gray level of every value in the range.

    Modality LUT or rescale, VOI LUT or else window, MONOCHROME1 inverted once. The darkest pixel becomes 0 and the
    brightest 255, whichever steps came before: a wide window costs no contrast, and images without a window (one in
    twenty of Indiana's) are treated alike. Minimum and maximum, not percentiles: nothing is clipped, and the result is
    that of common pipelines. Padding is ignored and black.

    Args:
        value_range: The range of values of the image at full size.
        parameters: Of the header.
        dtype: Of the stored values.
        window: Replaces VOI LUT and window, and is applied exactly, without the stretch.
        notes: On the stored values; part of `grayscale_steps`.

    Raises:
        UnsupportedImage: `blank image`: all pixels are the same, or padding.
    """
    values = _Values(value_range, parameters.padding)
    all_notes = [*notes, *parameters.notes]
    modality_values, modality = _modality(values.all, parameters)
    if window is None:
        voi_values, voi = _voi(modality_values, values, parameters, all_notes)
        low, high = values.extremes(voi_values)
        brightness, reaches_ends = _stretch(voi_values, low, high), _reaches_both_ends(low, high, voi, parameters)
    else:
        brightness, voi, reaches_ends = apply_window(modality_values, window), _window_step(window), True
    if parameters.inverse:
        brightness = 1 - brightness
    grays = np.floor(brightness * 255 + _ROUNDING).astype(np.uint8)
    grays[values.padding] = 0
    gray_levels = np.zeros(1 << 8 * dtype.itemsize, np.uint8)
    gray_levels[np.arange(value_range.low, value_range.high + 1) % gray_levels.size] = grays
    largest = np.inf if values.padding.any() else float(np.abs(np.diff(brightness)).max())
    grayscale_steps = modality | voi | {"inverted": parameters.inverse, "notes": all_notes}
    return GrayscaleTable(gray_levels, grayscale_steps, 255 * largest, largest * (grays.size - 1), reaches_ends)


class _Values:
    """The stored values from the lowest to the highest, and which of them are padding or in use."""

    def __init__(self, value_range: ValueRange, padding: tuple[int, int] | None) -> None:
        self._value_range = value_range
        self.all: Table = np.arange(value_range.low, value_range.high + 1, dtype=np.float64)
        first, last = padding or (value_range.low - 1, value_range.low - 1)
        self.padding: Mask = (self.all >= first) & (self.all <= last)
        self._ends = (0, self.all.size - 1)
        if self.padding.any():
            used = np.flatnonzero(self.used)
            self._ends = (int(used[0]), int(used[-1])) if used.size else (0, 0)
        if self._ends[0] == self._ends[1]:
            raise UnsupportedImage("blank image")  # an image needs two levels

    @cached_property
    def used(self) -> Mask:
        """Whether a pixel outside the padding has the value."""
        return self._value_range.used() & ~self.padding

    def extremes(self, voi_values: Table) -> tuple[float, float]:
        """Return the lowest and highest entry of `voi_values` that a pixel of the image has.

        If `voi_values` only rises or only falls, they belong to the lowest and highest stored value, which are known to
        occur. Otherwise the values in use are counted.
        """
        first, last = self._ends
        steps = np.diff(voi_values[first : last + 1])
        if (steps >= 0).all() or (steps <= 0).all():
            ends = float(voi_values[first]), float(voi_values[last])
            return min(ends), max(ends)
        used = voi_values[self.used]
        return float(used.min()), float(used.max())

    def are_shown_by(self, voi_values: Table) -> bool:
        """Whether `voi_values` tell pixels apart: not all, nor nearly all of them, become one gray."""
        low, high = self.extremes(voi_values)
        if not low < high:  # false for NaN too
            return False
        offsets = self._value_range.sample.astype(np.intp) - self._value_range.low
        shown = voi_values[offsets[~self.padding[offsets]]]
        if not shown.size:
            return True
        grays = np.clip((shown - low) * (256 / (high - low)), 0, 255).astype(np.uint8)
        return bool(np.bincount(grays).max() <= _MAX_SHARE_OF_ONE_GRAY * shown.size)


def _modality(values: Table, parameters: GrayscaleParameters) -> tuple[Table, dict[str, Any]]:
    if parameters.modality_lut is not None:
        return apply_lut(values, parameters.modality_lut), {"modality": "lut"}
    if (parameters.slope, parameters.intercept) == (1, 0):
        return values, {"modality": "identity"}
    step = {"modality": "rescale", "slope": parameters.slope, "intercept": parameters.intercept}
    return values * parameters.slope + parameters.intercept, step


def _voi(
    modality_values: Table, values: _Values, parameters: GrayscaleParameters, notes: list[str]
) -> tuple[Table, dict[str, Any]]:
    """Return the result of VOI LUT or window, the first that shows the image, else the values unchanged."""
    if parameters.voi_lut is not None:
        voi_values = apply_lut(modality_values, parameters.voi_lut)
        if values.are_shown_by(voi_values):
            return voi_values, {"voi": "lut"}
        notes.append("VOI LUT that blanks the image ignored")
    if parameters.window is not None:
        voi_values = apply_window(modality_values, parameters.window)
        if values.are_shown_by(voi_values):
            return voi_values, _window_step(parameters.window)
        notes.append("window that blanks the image ignored")
    low, high = values.extremes(modality_values)
    return modality_values, {"voi": "stretch", "low": low, "high": high}


def _window_step(window: Window) -> dict[str, Any]:
    return {"voi": "window", "center": window.center, "width": window.width, "function": window.function}


def _reaches_both_ends(low: float, high: float, voi: dict[str, Any], parameters: GrayscaleParameters) -> bool:
    """Return whether `low` and `high` come close to the lowest and highest output of the VOI LUT or window."""
    least, most = 0.0, 1.0
    if voi["voi"] == "lut" and parameters.voi_lut is not None:
        least, most = float(parameters.voi_lut.entries.min()), float(parameters.voi_lut.entries.max())
    elif voi.get("function") not in ("LINEAR", "LINEAR_EXACT"):  # a sigmoid never reaches its ends
        return False
    spare = (most - least) / 64
    return low <= least + spare and high >= most - spare


def _stretch(voi_values: Table, low: float, high: float) -> Table:
    """Return the values scaled so that `low` is 0 and `high` is 1."""
    if not 0 < high - low < np.inf:  # false for NaN too
        raise UnsupportedImage("blank image")
    return np.clip((voi_values - low) / (high - low), 0, 1)


def apply_lut(values: Table, lut: Lut) -> Table:
    """Return the entries for `values`; beyond the ends, the first and the last (PS3.3 C.11.2.1.1)."""
    first = lut.first
    if first >= 1 << 15 and values.max() < first:  # a signed first value with an unsigned VR
        first -= 1 << 16
    index = np.clip(np.rint(values) - first, 0, lut.entries.size - 1).astype(np.intp)
    return lut.entries[index].astype(np.float64)


def apply_window(values: Table, window: Window) -> Table:
    """Return 0 to 1 by the window's function, PS3.3 C.11.2.1.2 and C.11.2.1.3."""
    if window.function == "SIGMOID":
        return 1 / (1 + np.exp(-4 * (values - window.center) / window.width))
    center, width = window.center, window.width
    if window.function == "LINEAR":
        center, width = center - 0.5, width - 1
    if width == 0:
        return (values > center).astype(np.float64)
    return np.clip((values - center) / width + 0.5, 0, 1)
