"""What the calls of an archive other than a search return: ingest, show, overview, verify, repair and forget."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from mcp_cxr.records._store_values import Filter


@dataclass(frozen=True)
class IngestSummary:
    """Counts of an ingest; in a dry run, `would_add` takes the place of `added`.

    `found = skipped + recorded_bad + other_file_same_id + added + errors + remaining`.
    """

    found: int | None
    """Candidate files; null until the whole folder was walked."""
    processed: int
    skipped: int
    """Files whose image is in the archive."""
    recorded_bad: int
    """Unchanged files that this version refused before."""
    other_file_same_id: int
    """Files that were left out because another file has their image id."""
    other_pixels_same_id: int
    """Those among them that have other pixels than that file."""
    added: int
    errors: int
    errors_by_reason: dict[str, int]
    would_add: int | None
    """Images that a dry run would add; null in any other run."""
    remaining: int | None
    studies_updated: int | None
    """Studies whose report, labels or other facts changed; null for a model that is given no reports."""
    total_in_store: int
    seconds: float
    images_per_second: float
    stages: dict[str, float]
    """Files a second of each stage while it was working, not waiting for its neighbors."""
    slowest_stage: str | None
    """The stage that worked longest: it limits the speed."""
    next: str | None
    """What to do next; null if nothing is left."""
    notes: list[str] = field(default_factory=list[str])
    """What the files' headers and the companions have wrong, and how they were read all the same."""
    studies: int = 0
    """Stored studies of the files that this run looked at."""
    with_: dict[str, int] = field(default_factory=dict[str, int])
    """How many of them have a report, labels, a known view, a date, and a split; empty if the run was stopped."""
    companions: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """The companion tables that were read: `file`, its `rows`, how many `joined` an image of this run, and which of
    these facts it `gives`."""
    unused: list[str] = field(default_factory=list[str])
    """What lies near the images and was not used: names of tables, other files by ending, such as `*.zip: 2`."""
    warnings: list[str] = field(default_factory=list[str])
    """What a search will not find for lack of reports."""


def to_json(value: DataclassInstance) -> dict[str, Any]:
    """Return the fields of a result under the names that programs see: `with_` is `with`, which Python reserves."""
    return {name.rstrip("_"): value for name, value in asdict(value).items()}


@dataclass(frozen=True)
class ImageDetails:
    """Everything known about one image."""

    image_id: str
    study_id: str
    subject_id: str
    view_position: str
    view_source: str
    image_path: str
    """Below its root; a model is given it from `p10/` on, and only in MIMIC-CXR's layout."""
    path: str | None
    """Absolute path of the file; a model is not given it. null if the file's folder is not known."""
    study_date: str | None
    """ISO date; null for a model that is given `days_since_first_study` instead."""
    days_since_first_study: int | None
    """Days since the patient's first study in the archive; null if the date is given, or if there is none."""
    split: str | None
    labels: dict[str, int]
    labels_by: str | None
    """Who gave the labels: people, or a program such as chexpert; null if that is unknown."""
    sex: str | None
    """F or M, from a companion table."""
    age: int | None
    """Years, from a companion table."""
    tags: dict[str, Any]
    grayscale: dict[str, Any]
    report: dict[str, str] | None
    """The report by section, in its order; null if there is none or it may not be shared."""
    external: bool
    other_images: list[str]
    """The other images of the study."""
    warnings: list[str]


@dataclass(frozen=True)
class Overview:
    """What an archive holds."""

    images: int
    studies: int
    subjects: int
    external: int
    by_view: dict[str, int]
    by_label: dict[str, int]
    embedder: dict[str, Any]
    store: dict[str, Any]
    roots: list[str]
    """The folders of MCP_CXR_ROOTS, which may be ingested, if the archive is empty; else none are named."""
    next: str | None
    """What to do next: to fill an empty archive, or to select the embedder that it was made with."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What `verify` found."""

    images: int
    problems: dict[str, int]
    examples: dict[str, list[str]] = field(default_factory=dict[str, list[str]], kw_only=True)
    """Up to three image ids or files of each problem that was found."""


@dataclass(frozen=True, slots=True)
class Repair(Verification):
    """What `verify` found after a repair, and how much of each problem was repaired."""

    repaired: dict[str, int]


@dataclass(frozen=True, slots=True)
class ForgetPreview:
    """What `forget` would remove."""

    where: Filter
    images: int
    """Images, without external ones."""
    studies: int
    """Studies of these images."""
    external_in_archive: int
    """External rows in the whole archive; external rows that match `where` are removed too."""
    cohorts: list[str] = field(default_factory=list[str])
    """Names of the cohorts that have any of these images."""
