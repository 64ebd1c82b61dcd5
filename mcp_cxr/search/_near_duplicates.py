"""Near duplicates: an image that was exported or sent twice is shown once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.search._query_vector import centered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_cxr.records import Vector

DEPTH = 200
"""Only the first ranks are compared with each other."""
_MIN_COSINE = 0.999  # measured from the archive's mean; the same rendering embedded by another service reaches it too


def near_duplicates(vectors: Sequence[Vector | None], mean: Vector) -> dict[int, int]:
    """Return the index of each near duplicate in a ranking, with the index of the first image that it repeats.

    Args:
        vectors: In the order of the ranking; None for an image without a vector.
        mean: The mean of the archive's images. Cosines are measured from it, because the vectors of any two chest
            X-rays are close to each other.
    """
    present = [index for index, vector in enumerate(vectors[:DEPTH]) if vector is not None]
    if not present:
        return {}
    rows = centered(np.stack([vector for vector in vectors[:DEPTH] if vector is not None]), mean)
    is_near = rows @ rows.T >= _MIN_COSINE
    repeats: dict[int, int] = {}
    for row, index in enumerate(present):
        earlier = (present[other] for other in np.flatnonzero(is_near[row, :row]))
        first = next((other for other in earlier if other not in repeats), None)
        if first is not None:
            repeats[index] = first
    return repeats
