"""How sure a figure is: patients are drawn again, with all their studies.

A patient's films are alike, so films drawn one by one would make intervals that are too narrow (Efron and Tibshirani,
An Introduction to the Bootstrap, 1993, chapters 8 and 13: clusters, percentile interval).
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from mcp_cxr.evaluate.metrics._ranking import Counts, Floats

_ENDS = (2.5, 97.5)


class Bootstrap:
    """Draws patients, the same ones for every figure of a protocol, so that figures can be compared.

    Args:
        subject_of: Each item's patient, as any number.
        resamples: How often all patients are drawn.
        seed: Makes the draws.
    """

    def __init__(self, subject_of: NDArray[np.integer], *, resamples: int, seed: int) -> None:
        subjects, self._subject_of = np.unique(subject_of, return_inverse=True)
        self._subjects = subjects.size
        self._resamples = resamples
        self._seed = seed

    def draws(self) -> Iterator[Counts]:
        """Yield for each resample how often each item is in it."""
        rng = np.random.default_rng(self._seed)
        for _ in range(self._resamples):
            drawn = rng.integers(0, self._subjects, self._subjects)
            yield np.bincount(drawn, minlength=self._subjects)[self._subject_of]

    def intervals(self, figures: Callable[[Counts], Floats]) -> Floats:
        """Return lower and upper ends, shape (2, number of figures).

        Args:
            figures: Computes them all from how often each item counts; NaN where one cannot be computed.
        """
        drawn = np.stack([figures(counts) for counts in self.draws()])
        with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # a figure that was never there
            return np.nanpercentile(drawn, _ENDS, axis=0)

    def intervals_of_means(self, values: Floats) -> Floats:
        """Return lower and upper ends of the mean of each column, as `means` takes it."""
        return self.intervals(lambda counts: means(values, counts))


def means(values: Floats, counts: Counts | None = None) -> Floats:
    """Return the mean of each column; cells that are NaN are left out, and a column of nothing else is NaN.

    Args:
        values: Shape (rows, columns).
        counts: How often each row counts; once where not given.
    """
    there = ~np.isnan(values)
    weights = np.ones(len(values)) if counts is None else counts
    total = weights @ there
    return np.divide(weights @ np.where(there, values, 0), total, out=np.full(total.shape, np.nan), where=total > 0)


def with_means(rows: Floats) -> Floats:
    """Return the mean of the rows, then each row, as one."""
    return np.concatenate((means(rows), rows.ravel()))
