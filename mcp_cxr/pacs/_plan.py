"""What to pull, where it goes, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from mcp_cxr.pacs._query_and_answers import PacsQuery
    from mcp_cxr.records import ImageId, IngestSummary, Outcome, StoredImage

Keep = Literal["none", "files"]


class Destination(Protocol):
    """The archive that images are pulled into."""

    async def ingest(self, files: Collection[Path]) -> IngestSummary:
        """Add these files of the spool."""
        ...

    async def outcomes(self, files: Collection[Path]) -> Mapping[str, Outcome]:
        """Return what became of these files, by path."""
        ...

    async def stored(self, image_ids: Sequence[ImageId]) -> Mapping[ImageId, StoredImage]:
        """Return these images."""
        ...

    @property
    def takes_reports(self) -> bool:
        """Whether reports may be stored: not where other machines would share them before they are confirmed."""
        ...

    async def put_report(self, image_id: str, text: str) -> None:
        """Store the report of an image's study."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PullPlan:
    """What to pull, and how."""

    query: PacsQuery
    source_name: str
    """Base URL of the PACS."""
    limit: int | None = None
    """Most images to fetch."""
    dry_run: bool = False
    keep: Keep = "none"
    """Whether files stay in the spool once their images are in the archive."""
    per_minute: int | None = None
    """Most files to fetch a minute."""
    report_tables: tuple[Path, ...] = ()
    """Tables with reports by StudyInstanceUID or accession number."""


@dataclass(slots=True)
class PullSummary:
    """Counts of a pull."""

    studies: int = 0
    """Studies that the PACS named."""
    studies_done: int = 0
    """Those among them that were looked at."""
    not_asked_for: int = 0
    """Studies that it named against the question; they were left alone."""
    known: int = 0
    """Images and documents that were settled before."""
    passed_over: dict[str, int] = field(default_factory=dict[str, int])
    """Images and documents that were not fetched, by reason."""
    to_fetch: int = 0
    """Images that are new; in a dry run, those that would be fetched."""
    to_fetch_bytes: int = 0
    """Their pixels, uncompressed, as far as the PACS says."""
    fetched: int = 0
    fetched_bytes: int = 0
    added: int = 0
    reports: int = 0
    """Studies whose report is new or was replaced."""
    reports_left_out: int = 0
    """Reports that were not stored, as they are not confirmed and other machines use the archive."""
    refused: dict[str, int] = field(default_factory=dict[str, int])
    """Files that were fetched and are not in the archive, by reason."""
    failed: dict[str, int] = field(default_factory=dict[str, int])
    """Images that could not be fetched, by reason; the next pull tries again."""
    missing: int = 0
    """Studies of the archive that the PACS has no more since this run or less than a day."""
    gone: int = 0
    """Studies of the archive that it had no more in two runs at least a day apart."""
    limit_reached: bool = False
    """Whether more images may be new than the limit allowed to fetch."""
    seconds: float = 0.0
    next: str | None = None
    """What to do next; None if nothing is left."""


def count(reasons: dict[str, int], reason: str) -> None:
    """Count a reason once more; a `Counter` in a dataclass would not become JSON."""
    reasons[reason] = reasons.get(reason, 0) + 1
