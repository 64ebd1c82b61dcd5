"""Renders an evaluation as a self-contained web page with the template page.html."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from mcp_cxr.errors import ConfigError
from mcp_cxr.records import LABELS

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp_cxr.evaluate.metrics import Evaluation, Figure, ProtocolResult


def page_writer() -> Callable[[Evaluation], str]:
    """Return a function that turns an evaluation into HTML.

    Raises:
        ConfigError: The extra `plots` is not installed.
    """
    try:
        import jinja2  # in the extra, as matplotlib is

        from mcp_cxr.evaluate.page import _plots
    except ImportError as exc:
        raise ConfigError(
            'The web page needs matplotlib and jinja2: pip install "mcp-cxr[plots]". The table and --json do not.'
        ) from exc

    def plot(result: ProtocolResult, figures: list[Figure]) -> str:
        alt = f"{result.title}; the table has the same figures"
        if result.protocol != "feedback":
            return _plots.with_intervals(figures, alt=alt)
        plain = [figure for figure in figures if figure.of.endswith("without marks")]
        return _plots.by_round([figure for figure in figures if figure not in plain], plain, alt=alt)

    source = resources.files("mcp_cxr.evaluate.page").joinpath("page.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.tests["detail"] = _is_detail
    template = environment.from_string(source)
    return lambda evaluation: template.render(evaluation=evaluation, plotted_figures=_plotted_figures, plot=plot)


def _plotted_figures(result: ProtocolResult) -> list[Figure]:
    """Return the figures to plot: all of one kind that have an interval; none for a protocol without a plot."""
    figures = [figure for figure in result.figures if figure.low is not None]
    if result.protocol in ("index", "integrity", "reader"):
        return []
    if result.protocol == "reports":
        return figures
    if result.protocol == "questions":
        figures = [figure for figure in figures if not _is_detail(figure)]
    name = "swap rate" if result.protocol == "negation" else "P@10"
    return [figure for figure in figures if figure.name == name]


def _is_detail(value: Figure) -> bool:
    """Return whether a figure is of one label or question, shown folded."""
    return value.of in LABELS or value.counted == "studies with it"
