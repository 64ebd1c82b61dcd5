"""The standard's grey-scale steps, PS3.3 C.11 and PS3.4 N.2, on a table of every value a pixel can have.

A film has 8 or 16 bits, so at most 65,536 values: each step is done once a value, then the table is looked up once a
pixel. pydicom's `apply_*` mean the same where they are right, and the tests hold these to them; they wrap around for
8-bit tables of more than 256 entries, and refuse where a broken window can be passed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mcp_cxr.errors import UnsupportedImage

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    from mcp_cxr.images._decode import Stored
    from mcp_cxr.images._treatment import Lut, Treatment, Window

    Table: TypeAlias = NDArray[np.float64]
    """One number for each value a pixel can have."""
    Mask: TypeAlias = NDArray[np.bool_]

# Greys are cut to whole ones, not rounded, as in the usual pipelines: rounding would lie half a level above theirs. So
# that an 8-bit film stays as it is, the division's own error must not cut one off.
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class GreyFilm:
    """A film at full size as it is looked at."""

    pixels: NDArray[np.uint8]
    """Shape (rows, columns); bright is dense."""
    record: dict[str, Any]
    """What was done: `modality`, `voi` with its figures, `inverted`, `notes`; fit for JSON."""


@np.errstate(all="ignore")  # values no pixel has may overflow; those in use are checked
def to_grey(stored: Stored, treatment: Treatment, *, window: Window | None = None) -> GreyFilm:
    """Return the film in 8 bits.

    Modality LUT or rescale, VOI LUT or else window, MONOCHROME1 inverted once. The darkest pixel becomes 0 and the
    brightest 255, whichever step came before: a generous window costs no contrast, and films without a window (a
    twentieth of Indiana's) end like the others. Minimum and maximum, not percentiles: nothing of the film is cut off,
    and the result is that of the usual pipelines. Padding takes no part and is black.

    Args:
        stored: Stored values, C-contiguous, 8 or 16 bits.
        treatment: What the header asks for.
        window: Stands in for VOI LUT and window, and is kept to exactly, without the stretch.

    Raises:
        UnsupportedImage: `blank image`: all pixels are the same, or padding.
    """
    index = stored.view(f"u{stored.itemsize}")
    values = np.arange(1 << 8 * stored.itemsize, dtype=f"u{stored.itemsize}").view(stored.dtype).astype(np.float64)
    padding = _padding(values, treatment)
    used = np.zeros(values.size, np.bool_)
    used[index] = True
    used &= ~padding
    if np.count_nonzero(used) < 2:  # noqa: PLR2004 # one grey is no picture
        raise UnsupportedImage("blank image")
    notes = list(treatment.notes)
    measured, modality = _modality(values, treatment)
    if window is None:
        shown, voi = _voi(measured, used, treatment, notes)
        brightness = _stretched(shown, used)
    else:
        brightness, voi = windowed(measured, window), _window_record(window)
    if treatment.inverse:
        brightness = 1 - brightness
    table = np.floor(brightness * 255 + _ROUNDING).astype(np.uint8)
    table[padding] = 0
    record = modality | voi | {"inverted": treatment.inverse, "notes": notes}
    return GreyFilm(table[index], record)


def _padding(values: Table, treatment: Treatment) -> Mask:
    if treatment.padding is None:
        return np.zeros(values.size, np.bool_)
    low, high = treatment.padding
    return (values >= low) & (values <= high)


def _modality(values: Table, treatment: Treatment) -> tuple[Table, dict[str, Any]]:
    if treatment.modality_lut is not None:
        return looked_up(values, treatment.modality_lut), {"modality": "lut"}
    if (treatment.slope, treatment.intercept) == (1, 0):
        return values, {"modality": "identity"}
    record = {"modality": "rescale", "slope": treatment.slope, "intercept": treatment.intercept}
    return values * treatment.slope + treatment.intercept, record


def _voi(measured: Table, used: Mask, treatment: Treatment, notes: list[str]) -> tuple[Table, dict[str, Any]]:
    """The first step that is there and leaves a picture; a window beside the film's values would leave none."""
    if treatment.voi_lut is not None:
        shown = looked_up(measured, treatment.voi_lut)
        if _varies(shown[used]):
            return shown, {"voi": "lut"}
        notes.append("VOI LUT that blanks the film ignored")
    if treatment.window is not None:
        shown = windowed(measured, treatment.window)
        if _varies(shown[used]):
            return shown, _window_record(treatment.window)
        notes.append("window that blanks the film ignored")
    return measured, {"voi": "stretch", "low": float(measured[used].min()), "high": float(measured[used].max())}


def _window_record(window: Window) -> dict[str, Any]:
    return {"voi": "window", "center": window.center, "width": window.width, "function": window.function}


def _varies(shown: Table) -> bool:
    return bool(shown.min() < shown.max())


def _stretched(shown: Table, used: Mask) -> Table:
    """Return 0 for the lowest value in use, 1 for the highest."""
    low = shown[used].min()
    spread = shown[used].max() - low
    if not 0 < spread < np.inf:  # false for NaN too
        raise UnsupportedImage("blank image")
    return np.clip((shown - low) / spread, 0, 1)


def looked_up(values: Table, lut: Lut) -> Table:
    """Return the entries for `values`; beyond the ends, the first and the last (PS3.3 C.11.2.1.1)."""
    first = lut.first
    if first >= 1 << 15 and values.min() < 0:  # a signed first value, stored with an unsigned VR
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
