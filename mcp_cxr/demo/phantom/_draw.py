"""Draws the pixels of one image from a patient and an exposure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mcp_cxr.demo.phantom._frontal import frontal
from mcp_cxr.demo.phantom._lateral import lateral
from mcp_cxr.demo.phantom._patient import Patient
from mcp_cxr.demo.phantom._shapes import Frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mcp_cxr.demo.phantom._patient import PhantomFinding
    from mcp_cxr.demo.phantom._shapes import Field

View: TypeAlias = Literal["PA", "AP", "LATERAL"]

DETECTOR_CM = 43.0
"""Longer side of the detector; the other is 35 cm at MIMIC's proportions."""
MAX_STORED_VALUE = 4095
"""Highest stored value of 12 bits; dense tissue is bright."""

_APEX_BELOW_EDGE_CM = 4.6
_SHALLOW_BREATH = 0.86
"""Height of the lungs on a portable image, as a share of a deep breath's."""
_DARKENS_BY_HALF_CM = {"PA": 6.6, "AP": 6.4, "LATERAL": 8.6}
"""Water that halves what is left of the image's blackness; less on a portable image, whose scatter makes it pale."""
_FOG = {"PA": 0.02, "AP": 0.07, "LATERAL": 0.02}
_MOTTLE = {"PA": 0.009, "AP": 0.016, "LATERAL": 0.011}
"""Noise of the detector, as a share of the whole scale."""

_RETAINED_BYTES = 24 * 2**20


def pixel_spacing_mm(rows: int, columns: int) -> float:
    """Return the distance of two pixels' centers on an image of this many pixels, (0018,1164)."""
    return DETECTOR_CM * 10 / max(rows, columns)


def draw_phantom(
    view: View,
    findings: Sequence[PhantomFinding] = (),
    *,
    patient: int = 0,
    exposure: int = 0,
    rows: int = 528,
    columns: int = 430,
) -> NDArray[np.uint16]:
    """Return one image: uint16 of 12 bits, shape (rows, columns), dense tissue is bright.

    Args:
        view: PA and LATERAL are taken standing; AP is a portable image in bed.
        findings: What to draw; everything else is the same as without them.
        patient: Seed of the anatomy; images of one patient share it.
        exposure: Seed of the position and of the noise.
        rows: The longer side of the image is 43 cm.
        columns: As `rows`.
    """
    # glibc keeps freed memory up to twice the largest block freed so far. Without this it returns each of the hundred
    # arrays of an image to the system, and about a third of the time is spent on mapping their pages again.
    np.empty(_RETAINED_BYTES, dtype=np.uint8)
    body = Patient.of(patient)
    rng = np.random.default_rng([exposure, 3])
    frame = _frame(body, view, (rows, columns), rng)
    if view == "LATERAL":
        water_cm = lateral(body, frame, findings)
    else:
        water_cm = frontal(body, frame, findings, portable=view == "AP")
    image = _expose(water_cm, view, rng)
    return (np.maximum(image, _marker(view, frame)) * MAX_STORED_VALUE).astype(np.uint16)


def _frame(body: Patient, view: View, shape: tuple[int, int], rng: np.random.Generator) -> Frame:
    """Return the patient's position on the detector, slightly off center."""
    px_per_cm = 10 / pixel_spacing_mm(*shape)
    loose = 2.0 if view == "AP" else 1.0
    midline = shape[1] / px_per_cm / 2 + float(rng.uniform(-0.6, 0.6)) * loose
    apex = _APEX_BELOW_EDGE_CM + float(rng.uniform(-0.7, 0.9))
    breath = _SHALLOW_BREATH if view == "AP" else 1.0
    width = body.depth_cm if view == "LATERAL" else body.half_width_cm
    lean = float(rng.uniform(-0.012, 0.012)) * loose
    return Frame.on_detector(
        shape,
        px_per_cm=px_per_cm,
        thorax_cm=(width, body.height_cm * breath),
        origin_cm=(midline, apex),
        lean=lean,
    )


def _expose(water_cm: Field, view: View, rng: np.random.Generator) -> Field:
    """Turn thickness into the image's brightness, 0 to 1: each further centimeter brightens it less (Beer-Lambert)."""
    black = np.exp2(-np.maximum(_blur(water_cm), 0) / _DARKENS_BY_HALF_CM[view])
    image = 1 - black * (1 - _FOG[view])
    noise = _blur(rng.standard_normal(image.shape, dtype=np.float32)) * (2.2 * _MOTTLE[view])
    return np.clip(image * 0.97 + noise * np.sqrt(image), 0, 1)


def _blur(field: Field) -> Field:
    """Blur a little, as the focus and the detector do: weights 1, 2, 1 along both axes."""
    padded = np.pad(field, 1, mode="edge")
    down = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    return (down[:, :-2] + 2 * down[:, 1:-1] + down[:, 2:]) / 16


def _marker(view: View, frame: Frame) -> Field:
    """Return the letters at the patient's left shoulder, which mark the image as a phantom."""
    rows, columns = frame.shape
    layer = Image.new("L", (columns, rows))
    pen = ImageDraw.Draw(layer)
    line = round(1.4 * frame.px_per_cm)
    corner = (columns - 4.6 * frame.px_per_cm, 0.6 * frame.px_per_cm)
    pen.text(corner, "L", fill=250, font=ImageFont.load_default(line))
    small = "PHANTOM\nPORTABLE" if view == "AP" else "PHANTOM"
    pen.text((corner[0], corner[1] + 1.2 * line), small, fill=215, font=ImageFont.load_default(line * 0.45))
    return np.asarray(layer, dtype=np.float32) / 255
