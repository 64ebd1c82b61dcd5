"""Values on their way into and out of cells.

The driver gives text that reads as a number as one; a file's name may be no Unicode at all, and text must be; vectors
travel as text.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.stores._claims import damaged_vector

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mcp_cxr.records import Vector, Vectors

SEPARATOR = "\x1f"  # "unit separator": no id, term, view or label holds it
MARK = '{"mcp_cxr":%'  # LIKE: how the metadata of our rows begins


def several(values: Iterable[str]) -> str:
    """Return values as one, for `%INLIST $LISTFROMSTRING(:values, :separator)`, each once.

    One statement then serves any number of values: the driver keeps each text it ever prepared.
    """
    return SEPARATOR.join(sorted({value for value in values if SEPARATOR not in value}))


def to_text(cell: object) -> str | None:
    """Return a text cell; None where it is NULL."""
    return None if cell is None else str(cell)


def to_path_cell(path: str) -> str:
    """Return a path as text: as it is where it is Unicode, else as JSON, which begins with a quote."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return json.dumps(path)
    return json.dumps(path) if path.startswith('"') else path


def from_path_cell(cell: object) -> str:
    """Return the path that `to_path_cell` was given."""
    text = to_text(cell) or ""
    return json.loads(text) if text.startswith('"') else text


def key_of(path: str) -> str:
    """Return what a path is known by: a subscript of IRIS holds 511 bytes, a path thousands."""
    return "f" + blake2b(path.encode(errors="surrogateescape"), digest_size=16).hexdigest()


def to_vector_cell(vector: Vector) -> str:
    """Return a vector's text: nine digits bring every float32 back as it was."""
    return ",".join([f"{number:.9g}" for number in vector.tolist()])


def from_vector_cell(cell: object) -> Vector | None:
    """Return the vector of a cell; None where there is none."""
    return None if cell is None else np.array(str(cell).split(","), dtype=np.float64).astype(np.float32)


def stack(cells: Sequence[object], dimension: int) -> Vectors:
    """Return the vectors of several cells, shape (len(cells), dimension).

    Raises:
        StoreError: A cell is empty or has another length.
    """
    vectors = [vector for cell in cells if (vector := from_vector_cell(cell)) is not None and vector.size == dimension]
    if len(vectors) < len(cells):
        raise damaged_vector()
    return np.stack(vectors) if vectors else np.empty((0, dimension), np.float32)
