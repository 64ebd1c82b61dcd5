"""What a cohort is made from, and what the calls about cohorts return."""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003 - schemas are made from these annotations
from dataclasses import KW_ONLY, dataclass, field, fields
from typing import Any, Literal

from mcp_cxr.records._search_arguments import FILTERS, SearchArguments

CohortMatch = Literal["full", "part"]
COHORT_FILTERS = tuple(name for name in FILTERS if name != "split")
"""The filters of a search that a cohort takes; `split` says how a cohort is split."""


@dataclass(frozen=True, slots=True)
class CohortRequest:
    """Every argument of `Archive.make_cohort`; the filters are those of a search. Without any, all images are taken."""

    name: str
    """1 to 40 of a-z, 0-9 and hyphens."""
    query: str | None = None
    _: KW_ONLY
    view: Sequence[str] = ()
    subject_id: str | None = None
    study_id: str | None = None
    labels: Sequence[str] = ()
    labels_absent: Sequence[str] = ()
    date_from: str | None = None
    date_to: str | None = None
    sex: str | None = None
    age_from: int | None = None
    age_to: int | None = None
    has_report: bool | None = None
    exclude_subject_of: str | None = None
    matched: CohortMatch = "full"
    """full: studies that match all of the words; part: also those that match some of them."""
    per_subject: int | None = None
    """Most images of each patient, chosen by the seed."""
    split: str | None = None
    """`official`, `none`, or shares such as `70/10/20`; None: official if the archive has a split, else none."""
    seed: int = 0
    """Decides what is drawn; the same seed draws the same."""
    balance: str | None = None
    """A label: studies are left out until those with 1 and with 0 are equally many in each split."""
    mirrored: bool = False
    """Whether mirror images are looked for across splits, too; images are embedded again."""
    digests: bool = False
    """Whether the SHA-256 of each file is computed and kept."""

    @property
    def search_arguments(self) -> SearchArguments:
        """The words and filters, as those of a search."""
        return SearchArguments(self.query, **{name: getattr(self, name) for name in COHORT_FILTERS})

    @property
    def choices(self) -> dict[str, Any]:
        """All arguments but the name and the filters, as given."""
        left_out = {"name", *COHORT_FILTERS}
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name not in left_out}


@dataclass(frozen=True)
class CohortSummary:
    """What a cohort holds, without the list of its images."""

    name: str
    splits: dict[str, dict[str, int]]
    """By split: `images`, `studies`, `subjects`."""
    patient_safe: bool
    """Whether no patient is in two splits, as far as the archive knows its patients."""
    understood: dict[str, Any] = field(default_factory=dict[str, Any])
    """What the words were read as; empty without words."""
    counts: dict[str, int] = field(default_factory=dict[str, int])
    """Studies by how they match the words, as `SearchResult.counts`; empty without words."""
    warnings: list[str] = field(default_factory=list[str])
    image_ids: list[str] = field(default_factory=list[str])
    """The first ones, at most five."""


@dataclass(frozen=True)
class CohortVerification:
    """Whether a cohort's images are still what they were."""

    name: str
    images: int
    problems: dict[str, int]
    """Images, or 1 for what concerns all, by problem; 0 if there is none."""
    examples: dict[str, list[str]]
    """At most three files or images of each problem."""


@dataclass(frozen=True)
class CohortDifference:
    """How two cohorts differ."""

    only_in_first: list[str]
    """Image ids."""
    only_in_second: list[str]
    other_split: list[str]
    """Images of both, in another split."""
    other_facts: list[str]
    """Images of both whose file, study, view or labels differ."""
    made_differently: dict[str, list[Any]]
    """What was asked for, and what decided it, where it differs: the value of the first cohort and of the second."""

    @property
    def is_empty(self) -> bool:
        """Whether both are the same, names aside."""
        return not any(
            (self.only_in_first, self.only_in_second, self.other_split, self.other_facts, self.made_differently)
        )
