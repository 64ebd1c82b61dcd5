"""The values every room speaks of: frozen, with no behaviour beyond their own meaning.

Answers (`SearchResult`, `IngestSummary`, `ImageDetails`, `Overview`) have no slots: the MCP SDK reads their schemas.

numpy appears in annotations only: the MCP edge imports this page before anything heavy loads. `Vector` and `Vectors`
therefore exist for the type checker alone; import them below `TYPE_CHECKING`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NewType

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    import numpy as np
    from numpy.typing import NDArray

    Vector: TypeAlias = NDArray[np.float32]
    """float32, shape (dimension,)."""
    Vectors: TypeAlias = NDArray[np.float32]
    """float32, shape (n, dimension)."""

ImageId = NewType("ImageId", str)
"""MIMIC's dicom_id, or a keyed hash of the SOPInstanceUID, or of the file's content."""
StudyId = NewType("StudyId", str)
"""MIMIC's study with its letter (`s50414267`), or `s` and a keyed hash."""
SubjectId = NewType("SubjectId", str)
"""MIMIC's subject with its letter (`p10000032`), or `p` and a keyed hash."""

VIEWS = ("PA", "AP", "LATERAL", "LL", "RL", "OTHER", "UNKNOWN")
"""The view positions a record can have, (0018,5101); `LATERAL` is a lateral whose side is not known."""
VIEW_GROUPS: Mapping[str, tuple[str, ...]] = {"FRONTAL": ("PA", "AP"), "LATERAL": ("LATERAL", "LL", "RL")}
"""Names a filter knows for several view positions."""
LABELS = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Enlarged Cardiomediastinum",
    "Fracture",
    "Lung Lesion",
    "Lung Opacity",
    "No Finding",
    "Pleural Effusion",
    "Pleural Other",
    "Pneumonia",
    "Pneumothorax",
    "Support Devices",
)
"""The 14 labels of CheXpert (Irvin et al., AAAI 2019); 1 present, 0 absent, -1 uncertain, missing: not mentioned."""
VIEWER_URI = "ui://mcp-cxr/viewer.html"
"""The MCP resource that holds the viewer page."""


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """What is known of one image, apart from its vector and its study."""

    image_id: ImageId
    study_id: StudyId
    subject_id: SubjectId
    view_position: str
    """One of `VIEWS`."""
    view_source: str
    """Where the view was read: `ViewPosition`, `ViewCodeSequence`, `companion CSV`, `description`, ... `none`."""
    image_path: str
    """POSIX path relative to `root`."""
    root: str
    """Absolute folder it was ingested from; never shown to a host."""
    tags: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Allow-listed header facts by DICOM keyword."""
    grayscale: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What was done to the pixel values on the way to the picture that was embedded."""

    @property
    def file(self) -> Path:
        """The file it was read from, as recorded: not checked against the roots, and perhaps gone."""
        return Path(self.root) / self.image_path

    @property
    def shown_path(self) -> str:
        """`image_path` for people and programs: bytes of a name that are no UTF-8 become U+FFFD."""
        return self.image_path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Study:
    """What is known of one study: the report and what came with it."""

    study_id: StudyId
    subject_id: SubjectId
    study_date: str | None = None
    """ISO date, `2180-05-06`."""
    split: str | None = None
    labels: Mapping[str, int] = field(default_factory=dict[str, int])
    """1 present, 0 absent, -1 uncertain."""
    report: str | None = None
    """The whole text as it was found."""


@dataclass(frozen=True, slots=True)
class StoredImage:
    """One image as the store has it."""

    image: ImageRecord
    study: Study
    external: bool
    """Written by another program: shown, never ranked."""
    vector: Vector | None = None
    """float32, unit length; None unless asked for, or where the row has none."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which images a question is about; every given condition must hold. An empty filter is every image."""

    view: tuple[str, ...] = ()
    """Any of these of `VIEWS`; groups are already expanded."""
    image_id: ImageId | None = None
    study_id: StudyId | None = None
    subject_id: SubjectId | None = None
    labels: tuple[str, ...] = ()
    """Each is present (1) in the image's study."""
    labels_absent: tuple[str, ...] = ()
    """The study is labelled, and none of these is present (1) or uncertain (-1) in it."""
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
    """None of these stands in the document of the image's study, as `Store.match` reads it."""


@dataclass(frozen=True, slots=True)
class RankedImage:
    """One image in a ranking."""

    image_id: ImageId
    study_id: StudyId
    subject_id: SubjectId
    score: float
    """Cosine, BM25 (higher is better) or 0 where the order is by date."""


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """The picture an embedder wants."""

    size: int
    """Rows and columns; the film is squashed, not cropped."""
    mode: Literal["L", "RGB"]
    jpeg_quality: int | None = None
    """JPEG quality of the encoded form; None: pixels are enough."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """A film rendered to an embedder's `ImageSpec`."""

    pixels: NDArray[np.uint8]
    """uint8, shape (size, size), or (size, size, 3) for RGB; bright is dense, as a film is read."""
    jpeg: bytes | None = None
    """The same as JPEG, where the spec asks for it."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why an embedder gave no vector for one picture; the picture's fault, not the service's."""

    reason: str


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What made a collection's vectors."""

    model: str
    dimension: int
    preprocessing: str
    """Version of the way from file to picture."""
    service: str | None = None
    """Version of the service; recorded, and checked by embedding again when it changes."""
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
    """What a store knows of itself."""

    schema_version: int
    fingerprint: Fingerprint | None
    """None until the first ingest."""
    roots: tuple[str, ...]
    """Folders that were ingested into it."""
    key_check: str | None
    """Check value of the key behind hashed ids; None where none was needed yet."""


@dataclass(frozen=True, slots=True)
class Totals:
    """How much a store holds."""

    images: int
    """All rows, foreign ones included."""
    studies: int
    subjects: int
    external: int
    by_view: Mapping[str, int]
    by_label: Mapping[str, int]
    """Studies in which the label is present (1)."""


@dataclass(frozen=True, slots=True)
class ReferenceSample:
    """The reference sample: the 4,096 images with the lowest hash, the same for every store."""

    ids: tuple[ImageId, ...]
    vectors: Vectors
    """float32, shape (len(ids), dimension), unit length."""


@dataclass(frozen=True, slots=True)
class ResultFacts:
    """What an answer tells of its hits, and of what is around them."""

    fingerprint: Fingerprint | None
    """What made the collection's vectors."""
    total: int
    """Images, studies or subjects that the question lets through."""
    external: int
    """Rows that other programs wrote."""
    stored: Mapping[ImageId, StoredImage]
    """The hits that are still there."""
    sample: ReferenceSample | None
    """The reference sample, where vectors were compared."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file."""

    path: str
    """Absolute."""
    size: int
    """Bytes."""
    mtime_ns: int
    image_id: ImageId | None
    """The image it became; None for a bad file."""
    reason: str | None = None
    """Why it is no image here; None for a good file."""

    def is_unchanged(self, size: int, mtime_ns: int) -> bool:
        """Whether a file of this size and modification time is the one this outcome was recorded for."""
        return (self.size, self.mtime_ns) == (size, mtime_ns)


@dataclass(frozen=True)
class Hit:
    """One image on a page, as people and programs see it."""

    rank: int
    """From 1, over all pages."""
    image_id: str
    study_id: str
    subject_id: str
    view_position: str
    image_path: str
    similarity_score: float | None
    """Raw cosine, -1 to 1; null where no vector was compared."""
    similarity_z: float | None
    """Standard deviations above the mean cosine of the reference sample."""
    percentile: float | None
    """Share of the reference sample, in percent, that is less similar."""
    labels: dict[str, int]
    report_excerpt: str | None
    why: list[str]


@dataclass(frozen=True)
class SearchResult:
    """The answer to a question."""

    query: str | None
    search_mode: Literal["semantic", "keyword", "hybrid", "similar", "filter"]
    fallback_reason: str | None
    embedder: str
    filters: dict[str, Any]
    """The filters in force, as understood; those not given are left out."""
    total_results: int
    """Groups, after all filters."""
    results_count: int
    offset: int
    next_offset: int | None
    execution_time_ms: float
    cache_hit: bool
    """Whether the query's vector came from the cache."""
    warnings: list[str]
    images: list[Hit]


@dataclass(frozen=True)
class IngestSummary:
    """What an ingest did; `found = skipped + added + errors + remaining`."""

    found: int | None
    """Candidate files; null until the walk has ended."""
    processed: int
    skipped: int
    added: int
    errors: int
    errors_by_reason: dict[str, int]
    would_add: int | None
    """For a dry run."""
    remaining: int | None
    studies_updated: int
    total_in_store: int
    seconds: float
    images_per_second: float
    stages: dict[str, float]
    """Files a second of each stage while it was at work, not waiting for its neighbours."""
    slowest_stage: str | None
    """The stage that was at work longest: it sets the pace."""
    next: str | None
    """What to do to go on; null where nothing is left."""


@dataclass(frozen=True)
class ImageDetails:
    """Everything known of one image, as people and programs see it."""

    image_id: str
    study_id: str
    subject_id: str
    view_position: str
    view_source: str
    image_path: str
    study_date: str | None
    split: str | None
    labels: dict[str, int]
    tags: dict[str, Any]
    grayscale: dict[str, Any]
    report: dict[str, str] | None
    """The report by section, in its order; null where there is none or it may not be shared."""
    external: bool
    other_images: list[str]
    """The other images of the study."""
    warnings: list[str]


@dataclass(frozen=True)
class Overview:
    """What an archive holds, as people and programs see it."""

    images: int
    studies: int
    subjects: int
    external: int
    by_view: dict[str, int]
    by_label: dict[str, int]
    embedder: dict[str, Any]
    store: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Verification:
    """What `verify` found."""

    images: int
    problems: dict[str, int]


@dataclass(frozen=True, slots=True)
class Repair:
    """What `repair` found and repaired."""

    images: int
    problems: dict[str, int]
    """Counts after the repair."""
    repaired: dict[str, int]


@dataclass(frozen=True, slots=True)
class ForgetPreview:
    """What `forget` would remove."""

    where: Filter
    images: int
    """Of ours."""
    studies: int
    """Those of these images."""
    external_in_archive: int
    """Images that other programs wrote, anywhere in the archive: those that `where` names go too."""
