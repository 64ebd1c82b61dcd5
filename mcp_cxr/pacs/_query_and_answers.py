"""What is asked of a PACS, what it answers, and what a source of images offers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

UID: Final = re.compile(r"[0-9]+(?:\.[0-9]+)+", re.ASCII)
DIMSE_SCHEME: Final = "dicom"
"""Of the URL of a PACS that is asked without DICOMweb."""
MAX_UID: Final = 64
"""Characters of a UID, PS3.5 6.2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PacsQuery:
    """Which studies are wanted."""

    since: dt.date | None = None
    """First day, as (0008,0020) Study Date; None: any."""
    until: dt.date | None = None
    """Last day."""
    modalities: tuple[str, ...] = ("DX", "CR")
    """(0008,0060) Modality of the series that are fetched."""
    patient_id: str | None = None
    """(0010,0020) Patient ID."""
    accession_number: str | None = None
    """(0008,0050) Accession Number."""

    @property
    def study_date(self) -> str | None:
        """The range in DICOM's form, PS3.4 C.2.2.2.5; None if it is open on both sides."""
        if self.since is None and self.until is None:
            return None
        first, last = (f"{day:%Y%m%d}" if day else "" for day in (self.since, self.until))
        return f"{first}-{last}"


@dataclass(frozen=True, slots=True)
class PacsStudy:
    """A study as the PACS describes it. The identifiers are patient data: never log or print them."""

    study_instance_uid: str
    study_date: str | None = None
    """As the PACS wrote it, `20261130`."""
    modalities: frozenset[str] = frozenset()
    """(0008,0061) Modalities in Study; empty if the PACS does not say."""
    patient_id: str | None = field(default=None, repr=False)
    accession_number: str | None = field(default=None, repr=False)
    instances: int | None = None
    """(0020,1208) Number of Study Related Instances; None if the PACS does not say."""
    patient_name: str | None = field(default=None, repr=False)
    """(0010,0010), only to mask it in reports; never stored."""
    birth_date: str | None = field(default=None, repr=False)
    """(0010,0030), the same."""


@dataclass(frozen=True, slots=True)
class PacsInstance:
    """An image or document of a study as the PACS describes it."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str | None = None
    modality: str | None = None
    facts: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """Body part, descriptions and view by DICOM keyword; needed to leave out other body parts unfetched."""
    bytes_uncompressed: int | None = None
    """Rows x columns x bytes of a pixel; None if the PACS does not say."""


class PacsSource(Protocol):
    """A PACS that can be asked and read; nothing is ever written to it.

    The methods raise `PacsError`.
    """

    def studies(self, query: PacsQuery) -> AsyncIterator[Sequence[PacsStudy]]:
        """Yield the studies page by page; a study may come twice, and others than were asked for.

        An empty page is the last: the PACS repeats a page, and may have more studies.
        """
        ...

    async def has_study(self, study_instance_uid: str) -> bool:
        """Return whether the PACS still has this study."""
        ...

    async def instances(self, study: PacsStudy) -> list[PacsInstance]:
        """Return what a study consists of."""
        ...

    async def fetch(self, instance: PacsInstance, target: Path) -> int:
        """Write an instance as a DICOM file to `target`, which does not exist; return its bytes."""
        ...


def is_uid(text: str | None) -> bool:
    """Return whether a text has the form of a UID, PS3.5 9.1."""
    return text is not None and len(text) <= MAX_UID and UID.fullmatch(text) is not None
