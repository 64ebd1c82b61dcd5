"""Yields a folder's candidate files in sorted path order, without holding them all in memory."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from mcp_cxr.errors import ConfigError, PathRefused
from mcp_cxr.images import is_image_candidate, is_image_name
from mcp_cxr.ingest._non_image_cache import NonImageCache
from mcp_cxr.layouts import mimic_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_by_name = attrgetter("name")
_SHARD = re.compile(r"(\d{1,6})/(\d{1,6})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One file that may hold an image."""

    path_text: str
    """Absolute path: of hundreds of thousands of files, few are ever opened."""
    size: int
    """Bytes."""
    mtime_ns: int
    is_folder: bool = False
    """A folder that cannot be listed."""

    @property
    def path(self) -> Path:
        """The absolute path."""
        return Path(self.path_text)


def candidates(
    path: Path, non_image_cache: NonImageCache | None = None, should_stop: Callable[[], bool] = lambda: False
) -> Iterator[Candidate]:
    """Yield the candidates below a folder, or the file itself, sorted by name within each folder.

    Links are not followed, hidden names are skipped, only regular files are opened, and a file with several names
    is yielded once. A folder that cannot be listed is yielded too, so that it can be counted.

    Args:
        path: Absolute and resolved.
        non_image_cache: Files that need not be opened; those found not to be images are added.
        should_stop: Asked at each file and folder, so that a walk that meets no candidate can be ended.

    Raises:
        PathRefused: `path` itself is a folder that cannot be listed.
    """
    seen: set[tuple[int, int]] = set()
    for name, status in _files(os.fspath(path), non_image_cache or NonImageCache(), should_stop):
        is_folder = stat.S_ISDIR(status.st_mode)
        if status.st_nlink > 1 and not is_folder:
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
        yield Candidate(name, status.st_size, status.st_mtime_ns, is_folder)


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` disjoint parts of a folder, each for one of several concurrent ingests.

    A file belongs to the same part on every machine and in every run: in MIMIC's layout by its study, so that no two
    ingests write the same study's report and labels, elsewhere by its path below the folder.
    """

    index: int
    """From 0."""
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read `I/N`.

        Raises:
            ConfigError: The text has another form, or not 0 <= I < N.
        """
        found = _SHARD.fullmatch(text)
        if found is None or not int(found[1]) < int(found[2]):
            raise ConfigError(f"--shard must be I/N with 0 <= I < N, such as 0/4 to 3/4; not {text[:40]!r}.")
        return cls(int(found[1]), int(found[2]))

    def holds(self, file: Candidate, root: str) -> bool:
        """Whether a file below `root` belongs to this part."""
        ids = mimic_ids(Path(file.path_text).as_posix())
        key = ids.study if ids else os.path.relpath(file.path_text, root)
        digest = hashlib.blake2b(os.fsencode(key), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.count == self.index


def _files(
    path: str, non_image_cache: NonImageCache, should_stop: Callable[[], bool]
) -> Iterator[tuple[str, os.stat_result]]:
    """Yield files that may hold an image and folders that cannot be listed; iterative, for any depth of folders."""
    try:
        status = os.lstat(path)
    except OSError:
        return
    if not stat.S_ISDIR(status.st_mode):
        if is_image_candidate(Path(path)):
            yield path, status
        return
    stack = [iter(_listed_or_refused(path))]
    while stack:
        for entry in stack[-1]:
            if should_stop():
                return
            below = _listed(entry.path) if entry.is_dir(follow_symlinks=False) else ()
            if below:
                stack.append(iter(below))
                break
            with suppress(OSError):  # removed since its folder was listed
                if below is None or (below == () and _may_be_image(entry, non_image_cache)):
                    yield entry.path, entry.stat(follow_symlinks=False)
        else:
            stack.pop()


def _listed_or_refused(folder: str) -> list[os.DirEntry[str]]:
    entries = _listed(folder)
    if entries is None:
        raise PathRefused(f"The folder {folder} cannot be listed. Change its permissions, or name another folder.")
    return entries


def _listed(folder: str) -> list[os.DirEntry[str]] | None:
    """Return a folder's visible entries by name; None if it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if not entry.name.startswith(".")), key=_by_name)
    except OSError:
        return None


def _may_be_image(entry: os.DirEntry[str], non_image_cache: NonImageCache) -> bool:
    """Return whether the file may hold an image, by its name alone if that suffices."""
    named = is_image_name(entry.name)
    if named is False or not entry.is_file(follow_symlinks=False):
        return False
    if named:
        return True
    status = entry.stat(follow_symlinks=False)
    if non_image_cache.holds(entry.path, status):
        return False
    is_candidate = is_image_candidate(Path(entry.path))
    if not is_candidate:
        non_image_cache.add(entry.path, status)
    return is_candidate
