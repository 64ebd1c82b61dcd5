"""Confidence intervals from resampled patients, each with all their studies.

Images of a patient are alike, so resampling single images would make the intervals too narrow (Efron and Tibshirani,
An Introduction to the Bootstrap, 1993, chapters 8 and 13: clusters, percentile interval).
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from mcp_cxr.evaluate.metrics._ranking import Floats, Integers

_PERCENTILES = (2.5, 97.5)


class Bootstrap:
    """Draws the same resamples of patients for every figure of a protocol, so that figures can be compared.

    Args:
        subject_of: The patient of each item, as any number.
        resamples: Number of resamples.
        seed: Seed of the draws.
    """

    def __init__(self, subject_of: NDArray[np.integer], *, resamples: int, seed: int) -> None:
        subjects, self._subject_of = np.unique(subject_of, return_inverse=True)
        self._subjects = subjects.size
        self._resamples = resamples
        self._seed = seed

    def resamples(self) -> Iterator[Integers]:
        """Yield for each resample how often each item occurs in it."""
        rng = np.random.default_rng(self._seed)
        for _ in range(self._resamples):
            drawn = rng.integers(0, self._subjects, self._subjects)
            yield np.bincount(drawn, minlength=self._subjects)[self._subject_of]

    def intervals(self, figures: Callable[[Integers], Floats]) -> Floats:
        """Return the lower and upper ends of the intervals, shape (2, number of figures).

        Args:
            figures: Computes all figures from the number of times each item occurs; NaN if one is undefined.
        """
        drawn = np.stack([figures(counts) for counts in self.resamples()])
        with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # undefined in all resamples
            return np.nanpercentile(drawn, _PERCENTILES, axis=0)

    def mean_intervals(self, values: Floats) -> Floats:
        """Return the lower and upper ends of the intervals of `column_means`, shape (2, columns)."""
        return self.intervals(lambda counts: column_means(values, counts))


def column_means(values: Floats, counts: Integers | None = None) -> Floats:
    """Return the mean of each column without its NaN; NaN for a column of NaN only.

    Args:
        values: Shape (rows, columns).
        counts: How often each row counts; once unless given.
    """
    defined = ~np.isnan(values)
    weights = np.ones(len(values)) if counts is None else counts
    total = weights @ defined
    return np.divide(weights @ np.where(defined, values, 0), total, out=np.full(total.shape, np.nan), where=total > 0)


def mean_then_rows(rows: Floats) -> Floats:
    """Return the mean of the rows, followed by each row, as a 1-D array."""
    return np.concatenate((column_means(rows), rows.ravel()))
