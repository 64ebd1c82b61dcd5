"""Draws the chest from the front: each organ adds or removes centimeters of water along the ray.

Right is the patient's right, on the left of the image, where `u` is negative. `out` is the distance from the midline
towards one side, so that one description serves both lungs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.demo.phantom._devices import devices_from_the_front
from mcp_cxr.demo.phantom._shapes import ball, bell, profile, rounded, smooth_path, smoothstep
from mcp_cxr.demo.phantom._vessels import pulmonary_tree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_cxr.demo.phantom._patient import Grade, Patient, PhantomFinding, Side
    from mcp_cxr.demo.phantom._shapes import Field, Frame, Point

SIGN: dict[Side, int] = {"right": -1, "left": 1}
SIDES: tuple[Side, Side] = ("right", "left")

# (height v, half width) of the inner chest wall, the inner border of the lungs, and the skin.
_CHEST_WALL = ((-0.1, 0.46), (0.0, 0.56), (0.1, 0.67), (0.25, 0.81), (0.5, 0.94), (0.75, 1.0), (1.0, 1.0), (1.6, 0.98))
_LUNG_ROOT = ((0.0, 0.15), (0.15, 0.1), (0.3, 0.06), (0.7, 0.06), (1.0, 0.08))
_SKIN = (
    (-0.3, 0.44),
    (-0.14, 0.48),
    (-0.07, 0.8),
    (0.0, 1.4),
    (0.1, 1.65),
    (0.3, 1.5),
    (0.45, 1.24),
    (0.9, 1.15),
    (1.6, 1.12),
)
# (height v, share of the heart's reach) of the mediastinum and heart; great vessels above, atrium and ventricle below.
_RIGHT_BORDER = ((0.0, 0.40), (0.2, 0.46), (0.4, 0.52), (0.52, 0.66), (0.68, 1.0), (0.8, 1.0), (0.95, 0.8), (1.2, 0.5))
_LEFT_BORDER = (
    (0.0, 0.2), (0.17, 0.27), (0.23, 0.40), (0.29, 0.42), (0.35, 0.30), (0.42, 0.33), (0.48, 0.43), (0.56, 0.62),
    (0.66, 0.86), (0.76, 0.99), (0.84, 1.02), (0.9, 0.94), (0.96, 0.7), (1.2, 0.5),
)  # fmt: skip
_HILA: dict[Side, Point] = {"right": (-0.2, 0.45), "left": (0.2, 0.42)}
_CLAVICLE_AT = ((0.1, 0.12), (0.2, 0.1), (0.45, 0.085), (0.75, 0.055), (1.0, 0.03), (1.16, 0.035))
_HUMERUS_AT = (1.27, 0.085)
_RIGHT_SHARE_OF_HEART = 0.32
_PORTABLE_MAGNIFIES_HEART = 1.07
# By grade: cardiothoracic ratio, height of the fluid and width of the air, the latter in fractions of the thorax.
_ENLARGED_RATIO: dict[Grade, float] = {"trace": 0.52, "small": 0.54, "moderate": 0.59, "large": 0.65}
_FLUID_HEIGHT: dict[Grade, float] = {"trace": 0.05, "small": 0.11, "moderate": 0.24, "large": 0.44}
_RIM_WIDTH: dict[Grade, float] = {"trace": 0.08, "small": 0.11, "moderate": 0.2, "large": 0.34}
_DOME_AT = 0.5
"""Distance of the top of a dome from the midline."""
_LEFT_DOME_LOWER = 0.035
_RIB_SPACING = 0.094
_VERTEBRA_HEIGHT = 0.082
_HEART_FILLS = 0.74
"""Share of the lung's depth that the heart fills at its thickest; the rest is lung in front of and behind it."""
_ZONE_AT = {"upper": 0.27, "mid": 0.45, "lower": 0.66}

# Centimeters of water along the ray.
_TRUNK, _FLESH, _AIR, _FLUID, _ABDOMEN, _BREAST = 11.0, 4.2, 11.2, 3.0, 5.0, 2.6
_RIB, _FRONT_RIB, _CLAVICLE, _VERTEBRA, _SCAPULA, _HUMERUS = 0.9, 0.4, 1.7, 2.8, 1.3, 2.2


@dataclass(frozen=True, slots=True)
class Lung:
    """One lung: the distance of each pixel from its borders, positive inside, in half widths of the chest."""

    out: Field
    """From the midline."""
    wall: Field
    """From the midline to the wall, shape (rows, 1)."""
    from_wall: Field
    from_root: Field
    above_dome: Field
    inside: Field
    """The smallest of these distances and that from the apex."""


def frontal(patient: Patient, frame: Frame, findings: Sequence[PhantomFinding], *, portable: bool) -> Field:
    """Return the centimeters of water behind each pixel, shape (rows, columns)."""
    lungs: dict[Side, Lung] = {side: _lung(patient, frame, side) for side in SIDES}
    heart = _heart(patient, frame, findings, portable=portable)
    water_cm = _trunk(patient, frame) + _bones(patient, frame, portable=portable) + _below(patient, frame, lungs)
    vessels = _vessels(patient, frame)
    beside_heart = 1 - _HEART_FILLS * heart
    for side, lung in lungs.items():
        water_cm -= _air(frame, lung, [f for f in findings if f.side == side], vessels) * beside_heart
    water_cm -= _airways(frame)
    if patient.breasts:
        water_cm += _breasts(frame)
    for finding in findings:
        if finding.kind == "nodule":
            water_cm += _nodule(patient, frame, finding)
    return water_cm + devices_from_the_front(frame, findings)


def _lung(patient: Patient, frame: Frame, side: Side) -> Lung:
    out = SIGN[side] * frame.u
    wall = profile(_CHEST_WALL, frame.v)
    rise = patient.right_dome - (_LEFT_DOME_LOWER if side == "left" else 0)
    lateral = np.clip((out - _DOME_AT) / (1 - _DOME_AT), 0, 1.2)
    medial = np.clip((_DOME_AT - out) / _DOME_AT, 0, 1.2)
    dome = 1.0 - rise * (1 - lateral * lateral * np.sqrt(lateral) - 0.35 * medial**2)
    apex = 1.1 * (out - 0.38) ** 2
    down_per_out = frame.height_cm / frame.half_width_cm
    from_wall, from_root = wall - out, out - profile(_LUNG_ROOT, frame.v)
    above_dome, below_apex = (dome - frame.v) * down_per_out, (frame.v - apex) * down_per_out
    inside = np.minimum(np.minimum(from_wall, from_root), np.minimum(above_dome, below_apex))
    return Lung(out, wall, from_wall, from_root, above_dome, inside)


def _trunk(patient: Patient, frame: Frame) -> Field:
    """Return the soft tissue from skin to skin, neck and shoulders included."""
    across = np.abs(frame.u) / profile(_SKIN, frame.v)
    return (_TRUNK + _FLESH * patient.tissue) * ball(across)


def _heart(patient: Patient, frame: Frame, findings: Sequence[PhantomFinding], *, portable: bool) -> Field:
    """Return mediastinum and heart, 0 to 1; their greatest width gives the cardiothoracic ratio."""
    enlarged = [_ENLARGED_RATIO[f.grade] for f in findings if f.kind == "cardiomegaly"]
    ratio = max([patient.heart_ratio, *enlarged]) * (_PORTABLE_MAGNIFIES_HEART if portable else 1.0)
    vessels = 2 * patient.heart_ratio  # great vessels do not grow with the heart
    share = smoothstep(0.4, 0.62, frame.v)
    reach = vessels + (2 * ratio - vessels) * share
    right = profile(_RIGHT_BORDER, frame.v) * reach * _RIGHT_SHARE_OF_HEART
    left = profile(_LEFT_BORDER, frame.v) * reach * (1 - _RIGHT_SHARE_OF_HEART)
    return rounded(np.minimum(left - frame.u, right + frame.u), 0.16) * smoothstep(-0.06, 0.1, frame.v)


def _below(patient: Patient, frame: Frame, lungs: dict[Side, Lung]) -> Field:
    """Return liver and bowel below the domes, less the air of the stomach below the left dome."""
    depth = -np.where(frame.u < 0, lungs["right"].above_dome, lungs["left"].above_dome)
    within = smoothstep(1.08, 0.9, np.abs(frame.u))
    top = 1 - patient.right_dome + _LEFT_DOME_LOWER
    size = patient.bubble
    bubble = ball(frame.ellipse((0.5, top + 0.05 + 0.04 * size), (0.26 * size, 0.045 * size), degrees=-6))
    return _ABDOMEN * rounded(depth, 0.35) * within - 6.0 * size * bubble


def _air(frame: Frame, lung: Lung, findings: Sequence[PhantomFinding], vessels: Field) -> Field:
    """Return the air of one lung: less its vessels and any effusion, plus any pneumothorax."""
    depth = rounded(lung.inside, 0.28) * smoothstep(0, 0.16, lung.from_root)
    sulcus = smoothstep(-0.22, 0.0, lung.above_dome) * smoothstep(0, 0.25, np.minimum(lung.from_wall, lung.from_root))
    air = _AIR * np.maximum(depth, 0.16 * sulcus) - vessels * smoothstep(0, 0.08, lung.inside)
    for finding in findings:
        if finding.kind == "pneumothorax":
            air += _rim(frame, lung, finding.grade, vessels)
        elif finding.kind == "effusion":
            fluid = _fluid(frame, lung, finding.grade)
            air += fluid * (-air - _FLUID * smoothstep(0, 0.1, lung.inside))
    return air


def _rim(frame: Frame, lung: Lung, grade: Grade, vessels: Field) -> Field:
    """Return the air that a pneumothorax adds: a rim without vessels, bordered by the pleura as a fine line."""
    width = _RIM_WIDTH[grade] * smoothstep(0.75, 0.12, frame.v) + 0.001
    beyond = width - lung.from_wall
    within = smoothstep(0, 0.06, lung.inside)
    outside = smoothstep(-0.004, 0.012, beyond) * within
    line = bell(beyond, 0.011) * within * smoothstep(0.01, 0.05, width)
    return outside * (vessels + 1.3) - 0.85 * line


def _fluid(frame: Frame, lung: Lung, grade: Grade) -> Field:
    """Return the share of the air that fluid replaces: it fills the angle and rises along the wall as a meniscus."""
    height = _FLUID_HEIGHT[grade]
    lateral = np.clip((lung.out - _DOME_AT) / np.maximum(lung.wall - _DOME_AT, 0.05), 0, 1)
    medial = np.clip((_DOME_AT - lung.out) / _DOME_AT, 0, 1)
    surface = 1 - height * (0.8 + 0.75 * lateral * lateral * lateral + 0.2 * medial**2)
    return 0.94 * smoothstep(-0.02, 0.05, frame.v - surface)


def _vessels(patient: Patient, frame: Frame) -> Field:
    """Return the vessels of both lungs and the hila; the left hilum is higher."""
    vessels = 4.2 * frame.strokes(
        line for side in SIDES for line in pulmonary_tree(patient.tree + SIGN[side], _HILA[side], sign=SIGN[side])
    )
    for u, v in _HILA.values():
        vessels += 2.6 * bell(frame.cm_from((1.1 * u, v)), 2.1)
    return vessels


def _airways(frame: Frame) -> Field:
    """Return the air of trachea and main bronchi, dark in the mediastinum."""
    trachea = smooth_path([(0.0, -0.25), (0.0, 0.1), (-0.02, 0.3), (-0.015, 0.345)])
    right = smooth_path([(-0.015, 0.335), (-0.09, 0.39), (-0.16, 0.44)])
    left = smooth_path([(-0.015, 0.335), (0.09, 0.38), (0.19, 0.42)])
    return 2.2 * frame.strokes([(trachea, 1.7), (right, 1.2), (left, 1.1)], blur_px=2.2)


def _breasts(frame: Frame) -> Field:
    """Return two soft shadows, denser towards their lower border."""
    breast = ball(frame.mirrored().ellipse((0.58, 0.84), (0.46, 0.22), degrees=-12))
    return _BREAST * breast * (0.45 + 0.55 * smoothstep(0.62, 0.98, frame.v))


def _bones(patient: Patient, frame: Frame, *, portable: bool) -> Field:
    return _spine(frame) + _ribs(patient, frame) + _shoulder_girdle(frame, portable=portable)


def _spine(frame: Frame) -> Field:
    """Return the vertebrae: bodies with discs between them, each with two pedicles and a spinous process."""
    position = frame.v / _VERTEBRA_HEIGHT
    off = np.abs(position - np.round(position))
    across = np.abs(frame.u)
    body = smoothstep(0.135, 0.105, across + 0.03 * smoothstep(0.2, 0.0, off)) * smoothstep(0.48, 0.36, off)
    pedicle = smoothstep(0.035, 0.018, np.hypot(across - 0.072, 0.1 * (off - 0.12)))
    process = smoothstep(0.022, 0.010, np.hypot(across, 0.05 * (off - 0.4)))
    return _VERTEBRA * (0.4 * smoothstep(0.14, 0.1, across) + 0.45 * body + 0.3 * pedicle + 0.25 * process)


def _ribs(patient: Patient, frame: Frame) -> Field:
    """Return the ribs: those behind leave the spine level and drop at the wall, those in front drop to the sternum.

    All ribs of one kind are a periodic function of the height above one arc.
    """
    s = np.clip(np.abs(frame.u) / profile(_CHEST_WALL, frame.v), 0, 1)
    round_ = np.sqrt(np.maximum(1 - s * s, 0.02))
    steep = s / round_
    behind = _rib_bands(frame.v - 0.23 * (1 - round_) - 0.05 * s, 0.23 * steep, patient.rib_phase)
    front = _rib_bands(frame.v - 0.20 * round_, 0.20 * steep, patient.rib_phase + 0.4)
    behind *= smoothstep(0.1, 0.16, np.abs(frame.u)) * smoothstep(1.0, 0.985, s) * smoothstep(-0.03, 0.0, frame.v)
    front *= smoothstep(0.4, 0.6, s) * smoothstep(1.0, 0.97, s) * smoothstep(0.04, 0.12, frame.v)
    edge = bell(np.abs(frame.u) - profile(_CHEST_WALL, frame.v) - 0.012, 0.016)
    edge *= smoothstep(0.0, 0.1, frame.v)
    return _RIB * (behind + 0.9 * edge) + _FRONT_RIB * front


def _rib_bands(height: Field, slope: Field, phase: float) -> Field:
    """Return bands one spacing apart, brighter along their edges; `slope` keeps the width of steep ones."""
    position = height / _RIB_SPACING - phase
    off = np.abs(position - np.round(position)) / np.sqrt(1 + 1.5 * slope * slope)
    return smoothstep(0.235, 0.185, off) * (0.6 + 0.4 * smoothstep(0.08, 0.19, off))


def _shoulder_girdle(frame: Frame, *, portable: bool) -> Field:
    """Return clavicles, shoulder blades and humeri; on a portable image the blades overlap the lungs."""
    blade_starts, lift = (0.80, -0.03) if portable else (0.97, 0.0)
    clavicles = [(smooth_path([(sign * u, v + lift) for u, v in _CLAVICLE_AT]), 1.15) for sign in (-1, 1)]
    both = frame.mirrored()
    beyond = both.u - blade_starts - 0.12 * (both.v - 0.1)
    blade = smoothstep(0, 0.03, np.minimum(beyond, 1.6 * (0.47 - both.v) - 0.9 * beyond))
    blade *= smoothstep(-0.03, 0.03, both.v)
    edge = bell(beyond, 0.018) * (smoothstep(0.5, 0.44, both.v) * smoothstep(0.0, 0.1, both.v))
    head = ball(both.cm_from(_HUMERUS_AT) / 2.6)
    return _CLAVICLE * frame.strokes(clavicles) + _SCAPULA * (0.6 * blade + 0.7 * edge) + _HUMERUS * head


def _nodule(patient: Patient, frame: Frame, finding: PhantomFinding) -> Field:
    sign = SIGN[finding.side or "right"]
    wide = 0.5 if finding.zone == "upper" else 0.6
    center = (sign * (wide + patient.nodule_shift[0]), _ZONE_AT[finding.zone] + patient.nodule_shift[1])
    radius_cm = finding.diameter_mm / 20
    return (1.9 * radius_cm + 0.9) * smoothstep(1.12, 0.45, frame.cm_from(center) / radius_cm)
