"""Reads and writes the ingest outcome of each file."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from mcp_cxr.records import ImageId, Outcome
from mcp_cxr.stores._shared import reason_from_cell, reason_to_cell
from mcp_cxr.stores.iris.driver import from_path_cell, path_key, to_int, to_path_cell, to_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from mcp_cxr.stores.iris.driver import Row, Statements

_SELECT_OUTCOMES = """
SELECT PathKey, FileSize, ModifiedNs, ImageID, Reason FROM {table}Files
WHERE PathKey %INLIST $LISTFROMSTRING(:ids, :separator)"""
_SELECT_REFUSED = "SELECT FilePath, FileSize, ModifiedNs, ImageID, Reason FROM {table}Files WHERE Reason IS NOT NULL"
_SELECT_OF_IMAGES = """
SELECT FilePath, FileSize, ModifiedNs, ImageID, Reason FROM {table}Files
WHERE ImageID %INLIST $LISTFROMSTRING(:ids, :separator)"""
_SELECT_NAMED = """
SELECT FilePath, FileSize, ModifiedNs, ImageID, Reason FROM {table}Files WHERE FilePath LIKE :ending"""
_SELECT_UNCHANGED = """
SELECT f.PathKey, f.FileSize, f.ModifiedNs, f.ImageID, i.ImagePath,
    CASE WHEN i.Metadata LIKE :own_row THEN i.Metadata ELSE NULL END AS OwnMetadata
FROM {table}Files AS f LEFT JOIN {table} AS i ON i.ImageID = f.ImageID
WHERE f.PathKey %INLIST $LISTFROMSTRING(:ids, :separator)"""
_UPSERT_OUTCOME = """
INSERT OR UPDATE INTO {table}Files (PathKey, FilePath, FileSize, ModifiedNs, ImageID, Reason)
VALUES (?, ?, ?, ?, ?, ?)"""


def outcomes(statements: Statements, paths: Collection[str]) -> dict[str, Outcome]:
    """Return the recorded outcomes of these files."""
    found: dict[str, Outcome] = {}
    path_of = {path_key(path): path for path in paths}
    for key, size, mtime_ns, image_id, reason in statements.fetch_by_ids(_SELECT_OUTCOMES, list(path_of)):
        image = None if image_id is None else ImageId(str(image_id))
        path = path_of[str(key)]
        found[path] = Outcome(path, to_int(size), to_int(mtime_ns), image, *reason_from_cell(to_text(reason)))
    return found


def refused_files(statements: Statements) -> list[Outcome]:
    """Return the outcomes that have a reason, by path."""
    return _by_path(statements.fetch_all(_SELECT_REFUSED))


def files_of(statements: Statements, ids: Collection[ImageId]) -> list[Outcome]:
    """Return the outcomes of files recorded with these images, by path."""
    return _by_path(statements.fetch_by_ids(_SELECT_OF_IMAGES, list(ids)))


def files_named(statements: Statements, name: str) -> list[Outcome]:
    """Return the outcomes of all files that have this name in any folder, by path."""
    rows = statements.fetch_all(_SELECT_NAMED, {"ending": f"%{os.sep}{name}"})  # finds more if `name` has a wildcard
    return [one for one in _by_path(rows) if one.path.rpartition(os.sep)[2] == name]


def _by_path(rows: Iterable[Row]) -> list[Outcome]:
    found = [
        Outcome(
            from_path_cell(path),
            to_int(size),
            to_int(mtime_ns),
            None if image_id is None else ImageId(str(image_id)),
            *reason_from_cell(to_text(cell)),
        )
        for path, size, mtime_ns, image_id, cell in rows
    ]
    return sorted(found, key=lambda one: one.path)


def unchanged_files(statements: Statements, files: Mapping[str, tuple[int, int]]) -> dict[str, ImageId | None]:
    """Return the images of the files that need not be read again, as `Store.unchanged_files` defines it."""
    found: dict[str, ImageId | None] = {}
    path_of = {path_key(path): path for path in files}
    rows = statements.fetch_by_ids(_SELECT_UNCHANGED, list(path_of))
    for key, size, mtime_ns, image_id, relative_path, metadata in rows:
        path = path_of[str(key)]
        if (to_int(size), to_int(mtime_ns)) == files[path] and (
            image_id is None or path == _image_path(metadata, relative_path)
        ):
            found[path] = None if image_id is None else ImageId(str(image_id))
    return found


def _image_path(metadata: object, relative_path: object) -> str | None:
    """Return the path of the file of an image; None if the image is missing or external."""
    if metadata is None:
        return None
    return os.path.join(json.loads(str(metadata))["root"], from_path_cell(relative_path))  # noqa: PTH118  # text: no path is opened


def record_outcomes(statements: Statements, given: Sequence[Outcome]) -> None:
    """Record outcomes; of several for one path, the last."""
    last = {file.path: file for file in given}
    rows = [
        (path_key(path), to_path_cell(path), file.size, file.mtime_ns, file.image_id, reason_to_cell(file))
        for path, file in last.items()
    ]
    statements.execute_many(_UPSERT_OUTCOME, rows)
