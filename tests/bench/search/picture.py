"""Draws search time by archive size as SVG, with logarithmic axes."""

from __future__ import annotations

from html import escape
from math import log10
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _RIGHT, _TOP = 860, 480, 70, 60, 190, 40
_COLORS = ("#c0392b", "#2471a3", "#5dade2", "#239b56", "#7d3c98")


def growth(title: str, lines: Mapping[str, Mapping[int, float]]) -> str:
    """Return a picture of milliseconds by number of images, a line for each name."""
    sizes = sorted({size for line in lines.values() for size in line})
    times = [ms for line in lines.values() for ms in line.values()]
    low, high = 10 ** _floor(min(times)), 10 ** (_floor(max(times)) + 1)

    def x(size: int) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * log10(size / sizes[0]) / log10(sizes[-1] / sizes[0])

    def y(ms: float) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * log10(ms / low) / log10(high / low)

    parts = [_text(_LEFT, 24, title, size=16)]
    parts += [_text(x(size), _HEIGHT - _BOTTOM + 20, f"{size:,}", anchor="middle") for size in sizes]
    parts += [_text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 12, "images", anchor="middle")]
    for power in range(_floor(low), _floor(high) + 1):
        parts.append(_line([(_LEFT, y(10**power)), (_WIDTH - _RIGHT, y(10**power))], "#ddd"))
        parts.append(_text(_LEFT - 8, y(10**power) + 4, f"{10**power:g} ms", anchor="end"))
    for color, (name, line) in zip(_COLORS, lines.items(), strict=False):
        points = [(x(size), y(ms)) for size, ms in sorted(line.items())]
        parts.append(_line(points, color, width=2.5))
        parts += [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3.5" fill="{color}"/>' for px, py in points]
        parts.append(_text(points[-1][0] + 10, points[-1][1] + 4, name, color=color))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif">'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n'
    )


def _floor(number: float) -> int:
    return int(log10(number) // 1)


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 13, color: str = "#222") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{color}">{escape(text)}</text>'
    )


def _line(points: list[tuple[float, float]], color: str, *, width: float = 1) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="{width}"/>'
