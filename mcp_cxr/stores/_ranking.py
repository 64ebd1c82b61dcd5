"""The ranking rules that every store follows: BM25 and the order of ties."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

    from mcp_cxr.records import RankedImage

_K1, _B = 1.2, 0.75  # SQLite documentation, fts5 section 5.1.1
_LEAST_IDF = 1e-6


def term_scores(
    occurrences: NDArray[np.int64], lengths: NDArray[np.int64], *, documents: int, mean_length: float
) -> NDArray[np.float64]:
    """Return what one term adds to the BM25 of each document that contains it, as FTS5 computes it.

    Args:
        occurrences: Of the term in each of these documents.
        lengths: Terms in each of them.
        documents: Number of all documents.
        mean_length: Of all documents, in terms.
    """
    idf = max(log((documents - len(occurrences) + 0.5) / (len(occurrences) + 0.5)), _LEAST_IDF)
    return idf * (occurrences * (_K1 + 1) / (occurrences + _K1 * (1 - _B + _B * (lengths / mean_length))))


def best_first(images: Iterable[RankedImage], limit: int | None = None) -> list[RankedImage]:
    """Return the `limit` images with the highest scores, or all; ties by image id."""
    return sorted(images, key=lambda image: (-image.score, image.image_id))[:limit]
