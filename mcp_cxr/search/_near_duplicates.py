"""Near duplicates: the same film exported twice, or sent twice, is shown once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.search._query_vector import centered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_cxr.records import Vector

DEPTH = 200
"""Ranks that are compared; behind them nothing is folded."""
_ALIKE = 0.999  # as seen from the middle of the archive; the same picture embedded by another service reaches it too


def near_duplicates(vectors: Sequence[Vector | None], mean: Vector) -> dict[int, int]:
    """Return for each place in a ranking that repeats an earlier one, the first it repeats.

    Args:
        vectors: In their order; None where there is none.
        mean: The mean of the archive's images: seen from it, films that are merely all chest films are not alike.
    """
    there = [place for place, vector in enumerate(vectors[:DEPTH]) if vector is not None]
    if not there:
        return {}
    rows = centered(np.stack([vector for vector in vectors[:DEPTH] if vector is not None]), mean)
    alike = rows @ rows.T >= _ALIKE
    folded: dict[int, int] = {}
    for row, place in enumerate(there):
        first = next((there[other] for other in np.flatnonzero(alike[row, :row]) if there[other] not in folded), None)
        if first is not None:
            folded[place] = first
    return folded
