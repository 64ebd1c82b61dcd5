"""Paths in cells: a file's name may be no Unicode at all, and SQLite's text must be."""

from __future__ import annotations

import os


def to_cell(path: str) -> str | bytes:
    """Return `path` as text where it is Unicode, else as the file system's bytes."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path


def from_cell(cell: str | bytes) -> str:
    """Return the path that `to_cell` was given."""
    return os.fsdecode(cell)
