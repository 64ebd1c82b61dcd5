"""Lists the studies that a PACS has, and finds out which of the archive's it has no more."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mcp_cxr.errors import PacsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mcp_cxr.pacs._query_and_answers import PacsQuery, PacsSource, PacsStudy
    from mcp_cxr.pacs._spool import Spool, SpooledStudy

_MISSING_SHARE: Final = 0.02
"""Of the known studies that may be missing from an answer; above it, the answer is not believed."""
_MISSING_FEW: Final = 3
"""Studies that may be missing whatever share that is: a small archive loses single studies too."""
_GONE_AFTER: Final = dt.timedelta(days=1)


@dataclass(slots=True)
class Listing:
    """The studies of an answer."""

    studies: dict[str, PacsStudy] = field(default_factory=dict[str, "PacsStudy"])
    """By StudyInstanceUID, as they were asked for."""
    not_asked_for: int = 0
    """Studies that the PACS named against the question."""
    repeats: bool = False
    """Whether the PACS sent a page that it had sent: it may have more studies than it named."""


async def list_studies(source: PacsSource, query: PacsQuery) -> Listing:
    """Return the studies that fit a query, each once.

    A parameter that a PACS does not know widens its answer in silence, so each study is compared with the query.

    Raises:
        PacsError: The PACS fails or refuses.
    """
    listing, others = Listing(), set[str]()
    async for page in source.studies(query):
        listing.repeats |= not page
        for study in page:
            if _fits(study, query):
                listing.studies[study.study_instance_uid] = study
            else:
                others.add(study.study_instance_uid)
    listing.not_asked_for = len(others - listing.studies.keys())
    return listing


def _fits(study: PacsStudy, query: PacsQuery) -> bool:
    if study.modalities and study.modalities.isdisjoint(query.modalities):
        return False
    for wanted, found in (
        (query.patient_id, study.patient_id),
        (query.accession_number, study.accession_number),
    ):
        if wanted is not None and found != wanted:
            return False
    return _is_between(study.study_date, query)


def _is_between(study_date: str | None, query: PacsQuery) -> bool:
    if query.study_date is None:
        return True
    day = _day(study_date)
    return day is not None and (query.since or day) <= day <= (query.until or day)


def _day(text: str | None) -> dt.date | None:
    try:
        return dt.datetime.strptime(text or "", "%Y%m%d").date()  # noqa: DTZ007  # a date alone
    except ValueError:
        return None


class IncompleteAnswer(PacsError):
    """Too many known studies are missing from an answer to believe it."""


async def mark_missing(
    source: PacsSource, spool: Spool, listing: Listing, query: PacsQuery, source_name: str, now: dt.datetime
) -> None:
    """Mark the studies that the PACS has no more, and clear the mark of those that it has.

    A study is gone if a query for its own UID finds none in two runs at least a day apart.

    Raises:
        IncompleteAnswer: So many are missing that the answer is not believed; nothing was marked.
        PacsError: The PACS fails or refuses.
    """
    known = [study for study in spool.studies() if study.source == source_name and _is_of(study, query)]
    missing = [study for study in known if study.study_instance_uid not in listing.studies]
    if known and (not listing.studies or len(missing) > max(_MISSING_SHARE * len(known), _MISSING_FEW)):
        raise IncompleteAnswer(
            f"The PACS names {len(known) - len(missing)} of {len(known)} studies that it had before. That is not"
            " believed: nothing was marked as gone. Check the PACS, and pull again."
        )
    _clear(spool, (study for study in known if study.study_instance_uid in listing.studies))
    for study in missing:
        if await source.has_study(study.study_instance_uid):
            _clear(spool, [study])
            continue
        since = dt.datetime.fromisoformat(study.missing_since) if study.missing_since else None
        study.missing_since = study.missing_since or now.isoformat(timespec="seconds")
        study.is_gone = study.is_gone or (since is not None and now - since >= _GONE_AFTER)
        spool.save(study)


def _is_of(study: SpooledStudy, query: PacsQuery) -> bool:
    """Whether a study of the archive should be among the answers to a query."""
    if not study.is_in_archive or not _is_between(study.study_date, query):
        return False
    if study.modalities and set(study.modalities).isdisjoint(query.modalities):
        return False
    named = ((query.patient_id, study.patient_id), (query.accession_number, study.accession_number))
    return all(wanted is None or found == wanted for wanted, found in named)


def _clear(spool: Spool, studies: Iterable[SpooledStudy]) -> None:
    for study in studies:
        if study.missing_since or study.is_gone:
            study.missing_since, study.is_gone = None, False
            spool.save(study)
