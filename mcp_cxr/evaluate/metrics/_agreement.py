"""How far what was read agrees with given codes: counts, precision and recall."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

_Z = 1.959964  # the normal distribution's 97.5th percentile


def wilson_interval(successes: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a proportion.

    Wilson, J Am Stat Assoc 1927; 22:209. It holds for few trials and for proportions near 0 and 1, where the normal
    interval does not (Brown, Cai and DasGupta, Statistical Science 2001; 16:101).

    Args:
        successes: Of the trials.
        n: Number of trials, at least 1.
    """
    share, z2 = successes / n, _Z * _Z
    center = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, center - half), min(1.0, center + half)


@dataclass(frozen=True)
class Rate:
    """A proportion with its 95 % Wilson interval."""

    value: float
    low: float
    high: float
    n: int
    """Number of trials."""


def rate(successes: int, n: int) -> Rate | None:
    """Return a proportion; None without trials."""
    return Rate(successes / n, *wilson_interval(successes, n), n) if n else None


@dataclass(frozen=True)
class Disagreement:
    """A study for which what was read differs from its code."""

    study_id: str
    read: str
    """present, possible, absent, or not mentioned."""
    sentences: list[str]
    """The report's sentences that mention the finding; empty if none does."""
    coded: str
    """present, possible, absent, or not coded."""


@dataclass(frozen=True)
class FindingAgreement:
    """The codes of one finding, and of one side of it, against what was read."""

    finding: str
    side: str
    """left or right; empty if sides are not compared."""
    counted: str
    """What counts as having it: "present", or "present or possible"."""
    studies: int
    """Studies compared: with a report, and with a code that says whether they have it."""
    coded: int
    """Studies that have it by the codes."""
    read: int
    """Studies that have it as read."""
    both: int
    precision: Rate | None = None
    """`both` of `read`; None if too few are coded for a rate, or none is read."""
    recall: Rate | None = None
    """`both` of `coded`; None if too few are coded for a rate."""
    disagreements: list[Disagreement] = field(default_factory=list[Disagreement])
    """Each of them if too few are coded for a rate, else none."""

    @property
    def of(self) -> str:
        """The finding, after its side if sides are compared."""
        return f"{self.side} {self.finding}".strip()
