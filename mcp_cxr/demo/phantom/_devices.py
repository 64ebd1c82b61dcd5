"""Draws lines, tubes and pacemakers, from the front and from the side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.demo.phantom._shapes import smooth_path, smoothstep

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mcp_cxr.demo.phantom._patient import Kind, PhantomFinding
    from mcp_cxr.demo.phantom._shapes import Field, Frame, Line, Point

_METAL = 9.0
"""Centimeters of water that attenuate as much as a centimeter of metal."""
_CAN = ((0.70, 0.25), (0.17, 0.068))
"""A pacemaker's case from the front: its center and half axes."""
_VEIN_TO_ATRIUM: tuple[Point, ...] = ((0.52, 0.055), (0.3, 0.1), (0.1, 0.14), (-0.08, 0.2), (-0.13, 0.34))

_FROM_THE_FRONT: Mapping[Kind, tuple[Line, ...]] = {
    "pacemaker": (
        (((0.70, 0.19), (0.66, 0.1), *_VEIN_TO_ATRIUM, (-0.15, 0.5), (-0.19, 0.6), (-0.12, 0.62)), 0.2),
        (((0.70, 0.19), (0.68, 0.09), *_VEIN_TO_ATRIUM, (-0.14, 0.6), (-0.04, 0.76), (0.16, 0.86), (0.33, 0.87)), 0.2),
    ),
    "central line": ((((-0.34, -0.2), (-0.3, -0.05), (-0.2, 0.06), (-0.13, 0.18), (-0.13, 0.3), (-0.14, 0.43)), 0.2),),
    "endotracheal tube": (
        (((-0.05, -0.3), (-0.035, -0.05), (-0.04, 0.1), (-0.05, 0.235)), 0.16),
        (((0.035, -0.3), (0.05, -0.05), (0.03, 0.1), (0.0, 0.215)), 0.16),
    ),
}
_FROM_THE_SIDE: Mapping[Kind, tuple[Line, ...]] = {
    "pacemaker": (
        (((-0.66, 0.18), (-0.62, 0.1), (-0.42, 0.06), (-0.2, 0.14), (-0.12, 0.3), (-0.14, 0.5), (-0.3, 0.6)), 0.2),
        (((-0.66, 0.18), (-0.42, 0.05), (-0.2, 0.13), (-0.1, 0.3), (-0.1, 0.6), (-0.3, 0.76), (-0.62, 0.8)), 0.2),
        (((-0.76, 0.16), (-0.86, 0.27)), 0.8),
    ),
    "central line": ((((-0.2, -0.2), (-0.22, 0.0), (-0.18, 0.2), (-0.12, 0.42)), 0.2),),
    "endotracheal tube": (
        (((-0.17, -0.25), (-0.12, 0.0), (-0.06, 0.2)), 0.16),
        (((-0.08, -0.25), (-0.03, 0.0), (0.03, 0.2)), 0.16),
    ),
}


def devices_from_the_front(frame: Frame, findings: Sequence[PhantomFinding]) -> Field:
    """Return the devices among the findings, in centimeters of water."""
    field = _metal(frame, findings, _FROM_THE_FRONT)
    if any(finding.kind == "pacemaker" for finding in findings):
        field = field + _METAL * smoothstep(1.04, 0.96, frame.ellipse(*_CAN))
    return field


def devices_from_the_side(frame: Frame, findings: Sequence[PhantomFinding]) -> Field:
    """Return the devices among the findings, in centimeters of water."""
    return _metal(frame, findings, _FROM_THE_SIDE)


def _metal(frame: Frame, findings: Sequence[PhantomFinding], shapes: Mapping[Kind, tuple[Line, ...]]) -> Field:
    """Return the lines of the devices in centimeters of water; the square root keeps thin ones visible."""
    lines = [(smooth_path(points), cm) for finding in findings for points, cm in shapes.get(finding.kind, ())]
    return _METAL * np.sqrt(frame.strokes(lines)) if lines else np.zeros((1, 1), dtype=np.float32)
