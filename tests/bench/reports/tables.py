"""The tables that `bench_reports` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench.reports.figures import AT, summarize

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.bench.reports.figures import Figures, Summary
    from tests.bench.reports.reader import Agreement

OVER_ALL = "over all"
ENOUGH = 30
"""Coded studies from which a precision says something."""
MISSED = 0.8


def summaries(judged: Mapping[str, Sequence[Figures]]) -> dict[str, dict[str, Summary]]:
    """Return the figures by class and over all, of each engine."""
    first = next(iter(judged.values()))
    found = {
        category: {
            name: summarize([one for one in figures if one.category == category]) for name, figures in judged.items()
        }
        for category in dict.fromkeys(one.category for one in first)
    }
    return {**found, OVER_ALL: {name: summarize(figures) for name, figures in judged.items()}}


def classes(found: Mapping[str, Mapping[str, Summary]]) -> Iterator[str]:
    """Yield the lines of a table by class: each engine's precision, hits without a finding, and matched numbers."""
    names = list(found[OVER_ALL])
    yield f"{'':<24}" + "".join(f"| {name:<47}" for name in names)
    columns = f"{'P@10 (95 % interval)':<21}{'no finding':>10}{'ratio':>7}{'within':>7}  "
    yield f"{'class':<18}{'n':>4}  " + "".join(f"| {columns}" for _ in names)
    for category, by_name in found.items():
        cells = "".join(f"| {_cells(one)}" for one in by_name.values())
        yield f"{category:<18}{next(iter(by_name.values())).questions:>4}  {cells}"
    yield "no finding: share of the first ten hits; ratio: median of matched number / truth, of questions with a truth"
    yield "of ten or more; within: share of those within 25 %. Only for this project is a hit one that matches."


def _cells(one: Summary) -> str:
    precision = f"{one.precision:.3f} ({one.low:.2f}-{one.high:.2f})"
    return f"{precision:<21}{_share(one.without_finding):>10}{_share(one.ratio, 2):>7}{_share(one.within, 2):>7}  "


def _share(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def misses(figures: Sequence[Figures]) -> Iterator[str]:
    """Yield each question of low precision with the studies that were wrong hits."""
    for one in figures:
        if one.precision < MISSED:
            too_few = round(one.precision * min(AT, one.right)) + len(one.false_hits) < min(AT, one.right)
            yield f"{one.category}: {one.question}: {one.precision:.2f} of {one.right}{', few hits' * too_few}"
            yield f"    {' '.join(one.false_hits) or 'no false hit'}"


def reader(found: Sequence[Agreement]) -> Iterator[str]:
    """Yield the lines of a table of the reader against the codes."""
    yield f"{'finding, present':<50}{'coded':>7}{'read':>7}{'both':>7}{'precision':>11}{'recall':>8}"
    for one in found:
        both = len(one.coded & one.read)
        few = f"  fewer than {ENOUGH} coded" if len(one.coded) < ENOUGH else ""
        yield (
            f"{one.finding:<50}{len(one.coded):>7}{len(one.read):>7}{both:>7}"
            f"{_share(one.precision):>11}{_share(one.recall):>8}{few}"
        )
