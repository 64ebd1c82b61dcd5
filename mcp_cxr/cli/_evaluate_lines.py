"""An evaluation as lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp_cxr.evaluate import Evaluation, Figure, FindingAgreement, ProtocolResult
    from mcp_cxr.evaluate.metrics import Rate


def evaluation_lines(evaluation: Evaluation) -> Iterator[str]:
    """Yield the setup, each protocol that was measured, and last what was not."""
    yield from _setup_lines(evaluation)
    for result in evaluation.measured:
        yield f"\n{result.title} [{result.protocol}]"
        yield from _agreement_lines(result) if result.agreement else _figure_lines(result)
        yield from (f"  left out to avoid leakage: {removed}" for removed in result.removed)
        yield from (f"  note: {text}" for text in result.notes)
    if missing := evaluation.not_measured_by_reason():
        yield "\nNot measured"
        yield from (f"  {what}: {reason}" for what, reason in missing)


def _setup_lines(evaluation: Evaluation) -> Iterator[str]:
    made_by = f"mcp-cxr {evaluation.version}, {evaluation.date}"
    split = f"split {evaluation.split or 'all'}"
    if evaluation.model is None:
        yield f"{made_by}; {evaluation.studies} studies with codes and a report; {split}"
        yield f"Codes: {evaluation.truth}"
        return
    yield (
        f"{evaluation.model}, {evaluation.dimension} dimensions, preprocessing {evaluation.preprocessing}; {made_by}"
    )
    yield (
        f"{evaluation.images} images, {evaluation.studies} studies, {evaluation.subjects} patients; {split}, "
        f"seed {evaluation.seed}, {evaluation.resamples} resamples of patients"
    )
    yield f"Truth: {evaluation.truth}"


def _figure_lines(result: ProtocolResult) -> Iterator[str]:
    yield f"  {'':<46}{'value':>8}  {'95 % interval':<16}{'chance':>8}{'n':>8}"
    yield from map(_figure_line, result.figures)


def _figure_line(figure: Figure) -> str:
    name = f"{figure.name}  {figure.of}" if figure.of else figure.name
    interval = "" if figure.low is None or figure.high is None else f"{figure.low:.3f} to {figure.high:.3f}"
    chance = "" if figure.chance is None else f"{figure.chance:.3f}"
    return f"  {name:<46}{figure.value:>8.3f}  {interval:<16}{chance:>8}{figure.n:>8} {figure.unit}".rstrip()


def _agreement_lines(result: ProtocolResult) -> Iterator[str]:
    """Yield the counts and rates of each finding, then the disagreements of those without rates."""
    yield f"  {'':<50}{'studies':>8}{'coded':>7}{'read':>7}{'both':>7}  {'precision':<24}recall"
    for one in result.agreement:
        counts = f"{one.studies:>8}{one.coded:>7}{one.read:>7}{one.both:>7}"
        yield f"  {_named(one):<50}{counts}  {_rate(one.precision):<24}{_rate(one.recall)}".rstrip()
    for title, rows in result.disagreements().items():
        yield f"  disagreements, {title}:"
        for one in rows:
            sentences = " / ".join(one.sentences) or "no sentence"
            yield f"    {one.study_id}: read {one.read}, coded {one.coded}: {sentences}"


def _named(one: FindingAgreement) -> str:
    return f"{one.of}, {one.counted}"


def _rate(found: Rate | None) -> str:
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})" if found else ""
