"""Draws the chest from its left side: the sternum on the left of the image, the spine on the right.

As in `_frontal`, each organ adds or removes centimeters of water. `u` is -1 at the sternum and 1 at the back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.demo.phantom._devices import devices_from_the_side
from mcp_cxr.demo.phantom._shapes import ball, bell, profile, rounded, smooth_path, smoothstep
from mcp_cxr.demo.phantom._vessels import pulmonary_tree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_cxr.demo.phantom._patient import Grade, Patient, PhantomFinding, Side
    from mcp_cxr.demo.phantom._shapes import Field, Frame, Point

# (height v, position u).
_STERNUM = ((-0.1, -0.3), (0.08, -0.42), (0.2, -0.62), (0.4, -0.82), (0.6, -0.9), (0.8, -0.93), (1.1, -0.95))
_BACK = ((-0.1, 0.36), (0.0, 0.5), (0.2, 0.8), (0.45, 0.93), (0.7, 0.92), (1.0, 0.8), (1.2, 0.66))
_SPINE = ((-0.3, 0.0), (0.0, 0.28), (0.2, 0.47), (0.45, 0.58), (0.7, 0.56), (1.0, 0.42), (1.5, 0.12))
_CHEST_SKIN = ((-0.3, -0.5), (0.0, -0.8), (0.2, -0.95), (0.5, -1.1), (0.8, -1.15), (1.5, -1.2))
_BACK_SKIN = ((-0.3, 0.75), (0.0, 0.95), (0.2, 1.2), (0.5, 1.28), (0.9, 1.15), (1.5, 0.95))
# (position u, height v) of the domes, from the sternum to the posterior costophrenic angle.
_RIGHT_DOME = ((-1.2, 0.95), (-0.9, 0.88), (-0.5, 0.83), (-0.1, 0.82), (0.3, 0.88), (0.65, 1.0), (0.9, 1.12))
_LEFT_DOME = ((-1.2, 0.98), (-0.9, 0.92), (-0.5, 0.87), (-0.1, 0.855), (0.3, 0.91), (0.65, 1.02), (0.9, 1.13))

_HEART_AT, _HEART_AXES, _HEART_DEGREES = (-0.46, 0.70), (0.50, 0.15), 52.0
_HEART_FILLS = 0.62
_RIB_SPACING, _VERTEBRA_HEIGHT = 0.094, 0.082
_ENLARGED_HEART: dict[Grade, float] = {"trace": 1.12, "small": 1.16, "moderate": 1.24, "large": 1.33}
_FLUID_HEIGHT: dict[Grade, float] = {"trace": 0.05, "small": 0.13, "moderate": 0.25, "large": 0.45}
_NODULE_AT = {"upper": (-0.15, 0.25), "mid": (0.25, 0.42), "lower": (0.28, 0.70)}

# Centimeters of water along the ray.
_TRUNK, _FLESH, _AIR, _ABDOMEN, _ARMS = 15.5, 4.5, 15.0, 4.5, 7.0
_VERTEBRA, _RIB, _STERNAL, _BLADE = 2.2, 0.5, 2.0, 1.1


def lateral(patient: Patient, frame: Frame, findings: Sequence[PhantomFinding]) -> Field:
    """Return the centimeters of water behind each pixel, shape (rows, columns)."""
    water_cm = _trunk(patient, frame) + _bones(patient, frame)
    heart = 1 - _HEART_FILLS * _heart(frame, findings)
    tree = _vessels(patient, frame)
    domes: dict[Side, Field] = {"right": profile(_RIGHT_DOME, frame.u), "left": profile(_LEFT_DOME, frame.u)}
    for side, dome in domes.items():
        water_cm -= _air(patient, frame, dome, [f for f in findings if f.side == side]) * heart - 0.5 * tree
    water_cm += _below(patient, frame, domes["left"]) + _arch(frame) - _airways(frame)
    for finding in findings:
        if finding.kind == "nodule":
            water_cm += _nodule(patient, frame, finding)
    return water_cm + devices_from_the_side(frame, findings)


def _trunk(patient: Patient, frame: Frame) -> Field:
    """Return the soft tissue from skin to skin, and the raised arms over the apex."""
    arms = smoothstep(0.24, -0.08, frame.v + 0.06 * np.abs(frame.u + 0.1))
    return ((_TRUNK + _FLESH * patient.tissue) + _ARMS * arms) * _within_skin(frame)


def _within_skin(frame: Frame) -> Field:
    front, back = profile(_CHEST_SKIN, frame.v), profile(_BACK_SKIN, frame.v)
    return ball((2 * frame.u - front - back) / (back - front))


def _inside(frame: Frame) -> Field:
    """Return the distance from sternum, back or apex, whichever is nearest; positive inside, in half depths."""
    sides = np.minimum(frame.u - profile(_STERNUM, frame.v), profile(_BACK, frame.v) - frame.u)
    apex = 0.5 * (frame.u - 0.06) ** 2 - 0.04
    return np.minimum(sides, 2.2 * (frame.v - apex))


def _air(patient: Patient, frame: Frame, dome: Field, findings: Sequence[PhantomFinding]) -> Field:
    """Return the air of one of the two lungs, which overlap in this view."""
    lift = 0.4 * (patient.right_dome - 0.135)
    inside = np.minimum(_inside(frame), 2.2 * (dome - lift - frame.v))
    air = (_AIR / 2) * rounded(inside, 0.5)
    for finding in findings:
        if finding.kind == "effusion":
            air *= 1 - _fluid(frame, finding.grade)
    return air


def _fluid(frame: Frame, grade: Grade) -> Field:
    """Return the share of the air that fluid replaces: the posterior angle fills first, with a meniscus at the back."""
    height = _FLUID_HEIGHT[grade]
    behind = np.clip((frame.u + 0.2) / 1.05, 0, 1)
    surface = 1.08 - height * (0.75 + 0.6 * behind * behind * behind)
    return 0.94 * smoothstep(-0.02, 0.05, frame.v - surface)


def _heart(frame: Frame, findings: Sequence[PhantomFinding]) -> Field:
    size = max([1.0, *(_ENLARGED_HEART[f.grade] for f in findings if f.kind == "cardiomegaly")])
    center = (_HEART_AT[0] + 0.22 * (size - 1), _HEART_AT[1])
    radius = frame.ellipse(center, (_HEART_AXES[0] * size, _HEART_AXES[1] * size), degrees=_HEART_DEGREES)
    vessels = frame.ellipse((-0.24, 0.47), (0.24, 0.24), degrees=15)
    return np.maximum(rounded(1 - radius, 1.0), 0.42 * rounded(1 - vessels, 1.0))


def _below(patient: Patient, frame: Frame, dome: Field) -> Field:
    """Return liver and bowel below the domes, less the air of the stomach below the left dome."""
    depth = smoothstep(0, 0.2, frame.v - dome)
    size = patient.bubble
    bubble = ball(frame.ellipse((-0.3, 0.90 + 0.03 * size), (0.25 * size, 0.035 * size), degrees=-4))
    return _ABDOMEN * depth * _within_skin(frame) - 3.5 * size * bubble


def _vessels(patient: Patient, frame: Frame) -> Field:
    hilum = (0.02, 0.45)
    lines = [line for sign in (-1, 1) for line in pulmonary_tree(patient.tree + 7 * sign, hilum, sign=sign)]
    within = smoothstep(0.0, 0.25, _inside(frame)) * smoothstep(0.0, 0.1, profile(_RIGHT_DOME, frame.u) - frame.v)
    knot = bell(frame.cm_from(hilum), 2.2)
    return (1.8 * frame.strokes(lines) + 3.0 * knot) * within


def _arch(frame: Frame) -> Field:
    """Return the aorta: up from the heart, over the bronchus, down in front of the spine."""
    path = smooth_path(
        [(-0.28, 0.48), (-0.22, 0.33), (-0.02, 0.245), (0.2, 0.27), (0.33, 0.38), (0.38, 0.6), (0.34, 0.9)]
    )
    return 0.8 * frame.strokes([(path, 2.0)], blur_px=3.0)


def _airways(frame: Frame) -> Field:
    trachea = smooth_path([(-0.12, -0.25), (-0.06, 0.0), (0.02, 0.25), (0.05, 0.36)])
    return 1.1 * frame.strokes([(trachea, 1.6)], blur_px=2.0)


def _bones(patient: Patient, frame: Frame) -> Field:
    return _spine(frame) + _ribs(patient, frame) + _sternum(frame) + _blades(frame)


def _spine(frame: Frame) -> Field:
    """Return the vertebral bodies with discs between them, and the arches behind."""
    center = profile(_SPINE, frame.v)
    off_axis = frame.u - center
    position = (frame.v + 0.12 * off_axis) / _VERTEBRA_HEIGHT
    off = np.abs(position - np.round(position))
    body = smoothstep(0.155, 0.13, np.abs(off_axis)) * smoothstep(0.48, 0.38, off)
    edge = smoothstep(0.22, 0.4, off) * 0.4 + 0.7
    arch = smoothstep(0.12, 0.05, np.abs(off_axis - 0.27)) * (0.6 + 0.4 * smoothstep(0.4, 0.2, off))
    return _VERTEBRA * (body * edge + 0.5 * arch) * smoothstep(-0.3, 0.1, frame.v)


def _ribs(patient: Patient, frame: Frame) -> Field:
    """Return the ribs, which slope down from the spine; those of the two sides lie a little apart."""
    along = np.clip((frame.u + 0.9) / 1.8, 0, 1)
    bands = np.zeros(frame.shape, dtype=np.float32)
    for side_shift in (0.0, 0.38):
        height = frame.v - 0.34 * (1 - along) + 0.1 * along
        position = height / _RIB_SPACING - (patient.rib_phase + side_shift)
        bands += smoothstep(0.19, 0.13, np.abs(position - np.round(position)))
    return _RIB * bands * smoothstep(0.0, 0.05, _inside(frame)) * (0.35 + 0.65 * smoothstep(-0.6, 0.3, frame.u))


def _sternum(frame: Frame) -> Field:
    before = profile(_STERNUM, frame.v) - frame.u
    return _STERNAL * smoothstep(0.0, 0.03, before) * smoothstep(0.12, 0.09, before) * smoothstep(0.75, 0.6, frame.v)


def _blades(frame: Frame) -> Field:
    lines: list[tuple[Sequence[Point], float]] = [
        (smooth_path([(0.42, 0.0), (0.66, 0.18), (0.84, 0.42)]), 0.6),
        (smooth_path([(0.25, -0.02), (0.55, 0.2), (0.74, 0.45)]), 0.5),
    ]
    return _BLADE * frame.strokes(lines, blur_px=1.5)


def _nodule(patient: Patient, frame: Frame, finding: PhantomFinding) -> Field:
    u, v = _NODULE_AT[finding.zone]
    radius_cm = finding.diameter_mm / 20
    distance = frame.cm_from((u + patient.nodule_shift[0], v + patient.nodule_shift[1])) / radius_cm
    return (1.9 * radius_cm + 0.9) * smoothstep(1.12, 0.45, distance)
