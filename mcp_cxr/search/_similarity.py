"""Puts a cosine in context: z-score and percentile in the reference sample; also finds near duplicates.

Raw cosines of CLIP models mean nothing by themselves. Near duplicates are images that were exported or sent twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.search._combine_vectors import centered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_cxr.records import ReferenceSample, Vector, Vectors

SMALL_SAMPLE = 100
"""Images in the reference sample below which a result warns that z-scores and percentiles are imprecise."""
NEAR_DUPLICATE_DEPTH = 200
"""Groups, from the first rank, among which near duplicates are looked for."""


class SimilarityStatistics:
    """The cosines of one query vector with the reference sample.

    Args:
        query: float32, unit length.
        sample: May be empty.
    """

    def __init__(self, query: Vector, sample: ReferenceSample) -> None:
        self._query = query
        self._cosines = cosines = np.sort(_cosines(sample.vectors, query)) if sample.ids else np.empty(0, np.float32)
        self._mean = float(cosines.mean()) if cosines.size else 0.0
        self._deviation = float(cosines.std()) if cosines.size else 0.0

    @property
    def size(self) -> int:
        """Images in the sample."""
        return int(self._cosines.size)

    def cosine(self, vector: Vector) -> float:
        """Return the cosine of one image, bit for bit as computed for the sample."""
        return float(_cosines(vector[None, :], self._query)[0])

    def z(self, cosine: float) -> float | None:
        """Return standard deviations above the sample's mean; None if all cosines of the sample are equal."""
        return round((cosine - self._mean) / self._deviation, 2) if self._deviation > 0 else None

    def percentile(self, cosine: float) -> float | None:
        """Return the share of the sample, in percent, that is less similar; None without a sample."""
        if not self.size:
            return None
        below = int(np.searchsorted(self._cosines, np.float32(cosine), side="left"))
        return round(100 * below / self.size, 2)


def _cosines(vectors: Vectors, query: Vector) -> Vector:
    """Return the cosine of each row, by `vecdot`: a matrix product may round a row differently beside others."""
    return np.clip(np.vecdot(vectors, query), -1, 1)


def near_duplicates(vectors: Sequence[Vector | None], mean: Vector, least: float) -> dict[int, int]:
    """Return the index of each near duplicate in a ranking, with the index of the first image that it repeats.

    Args:
        vectors: In the order of the ranking; None for an image without a vector.
        mean: The mean of the archive's images. Cosines are measured from it, because the vectors of any two chest
            X-rays are close to each other.
        least: Cosine from which two images are one image twice.
    """
    present = [index for index, vector in enumerate(vectors[:NEAR_DUPLICATE_DEPTH]) if vector is not None]
    if not present:
        return {}
    rows = centered(np.stack([vector for vector in vectors[:NEAR_DUPLICATE_DEPTH] if vector is not None]), mean)
    is_near = rows @ rows.T >= least
    repeats: dict[int, int] = {}
    for row, index in enumerate(present):
        earlier = (present[other] for other in np.flatnonzero(is_near[row, :row]))
        first = next((other for other in earlier if other not in repeats), None)
        if first is not None:
            repeats[index] = first
    return repeats
