"""Vectors on their way into and out of the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.stores._checks import damaged_vector_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_cxr.records import Vector, Vectors

_CELL = np.dtype("<f4")


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
        raise damaged_vector_error()
    return np.frombuffer(b"".join(sound), _CELL).reshape(len(blobs), dimension)


def as_they_are(blobs: Sequence[bytes | None], dimension: int) -> Vectors:
    """Return the vectors of several cells, shape (len(blobs), dimension); NaN for one that is missing or damaged."""
    nothing = b"\xff" * (dimension * _CELL.itemsize)
    sound = [blob if blob is not None and len(blob) == len(nothing) else nothing for blob in blobs]
    return np.frombuffer(b"".join(sound), _CELL).reshape(len(blobs), dimension)
