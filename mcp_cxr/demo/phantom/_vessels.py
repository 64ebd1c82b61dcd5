"""Draws the vessels of a lung: a tree that starts at the hilum, forks, and thins towards the pleura."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mcp_cxr.demo.phantom._shapes import Point

_TRUNKS_DEGREES = (-78, -58, -36, -12, 10, 28, 44, 58, 72, 86)
"""Directions of the vessels at the hilum: 0 is sideways, 90 is down."""
_GENERATIONS = 5
_THINNEST_CM = 0.06


def pulmonary_tree(seed: int, hilum: Point, *, sign: int) -> list[tuple[list[Point], float]]:
    """Return the tree as lines with their widths in cm.

    Args:
        seed: Of the lengths, bends and forks.
        hilum: Start of the tree.
        sign: 1 if the lung lies to the right of its hilum on the image, -1 if to the left.
    """
    rng = np.random.default_rng([abs(seed), 2])
    lines: list[tuple[list[Point], float]] = []
    for degrees in _TRUNKS_DEGREES:
        heading = math.radians(degrees + rng.uniform(-7, 7))
        tips = [(hilum, heading, 0.26 + 0.28 * max(0.0, math.sin(heading)))]
        for generation in range(_GENERATIONS):
            tips = [twig for tip in tips for twig in _grow(tip, generation, rng, lines, sign)]
    return lines


def _grow(
    tip: tuple[Point, float, float],
    generation: int,
    rng: np.random.Generator,
    lines: list[tuple[list[Point], float]],
    sign: int,
) -> list[tuple[Point, float, float]]:
    """Append one piece of a vessel to `lines` and return its two forks."""
    (u, v), heading, width = tip
    length = rng.uniform(0.10, 0.17) * 0.88**generation
    bend = rng.uniform(-0.25, 0.25)
    path = [(u, v)]
    for part in (0.5, 1.0):
        angle = heading + bend * part
        u, v = u + sign * 0.5 * length * math.cos(angle), v + 0.25 * length * math.sin(angle) * 2
        path.append((u, v))
    lines.append((path, max(width, _THINNEST_CM)))
    fork = rng.uniform(0.25, 0.5)
    return [((u, v), heading + bend - 0.5 * fork, width * 0.74), ((u, v), heading + bend + fork, width * 0.6)]
