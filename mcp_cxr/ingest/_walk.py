"""A folder's candidate files, in sorted path order, without holding them all."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp_cxr.images import is_candidate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Candidate:
    """One file that may be a film."""

    path: Path
    """Absolute."""
    size: int
    """Bytes."""
    mtime_ns: int


def candidates(path: Path) -> Iterator[Candidate]:
    """Yield the candidates below a folder, or the file itself, by sorted name in each folder.

    Links are not followed, hidden names are passed over, only regular files are opened, and a file with several names
    comes once. A folder that cannot be listed comes as a candidate too: it fails when it is read, and so is counted.
    """
    seen: set[tuple[int, int]] = set()
    for file in _files(path):
        try:
            status = file.lstat()
        except OSError:  # gone since its folder was listed
            continue
        name = (status.st_dev, status.st_ino)
        if name in seen or not (stat.S_ISDIR(status.st_mode) or is_candidate(file)):
            continue
        if status.st_nlink > 1:
            seen.add(name)
        yield Candidate(file, status.st_size, status.st_mtime_ns)


def _files(path: Path) -> Iterator[Path]:
    """Yield whatever is no folder, and the folders that cannot be listed."""
    if not path.is_dir():
        yield path
        return
    try:
        with os.scandir(path) as entries:
            ordered = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda one: one.name)
    except OSError:
        yield path
        return
    for entry in ordered:
        if entry.is_dir(follow_symlinks=False):
            yield from _files(path / entry.name)
        else:
            yield path / entry.name
