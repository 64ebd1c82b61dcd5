"""What to ingest, and the signal that stops a run."""

from __future__ import annotations

import math
import os
import sys
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from mcp_cxr.errors import ConfigError
from mcp_cxr.images import IMPLAUSIBLE_PIXELS, READING
from mcp_cxr.ingest._non_image_cache import NonImageCache
from mcp_cxr.ingest._walk import candidates
from mcp_cxr.layouts import packed_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mcp_cxr.ingest._walk import Candidate, Shard
    from mcp_cxr.records import Outcome


def no_images_message(path: Path) -> str:
    """Return what to say of a path below which no file looks like an image."""
    packed = packed_files(path)
    found = f"; packed files ({packed}) were not opened: unpack them, or" if packed else ";"
    return f"No DICOM, PNG or JPEG files below {path}{found} name the folder that holds the images."


@dataclass(frozen=True, slots=True)
class IngestPlan:
    """What to ingest, and with which options."""

    path: Path
    """Absolute and resolved: a folder, or one file."""
    limit: int | None = None
    """Most candidates to take, in sorted path order, including images already stored."""
    dry_run: bool = False
    batch_size: int = 64
    """Images embedded per request."""
    retry_failed: bool = False
    any_body_part: bool = False
    any_pixels: bool = False
    companion_folders: tuple[Path, ...] = ()
    """Additional folders with companion files or reports; `path` and its parent are always searched."""
    layout: str | None = None
    """The layout of the files; None: as recognized."""
    shard: Shard | None = None
    """Only this part of the candidates; `limit` applies within it."""
    only: frozenset[str] | None = None
    """Only these files below `path`, by absolute path; `path` is then not walked."""
    searches_companions: bool = True
    """Whether companions are searched in `path` and its parent; those of `companion_folders` always are."""
    non_image_cache: NonImageCache = field(default_factory=NonImageCache, compare=False, repr=False)
    """Files that a walk need not open."""

    def __post_init__(self) -> None:
        if self.batch_size < 1 or (self.limit is not None and self.limit < 1):
            raise ConfigError("limit and batch size must be at least 1.")

    @property
    def root(self) -> Path:
        """The folder that stored paths are relative to."""
        return self.path if self.path.is_dir() else self.path.parent

    @property
    def folders(self) -> tuple[Path, ...]:
        """Folders searched for companion files and reports, in this order."""
        own = (self.root, self.root.parent) if self.searches_companions else ()
        return (*own, *self.companion_folders)

    def retries(self, refused: Outcome) -> bool:
        """Whether an unchanged file that was refused is tried again; always if another version refused it."""
        reason = refused.reason or ""
        return (
            self.retry_failed
            or refused.reading != READING
            or (self.any_pixels and reason == IMPLAUSIBLE_PIXELS)
            or (self.any_body_part and reason.startswith(("not a radiograph", "not a chest radiograph")))
        )

    def has_candidates(self, should_stop: Callable[[], bool]) -> bool:
        """Whether there is a file to consider: among those named, else in the whole folder, whatever the shard."""
        whole = candidates(self.path, self.non_image_cache, should_stop)
        return next(whole if self.only is None else self.candidates(should_stop), None) is not None

    def candidates(self, should_stop: Callable[[], bool] = lambda: False) -> Iterator[Candidate]:
        """Yield the files to consider, in sorted path order; `should_stop` is asked at each file on the way."""
        if self.only is None:
            files = candidates(self.path, self.non_image_cache, should_stop)
        else:
            files = (
                file for name in sorted(self.only) for file in candidates(Path(name), self.non_image_cache, should_stop)
            )
        if shard := self.shard:
            root = os.fspath(self.root)
            files = (file for file in files if shard.holds(file, root))
        return islice(files, None if self.limit is None else min(self.limit, sys.maxsize))


@dataclass(slots=True)
class StopSignal:
    """Stops a run after its current batch; may be set from anywhere in the run's event loop."""

    reason: str | None = None
    """Why the run stops, for the user; None while it continues."""
    keep_counting: bool = False
    """Whether the walk goes on to count the remaining files."""
    deadline: float = math.inf
    """Event loop time at which the current batch is abandoned too; its files then count as `remaining`."""

    def ends_walk(self) -> bool:
        """Return whether the run stops and no files are to be counted."""
        return self.reason is not None and not self.keep_counting

    def stop(self, reason: str, *, keep_counting: bool = False) -> None:
        """Stop the run; the first reason is kept."""
        if self.reason is None:
            self.reason, self.keep_counting = reason, keep_counting
