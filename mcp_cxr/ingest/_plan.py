"""What to ingest, what passes between the stages, and how a run is asked to end."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from mcp_cxr.errors import ConfigError, UnreadableFile
from mcp_cxr.ingest._walk import candidates
from mcp_cxr.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mcp_cxr.errors import ImageError
    from mcp_cxr.ingest._walk import Candidate, Shard
    from mcp_cxr.mimic import MimicIds
    from mcp_cxr.records import ImageRecord, Rendering, Study, Vector


@dataclass(frozen=True, slots=True)
class IngestPlan:
    """What to ingest, and how."""

    path: Path
    """Absolute and resolved: a folder, or one file."""
    limit: int | None = None
    """Cap on the candidates in sorted path order, known ones included."""
    dry_run: bool = False
    batch_size: int = 64
    """Pictures embedded at once."""
    retry_failed: bool = False
    any_body_part: bool = False
    companions: tuple[Path, ...] = ()
    """More folders with companion files or reports, besides `path` and its parent."""
    shard: Shard | None = None
    """Only this part of the candidates; the limit caps what is of it."""
    only: frozenset[str] | None = None
    """Of the files below `path` only these, by absolute path."""

    def __post_init__(self) -> None:
        if self.batch_size < 1 or (self.limit is not None and self.limit < 1):
            raise ConfigError("limit and batch size must be at least 1.")

    @property
    def root(self) -> Path:
        """Folder that stored paths are relative to."""
        return self.path if self.path.is_dir() else self.path.parent

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where companion files and reports are looked for, first one first."""
        return (self.root, self.root.parent, *self.companions)

    def candidates(self) -> Iterator[Candidate]:
        """Yield the files to look at, in sorted path order."""
        files = candidates(self.path)
        if shard := self.shard:
            root = os.fspath(self.root)
            files = (file for file in files if shard.holds(file, root))
        if (only := self.only) is not None:
            files = (file for file in files if str(file.path) in only)
        return islice(files, self.limit)


@dataclass(slots=True)
class StopSignal:
    """Asks a run to end after the batch in hand; may be sent from anywhere in its event loop."""

    reason: str | None = None
    """What to tell the user; None while the run goes on."""
    keep_counting: bool = False
    """Whether the walk still counts what is left."""
    deadline: float = math.inf
    """Time of the event loop's clock at which even the batch in hand is let go; its files are `remaining`."""

    def stop(self, reason: str, *, keep_counting: bool = False) -> None:
        """End the run; the first reason stays."""
        if self.reason is None:
            self.reason, self.keep_counting = reason, keep_counting


@dataclass(slots=True)
class Item:
    """One file on its way through the stages, which fill it in."""

    file: Candidate
    ids: MimicIds
    again: bool = False
    """Whether the file was met before, with other content or as a bad one: then its image is replaced."""
    image: ImageRecord | None = None
    picture: Rendering | None = None
    study: Study | None = None
    vector: Vector | None = None

    def outcome(self) -> Outcome:
        """What became of the file: this image."""
        return Outcome(self.file.name, self.file.size, self.file.mtime_ns, self.ids.image_id)


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that became no image."""

    file: Candidate
    reason: str
    lasting: bool = True
    """Whether the file is to blame until it changes; a file that could not be read is tried again next time."""

    @classmethod
    def of(cls, file: Candidate, error: ImageError) -> Failure:
        """Tell by the error who is to blame."""
        return cls(file, error.reason, lasting=not isinstance(error, UnreadableFile))

    def outcome(self) -> Outcome:
        """What became of the file."""
        return Outcome(self.file.name, self.file.size, self.file.mtime_ns, None, self.reason)
