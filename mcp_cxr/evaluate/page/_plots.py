"""Plots as inline SVG with the colors and font of the page, so that they follow its light and dark schemes."""

# pyright: reportUnknownMemberType=false
# matplotlib does not type its keyword arguments; no other file imports it.

from __future__ import annotations

import io
import re
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure as Canvas

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from matplotlib.axes import Axes

    from mcp_cxr.evaluate.metrics import Figure

# Unique colors; each is replaced by a variable of the page's style sheet.
_INK, _MUTED, _LINE, _ACCENT, _SECOND = "#010203", "#040506", "#070809", "#0a0b0c", "#0d0e0f"
_VARIABLES = {_INK: "--ink", _MUTED: "--muted", _LINE: "--line", _ACCENT: "--accent", _SECOND: "--second"}
_WIDTH, _ROW, _MARGINS = 4.6, 0.27, 0.75  # inches of 72 pixels: as wide as a phone, so that text is legible on one
_STYLE = {
    "svg.fonttype": "none",
    "font.size": 9,
    "text.color": _INK,
    "axes.edgecolor": _LINE,
    "axes.linewidth": 0.8,
}


def with_intervals(figures: Sequence[Figure], *, alt: str) -> str:
    """Return a row for each figure: a dot, its interval, and a tick at chance."""
    one_kind = len({figure.name for figure in figures}) == 1
    whole = "all questions" if figures[0].counted == "questions" else "all labels"
    names = [(figure.of or whole) if one_kind else figure.name for figure in figures]
    ticks = range(len(figures))
    with _figure(_MARGINS + _ROW * len(figures), alt) as (axes, svg):
        for tick, figure in zip(ticks, figures, strict=True):
            if figure.chance is not None:
                axes.plot([figure.chance] * 2, [tick - 0.32, tick + 0.32], color=_SECOND, linewidth=1.6, clip_on=False)
            if figure.low is not None and figure.high is not None:
                axes.plot([figure.low, figure.high], [tick] * 2, color=_ACCENT, linewidth=1.6, solid_capstyle="round")
            axes.plot([figure.value], [tick], "o", color=_ACCENT, markersize=5.5, clip_on=False, zorder=3)
        axes.set_yticks(ticks, names)
        axes.set_ylim(len(figures) - 0.5, -0.5)
        _scale(axes, figures)
        axes.grid(axis="x", color=_LINE, linewidth=0.6)
    return svg[0]


def by_round(marked: Sequence[Figure], plain: Sequence[Figure], *, alt: str) -> str:
    """Return P@10 over the rounds of feedback, with and without the marks."""
    rounds = range(1, len(marked) + 1)
    with _figure(2.6, alt) as (axes, svg):
        for figures, color, name in ((marked, _ACCENT, "with marks"), (plain, _SECOND, "without")):
            values = [figure.value for figure in figures]
            axes.plot(rounds, values, "o-", color=color, linewidth=1.6, markersize=5)
            axes.annotate(
                name, (rounds[-1], values[-1]), (8, -3), textcoords="offset points", color=color, annotation_clip=False
            )
            ends = [(figure.low, figure.high) for figure in figures]
            low, high = (
                [value if end is None else end for value, end in zip(values, side, strict=True)]
                for side in zip(*ends, strict=True)
            )
            axes.fill_between(rounds, low, high, color=color, alpha=0.14, linewidth=0)
        axes.set_xticks(rounds, [f"round {number}" for number in rounds])
        axes.set_xlim(0.8, len(marked) + 0.75)
        axes.set_ylim(0, None)
        axes.grid(axis="y", color=_LINE, linewidth=0.6)
    return svg[0]


def _scale(axes: Axes, figures: Sequence[Figure]) -> None:
    """Set the axis from 0 to the largest figure."""
    ends = [
        end for figure in figures for end in (figure.value, figure.low, figure.high, figure.chance) if end is not None
    ]
    axes.set_xlim(min(0, *ends), 1.04 * max(0.05, *ends))


@contextmanager
def _figure(height: float, alt: str) -> Generator[tuple[Axes, list[str]]]:
    """Yield axes to draw on, and a list that receives the SVG."""
    svg: list[str] = []
    style: dict[Any, Any] = {**_STYLE, "svg.hashsalt": alt}  # makes ids unique in the page
    with mpl.rc_context(style):
        canvas = Canvas(figsize=(_WIDTH, height), layout="constrained")
        axes = canvas.add_subplot()
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.tick_params(length=0, pad=7, colors=_MUTED, labelcolor=_INK)
        axes.set_axisbelow(True)
        yield axes, svg
        file = io.StringIO()
        canvas.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg.append(_inline(file.getvalue(), alt))


def _inline(svg: str, alt: str) -> str:
    """Return SVG for a page: without prologue and size, with the page's colors and font."""
    text = svg[svg.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = text.replace("<svg ", f'<svg role="img" aria-label="{escape(alt)}" ', 1)
    text = re.sub(r"font: ([0-9.]+)px [^;\"]*", r"font-size: \1px", text)
    for color, variable in _VARIABLES.items():
        text = text.replace(color, f"var({variable})")
    return text
