"""How paths and vectors are stored in cells of the database."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.stores._shared import damaged_vector_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mcp_cxr.records import Vector, Vectors

_CELL = np.dtype("<f4")


def path_to_cell(path: str) -> str | bytes:
    """Return `path` as text if it is valid Unicode, which SQLite's text must be; else as the file system's bytes."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path


def path_from_cell(cell: str | bytes) -> str:
    """Return the path that `path_to_cell` was given."""
    return os.fsdecode(cell)


def vector_to_blob(vector: Vector) -> bytes:
    """Return the bytes of a vector: float32, little-endian."""
    return vector.astype(_CELL).tobytes()


def vector_from_blob(blob: bytes | None) -> Vector | None:
    """Return the vector of one cell; None if it has none, or if another program wrote something else."""
    if blob is None or len(blob) % _CELL.itemsize:
        return None
    return np.frombuffer(blob, _CELL)


def stack_blobs(blobs: Sequence[bytes | None], dimension: int) -> Vectors:
    """Return the vectors of several cells, shape (len(blobs), dimension).

    Raises:
        StoreError: A vector is missing or has another length.
    """
    sound = [blob for blob in blobs if blob is not None and len(blob) == dimension * _CELL.itemsize]
    if len(sound) < len(blobs):
        raise damaged_vector_error()
    return np.frombuffer(b"".join(sound), _CELL).reshape(len(blobs), dimension)


def stack_blobs_or_nan(blobs: Sequence[bytes | None], dimension: int) -> Vectors:
    """Return the vectors of several cells, shape (len(blobs), dimension); NaN for one that is missing or damaged."""
    nan = b"\xff" * (dimension * _CELL.itemsize)
    sound = [blob if blob is not None and len(blob) == len(nan) else nan for blob in blobs]
    return np.frombuffer(b"".join(sound), _CELL).reshape(len(blobs), dimension)


def numbers_from_json(array: str) -> NDArray[np.int64]:
    """Return the integers of an array that `json_group_array` wrote."""
    return np.fromstring(array[1:-1], np.int64, sep=",")
