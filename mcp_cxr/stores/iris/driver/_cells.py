"""Python values converted to and from the cells of a table.

The driver returns text that looks like a number as a number. A file's name need not be Unicode, but text must be.
Vectors are sent as text.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.stores._checks import damaged_vector_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mcp_cxr.records import Vector, Vectors

SEPARATOR = "\x1f"  # "unit separator": no id, term, view or label contains it
OWN_ROW = '{"mcp_cxr":%'  # LIKE: how the metadata of rows that mcp-cxr wrote begins; other rows are external


def to_list_cell(values: Iterable[str]) -> str:
    """Return distinct values as one parameter, for `%INLIST $LISTFROMSTRING(:values, :separator)`.

    One statement then serves any number of values: the driver keeps every statement it has prepared.
    """
    return SEPARATOR.join(sorted({value for value in values if SEPARATOR not in value}))


def to_text(cell: object) -> str | None:
    """Return a text cell; None if it is NULL."""
    return None if cell is None else str(cell)


def to_path_cell(path: str) -> str:
    """Return a path as text: unchanged if it is Unicode, else as JSON, which begins with a quote."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return json.dumps(path)
    return json.dumps(path) if path.startswith('"') else path


def from_path_cell(cell: object) -> str:
    """Return the path that `to_path_cell` made this cell of."""
    text = to_text(cell) or ""
    return json.loads(text) if text.startswith('"') else text


def path_key(path: str) -> str:
    """Return a short key for a path: a subscript of IRIS holds 511 bytes, a path thousands."""
    return "f" + blake2b(path.encode(errors="surrogateescape"), digest_size=16).hexdigest()


def to_vector_cell(vector: Vector) -> str:
    """Return a vector as text; nine digits restore every float32 exactly."""
    return ",".join([f"{number:.9g}" for number in vector.tolist()])


def from_vector_cell(cell: object) -> Vector | None:
    """Return the vector of a cell; None if it is NULL."""
    return None if cell is None else np.array(str(cell).split(","), dtype=np.float64).astype(np.float32)


def vectors_from_cells(cells: Sequence[object], dimension: int) -> Vectors:
    """Return the vectors of several cells, shape (len(cells), dimension).

    Raises:
        StoreError: A cell is empty or has another length.
    """
    vectors = [vector for cell in cells if (vector := from_vector_cell(cell)) is not None and vector.size == dimension]
    if len(vectors) < len(cells):
        raise damaged_vector_error()
    return np.stack(vectors) if vectors else np.empty((0, dimension), np.float32)
