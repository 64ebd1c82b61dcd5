"""An evaluation as one page that needs nothing beside it."""

from __future__ import annotations

from html import escape
from importlib import resources
from string import Template
from typing import TYPE_CHECKING

from mcp_cxr.errors import ConfigError
from mcp_cxr.records import LABELS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mcp_cxr.evaluate.metrics import Evaluation, Figure, Measured

_ASKS = {
    "labels": "Each label is asked for in words. Do the films that have it come first?",
    "reports": "A report asks for its own film among all others. How often is it among the first?",
    "similar": "A film asks for films like it. Do those of other patients show the same?",
    "negation": "Each finding is denied. How many of the first ten answers show it all the same? Less is better.",
    "legs": "The whole search is asked by one leg alone, and by all together.",
    "feedback": "The first ten answers are marked right or wrong, and the search asks on among patients not yet seen.",
    "index": "The store's ten nearest images, beside a scan of every vector.",
    "integrity": "Vectors that mean nothing, as shares of all.",
}
_HOW = (
    "Intervals are 95 %: patients are drawn again with all their studies. Chance is what the same figure would be if"
    " the ranking had no order. Figures hold for this archive, its labels and these prompts; they say nothing of"
    " diagnosis."
)
_LEGEND = '<span class="dot">●</span> value and interval &nbsp; <span class="tick">|</span> chance'


def page_writer() -> Callable[[Evaluation], str]:
    """Return what turns an evaluation into HTML.

    Raises:
        ConfigError: The extra `plots` is not installed.
    """
    try:
        from mcp_cxr.evaluate.page import _plots  # an extra; nothing else needs it
    except ImportError as exc:
        raise ConfigError(
            'The page needs matplotlib: pip install "mcp-cxr[plots]". Without it, there are the table and --json.'
        ) from exc

    def plot(measured: Measured) -> str:
        shown = _shown(measured)
        alt = escape(f"{measured.title}; the table has the same figures", quote=True)
        if measured.protocol == "feedback":
            plain = [one for one in shown if one.of.endswith("without marks")]
            return _plots.by_round([one for one in shown if one not in plain], plain, alt=alt) if shown else ""
        return _plots.with_intervals(shown, alt=alt) if shown else ""

    return lambda evaluation: _page(evaluation, plot)


def _shown(measured: Measured) -> list[Figure]:
    """Return the figures that a plot shows: of one kind, and with an interval."""
    figures = [figure for figure in measured.figures if figure.low is not None]
    if measured.protocol in ("index", "integrity"):
        return []
    if measured.protocol == "reports":
        return figures
    name = "swap rate" if measured.protocol == "negation" else "P@10"
    return [figure for figure in figures if figure.name == name]


def _page(evaluation: Evaluation, plot: Callable[[Measured], str]) -> str:
    template = Template(resources.files("mcp_cxr.evaluate.page").joinpath("page.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=escape(f"How {evaluation.model} finds films"),
        lead=escape(f"Measured by mcp-cxr {evaluation.version} on {evaluation.date[:16].replace('T', ' at ')} UTC."),
        facts="".join(
            f"<div><dt>{escape(name)}</dt><dd>{escape(str(value))}</dd></div>" for name, value in _facts(evaluation)
        ),
        sections="\n".join(_section(measured, plot(measured)) for measured in evaluation.protocols),
        how=escape(_HOW),
    )


def _facts(evaluation: Evaluation) -> Sequence[tuple[str, object]]:
    return (
        ("Images", f"{evaluation.images:,}"),
        ("Studies", f"{evaluation.studies:,}"),
        ("Patients", f"{evaluation.subjects:,}"),
        ("Split", evaluation.split or "all"),
        ("Right answers", evaluation.truth),
        ("Dimensions", evaluation.dimension),
        ("Preprocessing", evaluation.preprocessing),
        ("Service", evaluation.service or "none"),
        ("Seed", evaluation.seed),
        ("Resamples", evaluation.resamples),
    )


def _section(measured: Measured, plot: str) -> str:
    head = f"<h2>{escape(measured.title)}</h2><p>{escape(_ASKS[measured.protocol])}</p>"
    if measured.skipped:
        return f'<section>{head}<p class="small">Not measured. {escape(measured.skipped)}</p></section>'
    drawn = f"<figure>{plot}<figcaption>{_caption(measured)}</figcaption></figure>" if plot else ""
    said = [*(f"Removed: {one}." for one in measured.removed), *measured.notes]
    notes = "".join(f"<li>{escape(one)}</li>" for one in said)
    return (
        f'<section>{head}<div class="pair{" both" if plot else ""}">{drawn}<div>{_tables(measured)}</div></div>'
        f'<ul class="small">{notes}</ul></section>'
    )


def _caption(measured: Measured) -> str:
    if measured.protocol == "feedback":
        return "P@10 among patients not yet seen; the band is the interval"
    if measured.protocol == "reports":
        return _LEGEND
    return f"{escape(_shown(measured)[0].name)}: {_LEGEND}"


def _tables(measured: Measured) -> str:
    """Return all figures; where some are of single labels, those in a second table that opens."""
    of_labels = [figure for figure in measured.figures if figure.of in LABELS]
    whole = _table([figure for figure in measured.figures if figure not in of_labels])
    return f"{whole}<details><summary>By label</summary>{_table(of_labels)}</details>" if of_labels else whole


def _table(figures: Sequence[Figure]) -> str:
    rows = "".join(map(_row, figures))
    head = "<tr><th></th><th>value</th><th>chance</th><th>n</th></tr>"
    return f'<div class="wide"><table>{head}{rows}</table></div>'


def _row(figure: Figure) -> str:
    name = escape(figure.name) + (f" <span>{escape(figure.of)}</span>" if figure.of else "")
    interval = ""
    if figure.low is not None and figure.high is not None:
        interval = f' <span class="interval">{figure.low:.3f} to {figure.high:.3f}</span>'
    chance = "" if figure.chance is None else f"{figure.chance:.3f}"
    return f"<tr><td>{name}</td><td><b>{figure.value:.3f}</b>{interval}</td><td>{chance}</td><td>{figure.n:,}</td></tr>"
