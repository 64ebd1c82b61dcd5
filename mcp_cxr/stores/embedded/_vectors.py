"""Vectors on their way into and out of the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.errors import DimensionMismatch, StoreError, VectorRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_cxr.records import Vector, Vectors

_CELL = np.dtype("<f4")
_IS_UNIT = 1e-6  # what float32 makes of a unit vector's length


def unit_rows(vectors: Vectors, dimension: int) -> Vectors:
    """Return `vectors` at unit length.

    A row that has it already stays as it is, bit by bit: copying an archive changes nothing.

    Raises:
        DimensionMismatch: A row is not `dimension` long.
        VectorRefused: A row is zero or not finite.
    """
    rows = np.asarray(vectors, dtype=np.float64)  # the length of a float32 vector may lie beyond float32
    if rows.shape[-1] != dimension:
        raise DimensionMismatch(f"A vector of {rows.shape[-1]} numbers was given; the collection's have {dimension}.")
    if not np.isfinite(rows).all():
        raise VectorRefused("A vector holds NaN or infinity. Nothing was written; embed that image again.")
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not lengths.all():
        raise VectorRefused("A vector is zero: it has no direction. Nothing was written; embed that image again.")
    lengths[np.abs(lengths - 1) < _IS_UNIT] = 1
    return (rows / lengths).astype(np.float32)


def to_blob(vector: Vector) -> bytes:
    """Return the bytes of a cell."""
    return vector.astype(_CELL).tobytes()


def from_blob(blob: bytes | None) -> Vector | None:
    """Return the vector of one cell; None where there is none, or where another program wrote something else."""
    if blob is None or len(blob) % _CELL.itemsize:
        return None
    return np.frombuffer(blob, _CELL)


def stack(blobs: Sequence[bytes | None], dimension: int) -> Vectors:
    """Return the vectors of several cells, shape (len(blobs), dimension).

    Raises:
        StoreError: A cell is missing or has another length.
    """
    sound = [blob for blob in blobs if blob is not None and len(blob) == dimension * _CELL.itemsize]
    if len(sound) < len(blobs):
        raise StoreError("A stored vector is missing or damaged. Run `mcp-cxr table verify`.")
    return np.frombuffer(b"".join(sound), _CELL).reshape(len(blobs), dimension)
