"""What a check of the data finds: lists of entries to look at, and the decisions of people about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from mcp_cxr.records import ImageId, StudyId, SubjectId  # noqa: TC001 - files are read by these annotations

if TYPE_CHECKING:
    from collections.abc import Mapping

ListName: TypeAlias = Literal[
    "labels", "views", "unknown_views", "duplicates", "outliers", "orientation", "reports", "dates"
]
LIST_TITLES: Mapping[ListName, str] = {
    "labels": "Labels that do not fit the images",
    "views": "View positions that do not fit the images",
    "unknown_views": "Unknown view positions, with a suggestion",
    "duplicates": "Near duplicates",
    "outliers": "Images unlike the others",
    "orientation": "Inverted or rotated images",
    "reports": "Reports that contradict labels",
    "dates": "Dates, ages and sexes that cannot be right",
}
"""The lists by name, in the order of a check."""
LIST_NAMES: tuple[ListName, ...] = tuple(LIST_TITLES)
Decision: TypeAlias = Literal["right", "wrong", "ignore"]
DECISIONS: Mapping[Decision, str] = {
    "right": "the data is right",
    "wrong": "the data is wrong",
    "ignore": "not to be decided",
}
"""What a person decided about an entry."""


@dataclass(frozen=True, slots=True)
class CheckEntry:
    """Something in the data that may be wrong."""

    key: str
    """Names it in every check of the same archive, for decisions: `labels|Edema|02aa804e-...`."""
    images: tuple[ImageId, ...]
    """The image; both of a pair; one of each study that is concerned."""
    studies: tuple[StudyId, ...]
    subjects: tuple[SubjectId, ...]
    reason: str
    """One sentence without words of a report."""
    score: float | None = None
    """How suspicious, by the list's own measure; higher is more. None if the list has none."""
    suggestion: str | None = None
    """What it may be in truth: a view position, `turn by 90 degrees`."""
    decision: Decision | None = None
    """Of a person, in this or an earlier check."""


@dataclass(frozen=True, slots=True)
class CheckList:
    """One list of a check, most suspicious first."""

    name: ListName
    entries: tuple[CheckEntry, ...] = ()
    total: int = 0
    """Entries found; more than `entries` if the list was cut."""
    not_made: str | None = None
    """Why the list could not be made; None: it was."""
    notes: tuple[str, ...] = ()
    """What a reader of the list has to know."""

    @property
    def title(self) -> str:
        """The heading."""
        return LIST_TITLES[self.name]


@dataclass(frozen=True, slots=True)
class DataCheck:
    """All lists of one check."""

    date: str
    """When it was made: ISO, UTC."""
    version: str
    """Of mcp-cxr."""
    model: str
    """Of the vectors."""
    images: int
    """Those with a usable vector, which were compared."""
    studies: int
    subjects: int
    seconds: float
    lists: tuple[CheckList, ...] = field(default_factory=tuple["CheckList", ...])

    def list_named(self, name: str) -> CheckList | None:
        """Return the list of this name; None if it was not asked for."""
        return next((one for one in self.lists if one.name == name), None)


def cut(entries: list[CheckEntry], most: int) -> tuple[CheckEntry, ...]:
    """Return the most suspicious entries, at most `most`; ties by key."""
    return tuple(sorted(entries, key=lambda one: (-(one.score or 0.0), one.key))[:most])
