"""What a store is asked for, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcp_cxr.records._images import ImageId, StoredImage, StudyId, SubjectId, Vectors


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions on images; all that are given must hold. An empty filter matches every image."""

    view: tuple[str, ...] = ()
    """Any of these of `VIEWS`; groups are already expanded."""
    image_id: ImageId | None = None
    study_id: StudyId | None = None
    subject_id: SubjectId | None = None
    labels: tuple[str, ...] = ()
    """Each is present (1) in the image's study."""
    labels_absent: tuple[str, ...] = ()
    """The study has labels, and none of these is present (1) or uncertain (-1)."""
    split: str | None = None
    date_from: str | None = None
    """ISO date, inclusive; images without a date do not match."""
    date_to: str | None = None
    """ISO date, inclusive."""
    has_report: bool | None = None
    exclude_subject: SubjectId | None = None
    exclude_images: tuple[ImageId, ...] = ()
    only_images: tuple[ImageId, ...] = ()
    """Any of these."""
    terms_absent: tuple[str, ...] = ()
    """None of these is a term of the study's document, as `Store.match` reads it."""


@dataclass(frozen=True, slots=True)
class RankedImage:
    """One image in a ranking."""

    image_id: ImageId
    study_id: StudyId
    subject_id: SubjectId
    score: float
    """Cosine, BM25 (higher is better), or 0 if the order is by date."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What vectors were made with; vectors are comparable only within one fingerprint."""

    model: str
    dimension: int
    preprocessing: str
    """Version of the steps from a file to its rendering."""
    service: str | None = None
    """Version of the service; if it changes, some images are embedded again and compared."""
    dialect: str | None = None

    @property
    def description(self) -> str:
        """Model, dimension and preprocessing, for people."""
        return f"{self.model}, {self.dimension} dimensions, preprocessing {self.preprocessing}"

    @property
    def service_description(self) -> str:
        """Dialect and version of the service, for people."""
        return f"{self.dialect or 'unknown dialect'} {self.service or 'of unknown version'}"

    def same_space(self, other: Fingerprint) -> bool:
        """Whether vectors of both can be compared."""
        return (self.model, self.dimension, self.preprocessing) == (other.model, other.dimension, other.preprocessing)


@dataclass(frozen=True, slots=True)
class Collection:
    """What a store records about itself."""

    schema_version: int
    fingerprint: Fingerprint | None
    """None until the first ingest."""
    roots: tuple[str, ...]
    """Folders that were ingested into it."""
    key_check: str | None
    """Check value of the key behind hashed ids; None until an id is hashed."""


@dataclass(frozen=True, slots=True)
class Totals:
    """How much a store holds."""

    images: int
    """All rows, external ones included."""
    studies: int
    subjects: int
    external: int
    by_view: Mapping[str, int]
    by_label: Mapping[str, int]
    """Studies in which the label is present (1)."""


@dataclass(frozen=True, slots=True)
class ReferenceSample:
    """The 4,096 images with the lowest hash of their id: the same images in every store."""

    ids: tuple[ImageId, ...]
    vectors: Vectors
    """float32, shape (len(ids), dimension), unit length."""


@dataclass(frozen=True, slots=True)
class ResultFacts:
    """What a page of results shows beside the ranking, read from the store in one snapshot."""

    fingerprint: Fingerprint | None
    """Of the collection's vectors."""
    total: int
    """Images, studies or subjects that match."""
    external: int
    """External rows in the collection."""
    stored: Mapping[ImageId, StoredImage]
    """The hits that still exist."""
    sample: ReferenceSample | None
    """None if no vectors were compared."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of ingesting one file."""

    path: str
    """Absolute."""
    size: int
    """Bytes."""
    mtime_ns: int
    image_id: ImageId | None
    """The image in it; None for a refused file."""
    reason: str | None = None
    """Why the file was refused; None for a good one."""

    def is_unchanged(self, size: int, mtime_ns: int) -> bool:
        """Whether a file of this size and modification time is the one this outcome was recorded for."""
        return (self.size, self.mtime_ns) == (size, mtime_ns)
