"""Sums over the examples of each fold, from which every direction is computed: the vectors are read once for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from mcp_cxr.records import Vectors

    Floats = NDArray[np.floating]
    Folds = NDArray[np.int8]
    Truth = NDArray[np.int8]
    Integers = NDArray[np.int64]

FOLDS = 5
ROWS = 4096
"""Vectors that are held at once: 16 MiB of 1,024 numbers."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Sums over some folds; vectors count from a common origin, which keeps the sums precise."""

    origin: Floats
    """Shape (dimension,)."""
    images: float
    total: Floats
    """Shape (dimension,): of the vectors of all images with any value."""
    products: Floats
    """Shape (dimension, dimension): of their outer products."""
    counts: Floats
    """Shape (2, labels): images without and with each label."""
    sums: Floats
    """Shape (2, labels, dimension): of their vectors."""

    def __add__(self, other: Moments) -> Moments:
        """Return the sums over both."""
        return Moments(
            self.origin,
            self.images + other.images,
            self.total + other.total,
            self.products + other.products,
            self.counts + other.counts,
            self.sums + other.sums,
        )

    def mean(self) -> Floats:
        """Return the mean of the vectors as they are, shape (dimension,)."""
        return self.origin + self.total / max(self.images, 1)

    def covariance(self) -> Floats:
        """Return the covariance of the vectors, shape (dimension, dimension)."""
        images = max(self.images, 1)
        mean = self.total / images
        return self.products / images - np.outer(mean, mean)

    def differences(self) -> Floats:
        """Return the mean vector with each label minus that without, shape (labels, dimension); 0 if there is none."""
        means = self.sums / np.maximum(self.counts, 1)[..., None]
        return np.where(self.counts.min(axis=0)[:, None] > 0, means[1] - means[0], 0)


def fold_moments(vectors: Vectors, truth: Truth, folds: Folds) -> list[Moments]:
    """Return the sums over each fold.

    Args:
        vectors: Shape (images, dimension); may be on disk.
        truth: Shape (images, labels): 1 with the label, 0 without, -1 if that is not known.
        folds: Of each image, 0 to `FOLDS` - 1.
    """
    used = np.flatnonzero((truth >= 0).any(axis=1))
    origin = vectors[used[:ROWS]].mean(axis=0) if used.size else np.zeros(vectors.shape[1], np.float32)
    found = [_none(origin.astype(np.float64), truth.shape[1]) for _ in range(FOLDS)]
    for fold in range(FOLDS):
        rows = used[folds[used] == fold]
        for start in range(0, len(rows), ROWS):
            these = rows[start : start + ROWS]
            found[fold] += _of_rows(origin, vectors[these] - origin, truth[these])
    return found


def sum_without(moments: list[Moments], left_out: Collection[int]) -> Moments:
    """Return the sums over all folds but these."""
    first, *others = [each for fold, each in enumerate(moments) if fold not in left_out]
    for each in others:
        first += each
    return first


def _of_rows(origin: Vectors, vectors: Vectors, truth: Truth) -> Moments:
    masks = [(truth == value).astype(np.float32) for value in (0, 1)]
    return Moments(
        origin.astype(np.float64),
        float(len(vectors)),
        vectors.sum(axis=0, dtype=np.float64),
        (vectors.T @ vectors).astype(np.float64),
        np.array([mask.sum(axis=0, dtype=np.float64) for mask in masks]),
        np.array([mask.T @ vectors for mask in masks], np.float64),
    )


def _none(origin: Floats, labels: int) -> Moments:
    dimension = len(origin)
    return Moments(
        origin,
        0.0,
        np.zeros(dimension),
        np.zeros((dimension, dimension)),
        np.zeros((2, labels)),
        np.zeros((2, labels, dimension)),
    )
