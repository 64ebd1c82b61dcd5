"""The usual pipeline, kept slow and literal: what the rooms of this package are compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pydicom
from PIL import Image
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def usual_pipeline(path: Path, size: int | None = None) -> NDArray[np.uint8]:
    """Modality LUT, VOI LUT or window, MONOCHROME1 inverted, min-max to 8 bits, bicubic to `size` squared."""
    facts = pydicom.dcmread(path)
    shown = apply_voi_lut(apply_modality_lut(facts.pixel_array, facts), facts).astype(np.float64)
    if facts.PhotometricInterpretation == "MONOCHROME1":
        shown = shown.max() - shown
    eight = ((shown - shown.min()) / (shown.max() - shown.min()) * 255).astype(np.uint8)
    if size is None:
        return eight
    return np.asarray(Image.fromarray(eight).resize((size, size), Image.Resampling.BICUBIC))


def difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> tuple[int, float]:
    """Largest and mean absolute difference in gray levels."""
    apart = np.abs(one.astype(int) - other.astype(int))
    return int(apart.max()), float(apart.mean())
