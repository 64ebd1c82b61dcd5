"""Probes: for each label a direction in the space of vectors, and a probability for how far an image lies along it.

The direction is that of linear discriminant analysis with a ridge (Friedman, Regularized Discriminant Analysis, 1989):
the inverse of the covariance times the difference of the means. It needs sums alone, so vectors are read once whatever
the number of labels and folds. The probability is a logistic curve (Platt, Probabilistic Outputs for Support Vector
Machines, 1999).

Nothing of a fold decides what its images score. Fold k's direction is learned from the other four; its ridge and its
curve from models that leave out k and one of the four in turn, and score that one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.research.probes._calibration import logistic_curve
from mcp_cxr.research.probes._moments import FOLDS, ROWS, Moments, fold_moments, sum_without

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from numpy.typing import NDArray

    from mcp_cxr.records import Vector, Vectors
    from mcp_cxr.research.probes._calibration import Mask
    from mcp_cxr.research.probes._moments import Floats, Folds, Integers, Truth

RIDGES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""What is tried: shares of the mean variance of a dimension."""
_TINY = 1e-30
_LABELS_AT_ONCE = 16
"""Labels whose scores of all images are held at once, four for each image: 96 MB of 377,110 images."""


@dataclass(frozen=True, slots=True)
class LinearProbes:
    """A probe for each label and fold; that of a fold has seen nothing of it."""

    weights: Vectors
    """Shape (folds, labels, dimension)."""
    offsets: Vectors
    """Shape (folds, labels)."""
    ridges: Vectors
    """Shape (folds, labels): of `RIDGES`."""

    def scores(self, vectors: Vectors, folds: Folds) -> Vectors:
        """Return the probability of each label in each image, out of fold: float32, shape (images, labels), 0 to 1.

        Args:
            vectors: Shape (images, dimension); may be on disk.
            folds: Of each image.
        """
        found = np.empty((len(folds), self.offsets.shape[1]), np.float32)
        for fold, rows in _blocks(folds, range(FOLDS)):
            found[rows] = vectors[rows] @ self.weights[fold].T + self.offsets[fold]
        np.negative(found, out=found)
        with np.errstate(over="ignore"):  # exp(-x) of a score of 0
            np.exp(found, out=found)
        found += 1
        return np.reciprocal(found, out=found)


def fit_linear_probes(vectors: Vectors, truth: Truth, folds: Folds) -> LinearProbes:
    """Return probes for each column of `truth`.

    Args:
        vectors: float32, shape (images, dimension); may be on disk. It is read twice, a block at a time.
        truth: int8, shape (images, labels): 1 with the label, 0 without, -1 if that is not known.
        folds: int8, of each image, 0 to `FOLDS` - 1; the same for all images of a patient.
    """
    moments = fold_moments(vectors, truth, folds)
    paired = {pair: np.stack([*_ridged(sum_without(moments, pair))]) for pair in combinations(range(FOLDS), 2)}
    chosen = np.stack([_best_ridges(moments, paired, fold) for fold in range(FOLDS)])
    alone = np.stack([_picked(sum_without(moments, (fold,)), chosen[fold]) for fold in range(FOLDS)])
    curves = np.empty((FOLDS, truth.shape[1], 2))
    for start in range(0, truth.shape[1], _LABELS_AT_ONCE):
        labels = slice(start, start + _LABELS_AT_ONCE)
        curves[:, labels] = _curves(vectors, truth[:, labels], folds, _inner(paired, chosen, labels))
    probes = alone * curves[..., :1]
    probes[..., -1] += curves[..., 1]
    return LinearProbes(
        probes[..., :-1].astype(np.float32),
        probes[..., -1].astype(np.float32),
        np.array(RIDGES, np.float32)[chosen],
    )


def _ridged(moments: Moments) -> Iterator[Floats]:
    """Yield the directions of all labels with each ridge, as `_directions` does."""
    covariance, differences, mean = moments.covariance(), moments.differences(), moments.mean()
    for ridge in RIDGES:
        yield _directions(covariance, differences, mean, ridge)


def _directions(covariance: Floats, differences: Floats, mean: Floats, ridge: float) -> Floats:
    """Return directions, shape (labels, dimension + 1); the last number is added, so that the mean scores 0."""
    dimension = len(covariance)
    variance = max(float(np.trace(covariance)) / dimension, _TINY)
    found = np.linalg.solve(covariance + ridge * variance * np.eye(dimension), differences.T).T
    return np.column_stack((found, -(found @ mean)))


def _best_ridges(moments: Sequence[Moments], paired: dict[tuple[int, ...], Floats], fold: int) -> Integers:
    """Return for each label the number of the ridge that separates best in folds that its direction did not see."""
    worth = np.zeros((len(RIDGES), moments[0].counts.shape[1]))
    for other in range(FOLDS):
        if other != fold:
            worth += moments[other].counts[1] * _separation(moments[other], _without(paired, fold, other))
    return worth.argmax(axis=0)


def _separation(moments: Moments, directions: Floats) -> Floats:
    """Return how many standard deviations the means with and without each label lie apart, along each direction.

    Args:
        moments: Of images that the directions have not seen.
        directions: Shape (ridges, labels, dimension + 1).
    """
    directions = directions[..., :-1]
    apart = np.vecdot(directions, moments.differences())
    variances = np.vecdot(directions @ moments.covariance(), directions)
    return np.where(variances > 0, apart / np.sqrt(np.maximum(variances, _TINY)), 0)


def _picked(moments: Moments, chosen: Integers) -> Floats:
    """Return the direction of each label with its own ridge."""
    covariance, differences, mean = moments.covariance(), moments.differences(), moments.mean()
    found = np.empty((len(chosen), len(mean) + 1))
    for number in range(len(RIDGES)):
        these = chosen == number
        found[these] = _directions(covariance, differences[these], mean, RIDGES[number])
    return found


def _inner(paired: dict[tuple[int, ...], Floats], chosen: Integers, labels: slice) -> Vectors:
    """Return the directions that score fold j for fold k's curves, shape (j, k, labels, dimension + 1); 0 if j is k."""
    numbers = list(range(chosen.shape[1]))[labels]
    found = np.zeros((FOLDS, FOLDS, len(numbers), next(iter(paired.values())).shape[-1]))
    for scored in range(FOLDS):
        for fold in range(FOLDS):
            if scored != fold:
                found[scored, fold] = _without(paired, fold, scored)[chosen[fold, labels], numbers]
    return found.astype(np.float32)


def _without(paired: dict[tuple[int, ...], Floats], *pair: int) -> Floats:
    return paired[tuple(sorted(pair))]


def _curves(vectors: Vectors, truth: Truth, folds: Folds, directions: Vectors) -> Floats:
    """Return slope and offset of each fold and label, shape (folds, labels, 2), from what other folds score."""
    labels = truth.shape[1]
    known = (truth >= 0).any(axis=1)
    projected = np.zeros((len(folds), FOLDS, labels), np.float32)
    for scored, rows in _blocks(np.where(known, folds, -1), range(FOLDS)):
        lines = directions[scored].reshape(FOLDS * labels, -1)
        projected[rows] = (vectors[rows] @ lines[:, :-1].T + lines[:, -1]).reshape(-1, FOLDS, labels)
    found = np.empty((FOLDS, labels, 2))
    for fold in range(FOLDS):
        for label in range(labels):
            used = (folds != fold) & (truth[:, label] >= 0)
            found[fold, label] = _rising_curve(projected[used, fold, label], truth[used, label] == 1)
    return found


def _rising_curve(scores: Vector, truth: Mask) -> tuple[float, float]:
    """Return the logistic curve; a level one if a direction separates unseen images the wrong way."""
    slope, offset = logistic_curve(scores, truth)
    return (slope, offset) if slope >= 0 else logistic_curve(np.zeros_like(scores), truth)


def _blocks(folds: NDArray[np.integer], numbers: Collection[int]) -> Iterator[tuple[int, Integers]]:
    """Yield the rows of each fold, a block at a time, in order."""
    for fold in numbers:
        rows = np.flatnonzero(folds == fold)
        for start in range(0, len(rows), ROWS):
            yield fold, rows[start : start + ROWS]
