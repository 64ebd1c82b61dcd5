"""Normalizes vectors as every store keeps them: float32, unit length."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.errors import DimensionMismatch, VectorRefused

if TYPE_CHECKING:
    from mcp_cxr.records import Vectors

_TOLERANCE = 1e-6  # how far rounding to float32 moves the length of a unit vector


def unit_rows(vectors: Vectors, dimension: int) -> Vectors:
    """Return `vectors` at unit length.

    A row of unit length stays the same bit by bit, so that copying an archive changes nothing.

    Raises:
        DimensionMismatch: A row is not `dimension` long.
        VectorRefused: A row is zero or not finite.
    """
    rows = np.array(vectors, dtype=np.float64)  # the length of a float32 vector may exceed float32
    if rows.shape[-1] != dimension:
        raise DimensionMismatch(f"A vector has {rows.shape[-1]} numbers; those of the collection have {dimension}.")
    lengths = np.sqrt(np.vecdot(rows, rows))
    least, most = lengths.min(initial=1), lengths.max(initial=1)  # NaN if there is one
    if not most < np.inf:
        raise VectorRefused("A vector holds NaN or infinity. Nothing was written; embed that image again.")
    if least == 0:
        raise VectorRefused("A vector is zero: it has no direction. Nothing was written; embed that image again.")
    if 1 - least >= _TOLERANCE or most - 1 >= _TOLERANCE:
        others = np.abs(lengths - 1) >= _TOLERANCE
        rows[others] /= lengths[others, None]
    return rows.astype(np.float32)
