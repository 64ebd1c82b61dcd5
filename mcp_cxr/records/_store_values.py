"""What a store is asked and returns besides images and studies: filters, rankings, totals, outcomes of files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcp_cxr.records._embedding import Fingerprint, Vector, Vectors
    from mcp_cxr.records._images_and_studies import ImageId, StoredImage, StudyId, SubjectId


@dataclass(frozen=True, slots=True)
class TermClause:
    """A condition on the terms of a study's document: it has any of `any_of`, or lacks any of `or_lacks`.

    A study without a document lacks every term. A clause without terms never holds.
    """

    any_of: tuple[str, ...] = ()
    or_lacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions on images; all that are given must hold. An empty filter matches every image."""

    view: tuple[str, ...] = ()
    """View positions of `VIEW_POSITIONS`, any of which matches; groups are already expanded."""
    image_id: ImageId | None = None
    study_id: StudyId | None = None
    subject_id: SubjectId | None = None
    labels: tuple[str, ...] = ()
    """Each is present (1) in the image's study."""
    labels_absent: tuple[str, ...] = ()
    """The study has labels, not of positives only, and each of these is absent (0) or not mentioned in them."""
    labels_blank: tuple[str, ...] = ()
    """The study has labels, and any of these is not mentioned in them."""
    split: str | None = None
    date_from: str | None = None
    """ISO date, inclusive; images without a date do not match."""
    date_to: str | None = None
    """ISO date, inclusive."""
    has_report: bool | None = None
    sex: str | None = None
    """`F` or `M`; studies whose sex is not recorded do not match."""
    age_from: int | None = None
    """Years, inclusive; studies whose age is not recorded do not match."""
    age_to: int | None = None
    lacks_sex: bool | None = None
    """Whether the study's sex is not recorded."""
    lacks_age: bool | None = None
    exclude_subject: SubjectId | None = None
    exclude_images: tuple[ImageId, ...] = ()
    only_images: tuple[ImageId, ...] = ()
    """Any of these; perhaps hundreds of thousands."""
    clauses: tuple[TermClause, ...] = ()
    """Each holds of the study's document, as `Store.match` reads it."""


class RankedImage(NamedTuple):  # a ranking has thousands, and a data class takes three times as long to make
    """One image in a ranking."""

    image_id: ImageId
    study_id: StudyId
    subject_id: SubjectId
    score: float
    """Cosine, BM25 (higher is better), or 0 if the order is by date."""


IDS_KEPT = "kept"
"""Begins the check value of an archive that keeps ids; that of the key follows, which hashes what is no plain id."""


def are_ids_kept(key_check: str | None) -> bool:
    """Return whether an archive with this check value keeps the ids of headers."""
    return (key_check or "").partition(" ")[0] == IDS_KEPT


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """What a store records about itself."""

    schema_version: int
    fingerprint: Fingerprint | None
    """None until the first ingest."""
    roots: tuple[str, ...]
    """Folders that were ingested into it."""
    key_check: str | None
    """Check value of the key behind hashed ids; None until an id is hashed."""
    reader_version: int
    """`language.READER_VERSION` of what derived the studies' documents; 1 if none is recorded."""


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


@dataclass(frozen=True)
class ReferenceSample:
    """The 4,096 images with the lowest hash of their id: the same images in every store."""

    ids: tuple[ImageId, ...]
    vectors: Vectors
    """float32, shape (len(ids), dimension), unit length."""

    @cached_property
    def mean(self) -> Vector:
        """The mean of all vectors, float32, shape (dimension,); not for an empty sample."""
        return self.vectors.mean(axis=0)


@dataclass(frozen=True, slots=True)
class ResultFacts:
    """What a page of results shows beside the ranking, read from the store in one snapshot."""

    fingerprint: Fingerprint | None
    """The fingerprint of the archive's vectors."""
    total: int
    """Images, studies or subjects that match."""
    external: int
    """External rows in the archive."""
    stored: Mapping[ImageId, StoredImage]
    """The hits that still exist."""
    sample: ReferenceSample | None
    """None if no vectors were compared."""
    counts: tuple[int, ...]
    """Images, studies or subjects that pass each of the further filters."""
    read_slowly: int = 0
    """Images whose vectors were read one by one, because what makes this fast is still being prepared."""


StudyFact: TypeAlias = Literal["report", "labels", "view", "date", "split"]
STUDY_FACTS: Final[tuple[StudyFact, ...]] = ("report", "labels", "view", "date", "split")
"""What an ingest counts its studies by."""


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
    reading: int = 1
    """`images.READING` of what refused the file; 1 if none is recorded."""

    def is_unchanged(self, size: int, mtime_ns: int) -> bool:
        """Whether a file of this size and modification time is the one this outcome was recorded for."""
        return (self.size, self.mtime_ns) == (size, mtime_ns)


@dataclass(frozen=True, slots=True)
class VectorAndFile:
    """One image's vector and the recorded state of its file: what `verify` checks."""

    image_id: ImageId
    file: str
    """The absolute path of the file it was read from."""
    external: bool
    """Written by another program."""
    vector: Vector | None
    """float32; None if the row has none."""
    reading: int
    """`images.READING` of what read the file."""
    outcome: Outcome | None
    """What is recorded of the file; it may name another image by now, or none."""
