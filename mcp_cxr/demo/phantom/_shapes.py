"""Draws soft shapes and strokes on a grid."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    Field: TypeAlias = NDArray[np.floating]
    """Broadcasts to (rows, columns); always float32, but numpy's stubs lose that in arithmetic with Python floats."""

Point: TypeAlias = tuple[float, float]
"""(u, v) in fractions of the thorax."""
Line: TypeAlias = "tuple[Sequence[Point], float]"
"""The points of a line, and its width in centimeters."""

_OVERSAMPLED = 2
_THICKEST_ROD_CM = 2.0
"""Wider lines are drawn at their width, but no thicker than this: it is the highest 8-bit value."""
_FINE_PX = 4
"""Lines up to this width need no rounded joints."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The position of the thorax on the image.

    `u` runs across: 0 is the midline, -1 and 1 are the inner chest walls at their widest, as they appear from left to
    right on the image. `v` runs down: 0 is the apex of the lungs, 1 the costophrenic angle.
    """

    u: Field
    """Shape (rows, columns)."""
    v: Field
    """Shape (rows, 1)."""
    half_width_cm: float
    height_cm: float
    px_per_cm: float
    midline_px: float
    apex_px: float
    lean: float
    """How far the midline moves to the right for each row down, in pixels."""

    @classmethod
    def on_detector(
        cls, shape: tuple[int, int], *, px_per_cm: float, thorax_cm: Point, origin_cm: Point, lean: float
    ) -> Frame:
        """Lay a thorax of (half width, height) on an image, its apex level's midline at `origin_cm` from the corner."""
        rows, columns = shape
        y = np.arange(rows, dtype=np.float32)[:, None]
        x = np.arange(columns, dtype=np.float32)[None, :]
        midline, apex = origin_cm[0] * px_per_cm, origin_cm[1] * px_per_cm
        u = (x - midline - lean * (y - apex)) / (thorax_cm[0] * px_per_cm)
        v = (y - apex) / (thorax_cm[1] * px_per_cm)
        return cls(u, v, *thorax_cm, px_per_cm, midline, apex, lean)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.u.shape[0], self.u.shape[1]

    def mirrored(self) -> Frame:
        """Return the frame with the sides folded together: a shape drawn at a positive `u` appears on both."""
        return replace(self, u=np.abs(self.u))

    def pixel(self, point: Point) -> Point:
        """Return (x, y) of a point on the image."""
        y = self.apex_px + point[1] * self.height_cm * self.px_per_cm
        return self.midline_px + point[0] * self.half_width_cm * self.px_per_cm + self.lean * (y - self.apex_px), y

    def cm_from(self, point: Point) -> Field:
        """Return each pixel's distance from a point, in centimeters."""
        across = (self.u - point[0]) * self.half_width_cm
        down = (self.v - point[1]) * self.height_cm
        return np.sqrt(across * across + down * down)

    def ellipse(self, center: Point, axes: Point, *, degrees: float = 0.0) -> Field:
        """Return the radius in units of an ellipse whose half axes are fractions; 1 is its edge.

        Args:
            center: Of the ellipse, in fractions of the thorax.
            axes: Half axes before rotation, across and down.
            degrees: Rotation, clockwise on the image.
        """
        across = (self.u - center[0]) * self.half_width_cm
        down = (self.v - center[1]) * self.height_cm
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        along = (across * cos + down * sin) / (axes[0] * self.half_width_cm)
        beside = (down * cos - across * sin) / (axes[1] * self.height_cm)
        return np.sqrt(along * along + beside * beside)

    def strokes(self, lines: Iterable[Line], *, blur_px: float = 0.0) -> Field:
        """Draw lines, each with its width in centimeters, as round rods: the value is the rod's thickness in cm.

        At a crossing, the thicker line is drawn; thicknesses are not added.
        """
        scale = _OVERSAMPLED
        rows, columns = self.shape
        layer = Image.new("L", (columns * scale, rows * scale))
        pen = ImageDraw.Draw(layer)
        for points, width_cm in sorted(lines, key=lambda line: line[1]):
            path = [(x * scale, y * scale) for x, y in map(self.pixel, points)]
            gray = round(width_cm / _THICKEST_ROD_CM * 255)
            width = max(1, round(width_cm * self.px_per_cm * scale))
            pen.line(path, fill=min(gray, 255), width=width, joint="curve" if width > _FINE_PX else None)
        soft = layer.reduce(scale)
        if blur_px:
            soft = soft.filter(ImageFilter.BoxBlur(blur_px))
        return np.asarray(soft, dtype=np.float32) * (_THICKEST_ROD_CM / 255)


def smoothstep(low: float, high: float, at: Field) -> Field:
    """Rise from 0 at `low` to 1 at `high`, level at both; `low` above `high` falls."""
    t = at - low
    t *= 1 / (high - low)
    np.clip(t, 0, 1, out=t)
    rise = t * -2
    rise += 3
    rise *= t
    rise *= t
    return rise  # t * t * (3 - 2 * t), in place: most of the time of an image goes here


def rounded(inside: Field, depth: float) -> Field:
    """Return the thickness of a rounded body at a distance `inside` its edge: 0 at the edge, 1 from `depth` on."""
    t = np.clip(inside / depth, 0, 1)
    return np.sqrt(t * (2 - t))


def ball(radius: Field) -> Field:
    """Return the thickness of a ball of radius 1: 1 in the center."""
    return np.sqrt(np.clip(1 - radius * radius, 0, 1))


def bell(distance: Field, width: float) -> Field:
    """Fall from 1 as a Gaussian: to 1/e at `width`."""
    t = distance / width
    return np.exp(-t * t)


def profile(points: Sequence[Point], at: Field) -> Field:
    """Return a curve through (position, value) points, its corners rounded, read at each position of `at`."""
    positions, values = [position for position, _ in points], [value for _, value in points]
    fine = np.linspace(positions[0], positions[-1], 240)
    window = np.hanning(23)
    raw = np.pad(np.interp(fine, positions, values), 11, mode="reflect", reflect_type="odd")
    return np.interp(at, fine, np.convolve(raw, window / window.sum(), mode="valid")).astype(np.float32)


def smooth_path(points: Sequence[Point]) -> list[Point]:
    """Return a smooth line through the points (Catmull-Rom: each tangent points from neighbor to neighbor)."""
    p = np.array([points[0], *points, points[-1]])
    t = np.linspace(0, 1, 8, endpoint=False)[:, None]
    before, start, end, after = p[:-3], p[1:-2], p[2:-1], p[3:]
    path: list[Point] = []
    for a, b, c, d in zip(before, start, end, after, strict=True):
        bend = 2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
        path += [(float(u), float(v)) for u, v in bend / 2]
    return [*path, points[-1]]
