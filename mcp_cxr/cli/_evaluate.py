"""mcp-cxr evaluate."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcp_cxr.cli._common import (
    DONE,
    FAILED,
    allow_demo_encoder,
    as_json,
    note,
    opened_archive,
    print_result,
    with_archive,
)
from mcp_cxr.cli._evaluate_lines import evaluation_lines
from mcp_cxr.cli._output_files import cannot_write, check_output_files
from mcp_cxr.errors import ConfigError

if TYPE_CHECKING:
    from mcp_cxr.archive import Archive
    from mcp_cxr.evaluate import Baseline, Evaluation, EvaluationPlan

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--only", multiple=True, metavar="PROTOCOL", help="Run only this protocol; may be repeated.")
@click.option(
    "--truth", type=_FILE, metavar="CSV", help="CSV file with the true labels or codes; default: the archive's labels."
)
@click.option(
    "--reader",
    type=_FILE,
    metavar="CODES.csv",
    help="Compare the findings that mcp-cxr reads in reports with these codes. If it is the only protocol, no images "
    "are needed.",
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
    help="Exit with 1 if a figure is worse than its interval in this file.",
)
@as_json
@allow_demo_encoder
def evaluate(
    path: Path | None,
    *,
    html: Path | None,
    save: Path | None,
    baseline: Path | None,
    as_json: bool,
    **how: Any,  # noqa: ANN401 - click's options, passed on
) -> int:
    """Measure how good the search is. Uses the archive, or the images (with --reader, the reports) of the folder PATH.

    --truth and --reader read codes from a CSV file: columns study_id, finding, value and, optionally, side and size.

    \b
    Protocols (docs/evaluate.md explains them):
      labels     finds studies by the prompts of each label
      reports    finds a study by the impression of its report
      similar    finds studies with the same label by an example image
      probes     compares finding scores with the labels they are learned from
      negation   counts results that have a finding X after a query "no X"
      rankings   compares ranking by vectors, by words and by both
      feedback   marks results as like or unlike, and searches again
      index      compares the store's search with an exact scan
      integrity  counts unusable and duplicate vectors
      questions  searches for findings with a side or size; needs codes in --truth
      reader     compares what is read in reports with the codes of --reader
    """  # noqa: D301 - click does not wrap a paragraph after `\b`
    from mcp_cxr.evaluate import page_writer, read_baseline  # imports numpy

    check_output_files(save=save, html=html)
    if path and not os.path.exists(path):  # noqa: PTH110  # Path.exists raises if the folder cannot be reached
        raise ConfigError(f"{str(path)!r} does not exist; check the path.")
    plan = _plan(**how)
    before = read_baseline(baseline) if baseline else None
    to_page = page_writer() if html else None
    evaluation = with_archive(lambda archive: _evaluated(archive, path, plan))
    print_result(evaluation.to_json(), evaluation_lines(evaluation), as_json=as_json)
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
    reader: Path | None,
    prompts: Path | None,
    **numbers: Any,  # noqa: ANN401 - click's options, passed on
) -> EvaluationPlan:
    from mcp_cxr.evaluate import CLASS_PROMPTS, PROTOCOLS, CodesFile, EvaluationPlan, TruthFile, read_prompts

    if unknown := [name for name in only if name not in PROTOCOLS]:
        raise ConfigError(f"Unknown protocol {unknown[0]!r}. Known: {', '.join(PROTOCOLS)}.")
    if independent and truth is None:
        raise ConfigError("--independent describes the labels of --truth: give --truth, too.")
    if "reader" in only and reader is None:
        raise ConfigError("--only reader needs codes to compare with: give --reader CODES.csv, too.")
    wanted = {*only, *(["reader"] if reader else [])}
    return EvaluationPlan(
        protocols=tuple(name for name in PROTOCOLS if name in wanted) or PROTOCOLS,
        truth=TruthFile.read(truth) if truth else None,
        codes=CodesFile.read(reader) if reader else None,
        independent=independent,
        prompts=read_prompts(prompts) if prompts else CLASS_PROMPTS,
        **numbers,
    )


async def _evaluated(archive: Archive, path: Path | None, plan: EvaluationPlan) -> Evaluation:
    """Evaluate the archive, or a temporary one made from a folder."""
    if path is None:
        return await archive.evaluate(plan, on_progress=note)
    if plan.only_reader:
        from mcp_cxr import __version__
        from mcp_cxr.evaluate import evaluate_reports

        return await evaluate_reports(path, plan, version=__version__)
    with tempfile.TemporaryDirectory(prefix="mcp-cxr-evaluate-") as folder:
        update = {"store": "embedded", "data_dir": Path(folder), "ids": "keep"}
        async with opened_archive(archive.settings.model_copy(update=update)) as temporary:
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
        raise cannot_write(path, exc) from exc
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
