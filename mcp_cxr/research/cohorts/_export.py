"""Exports a cohort: as a table, as JSON Lines, or as links to its files in a folder for each split."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from mcp_cxr.csv_writer import csv_text
from mcp_cxr.errors import ConfigError
from mcp_cxr.research.cohorts._manifest import UNASSIGNED, UNSPLIT

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_cxr.research.cohorts._manifest import Cohort

_COLUMNS = ("image_id", "study_id", "subject_id", "split", "view", "matched", "path", "size", "mtime_ns", "sha256")


def csv_table(cohort: Cohort) -> str:
    """Return one line for each image, with a column for each label of the cohort: 1, 0, -1, or blank."""
    labels = sorted({label for row in cohort.rows for label in row.labels})
    rows = (
        [*(getattr(row, column) for column in _COLUMNS), *(row.labels.get(label) for label in labels)]
        for row in cohort.rows
    )
    return csv_text([*_COLUMNS, *labels], rows)


def json_lines(cohort: Cohort) -> str:
    """Return one JSON object for each image, in a line each."""
    return "".join(f"{json.dumps(asdict(row), sort_keys=True)}\n" for row in cohort.rows)


def link_files(cohort: Cohort, folder: Path) -> int:
    """Make a link to each image's file in `folder`, in a folder for each split; return the number of new links.

    A link is named after its image. May be repeated; links of other cohorts and other files are left alone.

    Raises:
        ConfigError: The folder cannot be written, or has another file of the name of a link.
    """
    made = 0
    try:
        for row in cohort.rows:
            split = row.split or (UNSPLIT if cohort.header["split"] == "none" else UNASSIGNED)
            suffix = "".join(ch for ch in row.path[row.path.rfind(".") :] if ch.isalnum() or ch == ".")
            link = folder / _folder_name(split) / f"{row.image_id.replace('/', '_')}{suffix[:8]}"
            link.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not link.is_symlink() or str(link.readlink()) != row.path:
                link.symlink_to(row.path)
                made += 1
    except FileExistsError as exc:
        raise ConfigError(f"{exc.filename2 or exc.filename} is another file; name an empty folder.") from exc
    except OSError as exc:
        raise ConfigError(f"{folder} cannot be written ({exc.strerror}); name another folder.") from exc
    return made


def _folder_name(split: str) -> str:
    """Return a split as the name of a folder: a table may call a split anything, even `..`."""
    name = split.replace("/", "_").replace("\0", "_")
    return f"_{name}" if name.startswith(".") else name
