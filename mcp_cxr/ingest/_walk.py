"""A folder's candidate files, in sorted path order, without holding them all."""

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

from mcp_cxr.errors import ConfigError
from mcp_cxr.images import is_candidate, told_by_name
from mcp_cxr.mimic import ids_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_by_name = attrgetter("name")
_SHARD = re.compile(r"(\d{1,6})/(\d{1,6})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One file that may be a film."""

    name: str
    """Absolute path, as text: of hundreds of thousands, few are ever opened."""
    size: int
    """Bytes."""
    mtime_ns: int

    @property
    def path(self) -> Path:
        """The same as a path."""
        return Path(self.name)


def candidates(path: Path) -> Iterator[Candidate]:
    """Yield the candidates below a folder, or the file itself, by sorted name in each folder.

    Links are not followed, hidden names are passed over, only regular files are opened, and a file with several names
    comes once. A folder that cannot be listed comes as a candidate too: it fails when it is read, and so is counted.
    """
    seen: set[tuple[int, int]] = set()
    for name, status in _files(os.fspath(path)):
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
        yield Candidate(name, status.st_size, status.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several parts of a folder, for as many ingests side by side.

    A file belongs to the same part on every machine and in every run: in MIMIC's layout by its study, so that no two
    write the same study's report and labels, elsewhere by its path below the folder.
    """

    index: int
    """From 0."""
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read `I/N`.

        Raises:
            ConfigError: It is not that, or not 0 <= I < N.
        """
        found = _SHARD.fullmatch(text)
        if found is None or not int(found[1]) < int(found[2]):
            raise ConfigError(f"A shard is I/N with 0 <= I < N, as 0/4 to 3/4 are; not {text[:40]!r}.")
        return cls(int(found[1]), int(found[2]))

    def holds(self, file: Candidate, root: str) -> bool:
        """Whether a file below `root` is of this part."""
        ids = ids_of(file.name)
        key = ids.study_id if ids else os.path.relpath(file.name, root)
        digest = hashlib.blake2b(os.fsencode(key), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.count == self.index


def _files(path: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield what may be a film, and the folders that cannot be listed; nested deeper than Python calls go."""
    top = _listed(path)
    if top is None:
        if is_candidate(Path(path)):
            yield path, os.lstat(path)
        return
    ahead = [iter(top)]
    while ahead:
        for entry in ahead[-1]:
            below = _listed(entry.path) if entry.is_dir(follow_symlinks=False) else ()
            if below:
                ahead.append(iter(below))
                break
            if below is None or (below == () and _is_film(entry)):
                with suppress(OSError):  # gone since its folder was listed
                    yield entry.path, entry.stat(follow_symlinks=False)
        else:
            ahead.pop()


def _listed(folder: str) -> list[os.DirEntry[str]] | None:
    """Return a folder's entries by name, hidden ones left out; None for what is no folder or cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if not entry.name.startswith(".")), key=_by_name)
    except OSError:
        return None


def _is_film(entry: os.DirEntry[str]) -> bool:
    """Whether a film, by its name alone where that tells."""
    named = told_by_name(entry.name)
    if named is None:
        return is_candidate(Path(entry.path))
    return named and entry.is_file(follow_symlinks=False)
