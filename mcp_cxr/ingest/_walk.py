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
    """Yield whatever is no folder, and the folders that cannot be listed; nested deeper than Python calls go."""
    ahead = [path]
    while ahead:
        here = ahead.pop()
        entries = _entries(here) if here == path or not here.is_symlink() else None
        if entries is None:
            yield here
        else:
            ahead += reversed(entries)


def _entries(folder: Path) -> list[Path] | None:
    """Return a folder's entries by name, hidden ones left out; None for what is no folder or cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            return [folder / name for name in sorted(entry.name for entry in entries) if not name.startswith(".")]
    except OSError:
        return None
