"""mcp-cxr evaluate."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcp_cxr.cli._common import DONE, FAILED, as_json, note, print_result, with_archive
from mcp_cxr.errors import ConfigError

if TYPE_CHECKING:
    from mcp_cxr.archive import Archive
    from mcp_cxr.evaluate import Baseline, Evaluation, EvaluationPlan, Figure, ProtocolResult

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--only", multiple=True, metavar="PROTOCOL", help="Run only this protocol; may be repeated.")
@click.option(
    "--truth", type=_FILE, metavar="CSV", help="CSV file with the true labels; default: the labels in the archive."
)
@click.option(
    "--independent",
    is_flag=True,
    help="State that people read the --truth labels from the images, not from the reports.",
)
@click.option(
    "--prompts",
    type=_FILE,
    metavar="JSON",
    help="JSON file with text prompts for each label, instead of the built-in ones.",
)
@click.option("--split", help="Only studies of this split: train, validate or test.")
@click.option(
    "--queries",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Maximum number of queries of a protocol.",
)
@click.option(
    "--studies", type=click.IntRange(1), default=5000, show_default=True, help="Maximum number of studies to search."
)
@click.option(
    "--resamples",
    type=click.IntRange(20),
    default=500,
    show_default=True,
    help="Bootstrap resamples for each 95 % interval.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the random draws.")
@click.option("--html", type=_FILE, metavar="FILE", help="Write a web page with plots; needs the extra `plots`.")
@click.option("--save", type=_FILE, metavar="JSON", help="Save the figures, for --baseline.")
@click.option(
    "--baseline",
    type=_FILE,
    metavar="JSON",
    help="Exit with 1 if a figure lies outside its interval in this file, on the worse side.",
)
@as_json
def evaluate(
    path: Path | None,
    *,
    html: Path | None,
    save: Path | None,
    baseline: Path | None,
    as_json: bool,
    **how: Any,  # noqa: ANN401 - click's options, passed on
) -> int:
    """Measure how good the search is. Uses the archive, or the images of the folder PATH.

    \b
    Protocols (docs/evaluate.md explains them):
      labels     finds studies by the prompts of each label
      reports    finds a study by the impression of its report
      similar    finds studies with the same label by an example image
      negation   counts results that have a finding X after a query "no X"
      rankings   compares ranking by vectors, by words and by both
      feedback   marks results as like or unlike, and searches again
      index      compares the store's search with an exact scan
      integrity  counts unusable and duplicate vectors
    """  # noqa: D301 - click does not wrap a paragraph after `\b`
    from mcp_cxr.evaluate import page_writer, read_baseline  # imports numpy

    plan = _plan(**how)
    before = read_baseline(baseline) if baseline else None
    to_page = page_writer() if html else None
    evaluation = with_archive(lambda archive: _evaluated(archive, path, plan))
    print_result(evaluation.to_json(), _lines(evaluation), as_json=as_json)
    if save:
        _write(save, json.dumps(evaluation.to_json(), indent=2) + "\n")
    if html and to_page:
        _write(html, to_page(evaluation))
    return _compare(before, evaluation) if before else DONE


def _plan(
    *,
    only: tuple[str, ...],
    truth: Path | None,
    independent: bool,
    prompts: Path | None,
    **numbers: Any,  # noqa: ANN401 - click's options, passed on
) -> EvaluationPlan:
    from mcp_cxr.evaluate import CLASS_PROMPTS, PROTOCOLS, EvaluationPlan, TruthFile, read_prompts

    if unknown := [name for name in only if name not in PROTOCOLS]:
        raise ConfigError(f"Unknown protocol {unknown[0]!r}. Known: {', '.join(PROTOCOLS)}.")
    if independent and truth is None:
        raise ConfigError("--independent describes the labels of --truth: give --truth, too.")
    return EvaluationPlan(
        protocols=tuple(name for name in PROTOCOLS if name in only) or PROTOCOLS,
        truth=TruthFile.read(truth) if truth else None,
        independent=independent,
        prompts=read_prompts(prompts) if prompts else CLASS_PROMPTS,
        **numbers,
    )


async def _evaluated(archive: Archive, path: Path | None, plan: EvaluationPlan) -> Evaluation:
    """Evaluate the archive, or a temporary one made from a folder."""
    if path is None:
        return await archive.evaluate(plan, on_progress=note)
    from mcp_cxr.archive import open_archive

    with tempfile.TemporaryDirectory(prefix="mcp-cxr-evaluate-") as folder:
        update = {"store": "embedded", "data_dir": Path(folder), "ids": "keep"}
        async with open_archive(archive.settings.model_copy(update=update)) as temporary:
            note("Ingesting the folder into a temporary archive ...")
            summary = await temporary.ingest(path)
            note(f"Ingested {summary.added} images, {summary.errors} errors.")
            if summary.next:
                raise ConfigError(f"The folder was not fully ingested. {summary.next}")
            return await temporary.evaluate(plan, on_progress=note)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise ConfigError(f"Cannot write {path} ({exc.strerror}); name another file.") from exc
    note(f"Wrote {path}.")


def _compare(baseline: Baseline, evaluation: Evaluation) -> int:
    for difference in baseline.setup_differences(evaluation):
        note(f"Note: {difference}; the figures may not be comparable.")
    worse = baseline.regressions(evaluation)
    for regression in worse:
        note(f"Worse: {regression}.")
    if not worse:
        compared = {protocol for protocol, *_ in baseline.figures} & {protocol for protocol, _ in evaluation.figures()}
        note("No figure is worse than its interval in the baseline." if compared else "No figures to compare.")
    return FAILED if worse else DONE


def _lines(evaluation: Evaluation) -> list[str]:
    return [
        (
            f"{evaluation.model}, {evaluation.dimension} dimensions, preprocessing {evaluation.preprocessing}; "
            f"mcp-cxr {evaluation.version}, {evaluation.date}"
        ),
        (
            f"{evaluation.images} images, {evaluation.studies} studies, {evaluation.subjects} patients; split "
            f"{evaluation.split or 'all'}, seed {evaluation.seed}, {evaluation.resamples} resamples of patients"
        ),
        f"Truth: {evaluation.truth}",
        *(line for result in evaluation.protocols for line in _protocol_lines(result)),
    ]


def _protocol_lines(result: ProtocolResult) -> list[str]:
    title = f"\n{result.title} [{result.protocol}]"
    if result.skipped:
        return [title, f"  skipped: {result.skipped}"]
    return [
        title,
        f"  {'':<46}{'value':>8}  {'95 % interval':<16}{'chance':>8}{'n':>8}",
        *map(_figure_line, result.figures),
        *(f"  left out to avoid leakage: {removed}" for removed in result.removed),
        *(f"  note: {text}" for text in result.notes),
    ]


def _figure_line(figure: Figure) -> str:
    name = f"{figure.name}  {figure.of}" if figure.of else figure.name
    interval = "" if figure.low is None or figure.high is None else f"{figure.low:.3f} to {figure.high:.3f}"
    chance = "" if figure.chance is None else f"{figure.chance:.3f}"
    return f"  {name:<46}{figure.value:>8.3f}  {interval:<16}{chance:>8}{figure.n:>8}"
