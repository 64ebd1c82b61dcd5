"""One image with its study, what an embedder makes of it, and what a store takes and returns."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, NewType, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

Vector: TypeAlias = "NDArray[np.float32]"
"""float32, shape (dimension,)."""
Vectors: TypeAlias = "NDArray[np.float32]"
"""float32, shape (n, dimension)."""

ImageId = NewType("ImageId", str)
"""MIMIC's dicom_id, or a keyed hash of the SOPInstanceUID, or of the file's content."""
StudyId = NewType("StudyId", str)
"""MIMIC's study with its prefix (`s50414267`), or `s` and a keyed hash."""
SubjectId = NewType("SubjectId", str)
"""MIMIC's subject with its prefix (`p10000032`), or `p` and a keyed hash."""

VIEWER_URI = "ui://mcp-cxr/viewer.html"
"""The MCP resource that holds the viewer page."""
VIEW_POSITIONS = ("PA", "AP", "LATERAL", "LL", "RL", "OTHER", "UNKNOWN")
"""The view positions a record can have, (0018,5101); `LATERAL` is a lateral whose side is not known."""
VIEW_GROUPS: Mapping[str, tuple[str, ...]] = {"FRONTAL": ("PA", "AP"), "LATERAL": ("LATERAL", "LL", "RL")}
"""Names that stand for several view positions in a filter; images that tie are in this order of views."""
SPLITS = ("train", "validate", "test")
"""The data splits of MIMIC-CXR."""
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


def burned_in_annotation(tags: Mapping[str, Any]) -> Literal["YES", "NO"] | None:
    """Return whether the header says that text is burned into the pixels, (0028,0301); None if it does not say so."""
    value = str(tags.get("BurnedInAnnotation", "")).strip().upper()
    return "YES" if value == "YES" else "NO" if value == "NO" else None


def mimic_study_id(number: str) -> StudyId:
    """Return a study id with MIMIC's prefix; `50414267` becomes `s50414267`."""
    return StudyId(f"s{number}")


def mimic_subject_id(number: str) -> SubjectId:
    """Return a subject id with MIMIC's prefix; `10000032` becomes `p10000032`."""
    return SubjectId(f"p{number}")


def without_mimic_prefix(study_id: StudyId) -> str:
    """Return a study id as MIMIC's tables write it; `s50414267` becomes `50414267`."""
    return study_id.removeprefix("s")


def _shown(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """The facts of one image, without its vector and its study."""

    image_id: ImageId
    study_id: StudyId
    subject_id: SubjectId
    view_position: str
    """One of `VIEW_POSITIONS`."""
    view_source: str
    """Where the view was read: `ViewPosition`, `ViewCodeSequence`, `companion CSV`, `description`, ... `none`."""
    image_path: str
    """POSIX path relative to `root`."""
    root: str
    """Absolute folder it was ingested from; never shown to a host."""
    tags: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Allow-listed header facts by DICOM keyword; and `LabelVotes`, how many readers named each label."""
    grayscale: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The steps from the file's pixel values to the rendering that was embedded."""
    reading: int = 1
    """`images.READING` of what read the file; 1 if none is recorded."""

    @property
    def file(self) -> Path:
        """The file it was read from, as recorded: not checked against the roots, and perhaps gone."""
        return Path(self.root) / self.image_path

    @property
    def shown_path(self) -> str:
        """`image_path` for display: bytes that are not UTF-8 become U+FFFD."""
        return _shown(self.image_path)

    @property
    def shown_file(self) -> str | None:
        """`file` for display; None if its folder is not known, as of rows that another program wrote."""
        return _shown(str(self.file)) if self.file.is_absolute() else None


@dataclass(frozen=True, slots=True)
class Study:
    """The facts of one study: its report and what companion files say of it."""

    study_id: StudyId
    subject_id: SubjectId
    study_date: str | None = None
    """ISO date, `2180-05-06`."""
    split: str | None = None
    labels: Mapping[str, int] = field(default_factory=dict[str, int])
    """1 present, 0 absent, -1 uncertain."""
    report: str | None = None
    """The whole text as it was found."""
    labels_by: str | None = None
    """Who gave the labels: `people`, or what read the report (`chexpert`, `negbio`, `chexbert`, or `program`
    for an unnamed one); None if that is unknown, as in old archives."""
    positives_only: bool = False
    """Whether the labels come from a table that only names what is present: a missing label is then unknown."""
    sex: str | None = None
    """`F` or `M`, from a companion table."""
    age: int | None = None
    """Years, from a companion table."""
    report_language: str | None = None
    """Of the report, such as `es`; None: English. Only English reports are read for findings."""

    @property
    def english_report(self) -> str | None:
        """The report, if it can be read for findings."""
        return None if self.report_language else self.report


@dataclass(frozen=True, slots=True)
class StoredImage:
    """One image as the store holds it."""

    image: ImageRecord
    study: Study
    external: bool
    """Written by another program: shown, never ranked."""
    vector: Vector | None = None
    """float32, unit length; None unless requested, or if the row has none."""


Resampling: TypeAlias = Literal["bicubic", "bilinear", "box", "hamming", "lanczos"]


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """The rendering that an embedder expects."""

    size: int
    """Rows and columns; the image is resized to a square, aspect ratio not kept."""
    mode: Literal["L", "RGB"]
    jpeg_quality: int | None = None
    """JPEG quality of the encoded form; None: pixels are enough."""
    resampling: Resampling | None = None
    """Filter of the last step, as Pillow computes it. None: bicubic in half of the time, one gray level off in some
    pixels."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """An image rendered to an embedder's `ImageSpec`."""

    pixels: NDArray[np.uint8]
    """uint8, shape (size, size), or (size, size, 3) for RGB; dense tissue is bright, as MONOCHROME2."""
    jpeg: bytes | None = None
    """The rendering as JPEG, if the spec has a `jpeg_quality`."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why an embedder returned no vector for one rendering: a fault of that image, not of the service."""

    reason: str


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


LOCAL_ENCODER = "local"
"""The model of every encoder in the process: which one it is, its digest and its canned vectors say."""
_PIXEL_SKETCH = "offline-sketch"
"""How the model of each version of the pixel sketch begins."""
_ANOTHER_ARCHIVE = (
    "Or use mode='words', or set MCP_CXR_DATA_DIR to a new folder (with IRIS: IRIS_TABLE to a new table) and ingest."
)


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
    canned: str | None = field(default=None, compare=False, repr=False)
    """Vectors of two drawings and two texts, as base64 of float16, by which encoders in the process are compared."""

    @property
    def facts(self) -> dict[str, Any]:
        """What people and models are shown of it: all but the canned vectors."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.compare}

    @property
    def description(self) -> str:
        """Model, dimension and preprocessing, for people."""
        return f"{self.model}, {self.dimension} dimensions, preprocessing {self.preprocessing}"

    @property
    def service_description(self) -> str:
        """Dialect and version of the service, for people."""
        return f"{self.dialect or 'unknown dialect'} {self.service or 'of unknown version'}"

    def other_model_advice(self, configured: str) -> str | None:
        """Return what to set if the configured embedder is of another model; the embedder is not called.

        Args:
            configured: Name of the configured embedder.
        """
        if configured == self.model:
            return None
        if self.model == LOCAL_ENCODER:
            return (
                f"This archive was made with the encoder {self.service} of a model folder: set MCP_CXR_EMBEDDER=local "
                "and MCP_CXR_MODEL_DIR."
            )
        if self.model.startswith(_PIXEL_SKETCH):
            return "This archive was made with the pixel sketch: set MCP_CXR_EMBEDDER=offline."
        if not self.dialect:  # no service: an embedder that this version does not know
            return f"This archive was made with {self.model}: set MCP_CXR_EMBEDDER to the embedder of that model."
        is_service = configured != LOCAL_ENCODER and not configured.startswith(_PIXEL_SKETCH)
        kind = "" if is_service else "MCP_CXR_EMBEDDER=nvclip and "
        return f"This archive was made with {self.model}: set {kind}NVCLIP_MODEL={self.model}."

    def mismatch(self, current: Fingerprint) -> str:
        """Return why vectors of `current` cannot be compared with those of this fingerprint, and what to do."""
        way = (
            "Set MCP_CXR_MODEL_DIR to the folder it was made with"
            if self.model == LOCAL_ENCODER
            else "Set NVCLIP_IMAGE_SIZE to its old value"
        )
        advice = self.other_model_advice(current.model) or (
            f"This archive was made with {self.description}; the configured embedder is {current.description}. {way},"
            " or install the version of mcp-cxr that made it."
        )
        return f"{advice} {_ANOTHER_ARCHIVE}"

    def is_comparable_with(self, other: Fingerprint) -> bool:
        """Whether vectors of both can be compared."""
        return (self.model, self.dimension, self.preprocessing) == (other.model, other.dimension, other.preprocessing)


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
    reader_version: int
    """As in `StoreInfo`."""
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
