"""Figures of answers beside their truth, by question and over questions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.search_trial import interval

if TYPE_CHECKING:
    from collections.abc import Sequence

AT = 10
TOLERANCE = 0.25
"""By how much the matched number may differ from the truth, as a share of it."""


@dataclass(frozen=True)
class Figures:
    """An answer to one question, judged."""

    category: str
    question: str
    right: int
    """Studies that are right, in the whole archive."""
    false_hits: tuple[str, ...]
    """Wrong studies among the first ten hits."""
    precision: float
    """Right ones among the first ten hits, divided by ten or by `right`, whichever is less."""
    shown: int
    """Hits among the first ten, of a question that names a finding; else 0."""
    without_finding: int
    """Of those, studies that have none of the question's findings."""
    ratio: float | None
    """Matched number divided by the truth; None if the truth is less than ten."""


def judge(
    category: str,
    question: str,
    *,
    hits: Sequence[str],
    matched: int,
    right: frozenset[str],
    with_finding: frozenset[str] | None,
) -> Figures:
    """Return the figures of one answer.

    Args:
        hits: Studies that match, best first.
        matched: How many match in all.
        right: Studies that are right; at least one.
        with_finding: Studies that have a finding which the question names; None if it only denies.
    """
    first = list(dict.fromkeys(hits))[:AT]
    false = tuple(study for study in first if study not in right)
    return Figures(
        category,
        question,
        len(right),
        false,
        (len(first) - len(false)) / min(AT, len(right)),
        0 if with_finding is None else len(first),
        0 if with_finding is None else sum(study not in with_finding for study in first),
        matched / len(right) if len(right) >= AT else None,
    )


@dataclass(frozen=True)
class Summary:
    """Figures of one engine over several questions."""

    questions: int
    precision: float
    low: float
    """Lower end of the 95 % bootstrap interval of `precision` over questions."""
    high: float
    without_finding: float | None
    """Share of the first ten hits that have none of the question's findings; None if no question names one."""
    counted: int
    """Questions with a truth of ten or more."""
    ratio: float | None
    """Median of the matched number divided by the truth, over those questions."""
    within: float | None
    """Share of those questions whose matched number is within `TOLERANCE` of the truth."""


def summarize(figures: Sequence[Figures]) -> Summary:
    """Return the figures over questions; at least one."""
    precisions = [one.precision for one in figures]
    shown = sum(one.shown for one in figures)
    ratios = sorted(one.ratio for one in figures if one.ratio is not None)
    return Summary(
        len(figures),
        sum(precisions) / len(figures),
        *interval(precisions),
        sum(one.without_finding for one in figures) / shown if shown else None,
        len(ratios),
        ratios[len(ratios) // 2] if ratios else None,
        sum(abs(ratio - 1) <= TOLERANCE for ratio in ratios) / len(ratios) if ratios else None,
    )
