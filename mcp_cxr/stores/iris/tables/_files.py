"""What became of the files that were met."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from mcp_cxr.records import ImageId, Outcome
from mcp_cxr.stores.iris.driver import batches_of, from_path_cell, key_of, several, to_path_cell, to_text

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from mcp_cxr.stores.iris.driver import Statements

_OUTCOMES = """
SELECT PathKey, FileSize, ModifiedNs, ImageID, Reason FROM {table}Files
WHERE PathKey %INLIST $LISTFROMSTRING(:keys, :separator)"""
_SETTLED = """
SELECT f.PathKey, f.FileSize, f.ModifiedNs, f.ImageID, f.Reason, i.ImagePath,
    CASE WHEN i.Metadata LIKE :mark THEN i.Metadata ELSE NULL END AS Ours
FROM {table}Files AS f LEFT JOIN {table} AS i ON i.ImageID = f.ImageID
WHERE f.PathKey %INLIST $LISTFROMSTRING(:keys, :separator)"""
_RECORD = """
INSERT OR UPDATE INTO {table}Files (PathKey, FilePath, FileSize, ModifiedNs, ImageID, Reason)
VALUES (?, ?, ?, ?, ?, ?)"""


def outcomes(session: Statements, paths: Collection[str]) -> dict[str, Outcome]:
    """Return what became of these files."""
    found: dict[str, Outcome] = {}
    for batch in batches_of(list(paths)):
        path_of = {key_of(path): path for path in batch}
        for key, size, mtime_ns, image_id, reason in session.rows(_OUTCOMES, {"keys": several(path_of)}):
            image = None if image_id is None else ImageId(str(image_id))
            path = path_of[str(key)]
            found[path] = Outcome(path, int(size), int(mtime_ns), image, to_text(reason))
    return found


def settled(session: Statements, files: Mapping[str, tuple[int, int]]) -> dict[str, ImageId | None]:
    """Return what those became that need nothing."""
    found: dict[str, ImageId | None] = {}
    for batch in batches_of(list(files)):
        path_of = {key_of(path): path for path in batch}
        for key, size, mtime_ns, image_id, reason, below, metadata in session.rows(
            _SETTLED, {"keys": several(path_of)}
        ):
            path = path_of[str(key)]
            if (int(size), int(mtime_ns)) == files[path] and (reason is not None or path == _place(metadata, below)):
                found[path] = None if image_id is None else ImageId(str(image_id))
    return found


def _place(metadata: object, below: object) -> str | None:
    """Return where an image of ours is shown from; None where there is none."""
    if metadata is None:
        return None
    return os.path.join(json.loads(str(metadata))["root"], from_path_cell(below))  # noqa: PTH118  # text: no path is opened


def record(session: Statements, given: Sequence[Outcome]) -> None:
    """Keep what became of files; of one path, what comes last."""
    last = {file.path: file for file in given}
    rows = [
        (key_of(path), to_path_cell(path), file.size, file.mtime_ns, file.image_id, file.reason)
        for path, file in last.items()
    ]
    session.run_many(_RECORD, rows)
