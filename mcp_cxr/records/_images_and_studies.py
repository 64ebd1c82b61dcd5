"""Images and their studies: ids, values that they may have, and the records that a store keeps."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NewType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcp_cxr.records._embedding import Vector

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
