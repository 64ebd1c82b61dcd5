"""mcp-cxr evaluate."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcp_cxr.cli._common import DONE, FAILED, as_json, note, print_json, say, with_archive
from mcp_cxr.errors import ConfigError

if TYPE_CHECKING:
    from mcp_cxr.archive import Archive
    from mcp_cxr.evaluate import Baseline, Evaluation, EvaluationPlan, Figure, Measured

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--only", multiple=True, metavar="PROTOCOL", help="Measure only this; may be given again.")
@click.option("--truth", type=_FILE, metavar="CSV", help="Labels that count as right, in place of the archive's.")
@click.option("--independent", is_flag=True, help="People read the labels of --truth from the films.")
@click.option("--prompts", type=_FILE, metavar="JSON", help="How each label is asked for.")
@click.option("--split", help="Only studies of this split: train, validate or test.")
@click.option(
    "--queries", type=click.IntRange(1), default=1000, show_default=True, help="Questions a protocol, at most."
)
@click.option(
    "--studies", type=click.IntRange(1), default=5000, show_default=True, help="Studies the search is asked of."
)
@click.option("--resamples", type=click.IntRange(20), default=500, show_default=True, help="Behind each interval.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Draws questions and patients.")
@click.option("--report", type=_FILE, metavar="HTML", help="Write a page with plots; needs the extra `plots`.")
@click.option("--save", type=_FILE, metavar="JSON", help="Keep the figures, for --baseline.")
@click.option("--baseline", type=_FILE, metavar="JSON", help="Exit 1 where a figure falls below its interval there.")
@as_json
def evaluate(
    path: Path | None,
    *,
    report: Path | None,
    save: Path | None,
    baseline: Path | None,
    as_json: bool,
    **how: Any,  # noqa: ANN401 - click's options, passed on
) -> int:
    """Measure how good the search is. On the archive at hand, or on the films of the folder PATH.

    Protocols: labels, reports, similar, negation, legs, feedback, index, integrity. docs/evaluate.md says how to read
    them.
    """
    from mcp_cxr.evaluate import page_writer, read_baseline  # numpy loads with it

    plan = _plan(**how)
    before = read_baseline(baseline) if baseline else None
    to_page = page_writer() if report else None
    evaluation = with_archive(lambda archive: _evaluated(archive, path, plan))
    if as_json:
        print_json(evaluation.to_json())
    else:
        _print(evaluation)
    if save:
        _write(save, json.dumps(evaluation.to_json(), indent=2) + "\n")
    if report and to_page:
        _write(report, to_page(evaluation))
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
        raise ConfigError("--independent says how the labels of --truth were made: name their file too.")
    return EvaluationPlan(
        protocols=tuple(name for name in PROTOCOLS if name in only) or PROTOCOLS,
        truth=TruthFile.read(truth) if truth else None,
        independent=independent,
        prompts=read_prompts(prompts) if prompts else CLASS_PROMPTS,
        **numbers,
    )


async def _evaluated(archive: Archive, path: Path | None, plan: EvaluationPlan) -> Evaluation:
    """Evaluate the archive, or one that is made of a folder for this alone."""
    if path is None:
        return await archive.evaluate(plan, tell=note)
    from mcp_cxr.archive import open_archive

    with tempfile.TemporaryDirectory(prefix="mcp-cxr-evaluate-") as folder:
        here = {"store": "embedded", "data_dir": Path(folder), "ids": "keep"}
        async with open_archive(archive.settings.model_copy(update=here)) as made:
            note("Ingesting the folder into an archive that is gone afterwards ...")
            summary = await made.ingest(path)
            note(f"Ingested {summary.added} films, {summary.errors} errors.")
            if summary.next:
                raise ConfigError(f"The folder could not be ingested whole. {summary.next}")
            return await made.evaluate(plan, tell=note)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise ConfigError(f"Cannot write {path} ({exc.strerror}); name another place.") from exc
    note(f"Wrote {path}.")


def _compare(before: Baseline, evaluation: Evaluation) -> int:
    for other in before.other_setup(evaluation):
        note(f"Note: the baseline was measured otherwise: {other}.")
    worse = before.regressions(evaluation)
    for one in worse:
        note(f"Worse: {one}.")
    if not worse:
        note("No figure fell below its interval in the baseline.")
    return FAILED if worse else DONE


def _print(evaluation: Evaluation) -> None:
    say(
        f"{evaluation.model}, {evaluation.dimension} dimensions, preprocessing {evaluation.preprocessing}; "
        f"mcp-cxr {evaluation.version}, {evaluation.date}"
    )
    say(
        f"{evaluation.images} images, {evaluation.studies} studies, {evaluation.subjects} patients; split "
        f"{evaluation.split or 'all'}, seed {evaluation.seed}, {evaluation.resamples} resamples of patients"
    )
    say(f"Right answers: {evaluation.truth}")
    for measured in evaluation.protocols:
        _print_protocol(measured)


def _print_protocol(measured: Measured) -> None:
    say(f"\n{measured.title} [{measured.protocol}]")
    if measured.skipped:
        say(f"  skipped: {measured.skipped}")
        return
    say(f"  {'':<46}{'value':>8}  {'95 % interval':<16}{'chance':>8}{'n':>8}")
    for figure in measured.figures:
        _print_figure(figure)
    for what in measured.removed:
        say(f"  removed: {what}")
    for text in measured.notes:
        say(f"  note: {text}")


def _print_figure(figure: Figure) -> None:
    name = f"{figure.name}  {figure.of}" if figure.of else figure.name
    interval = "" if figure.low is None or figure.high is None else f"{figure.low:.3f} to {figure.high:.3f}"
    chance = "" if figure.chance is None else f"{figure.chance:.3f}"
    say(f"  {name:<46}{figure.value:>8.3f}  {interval:<16}{chance:>8}{figure.n:>8}")
