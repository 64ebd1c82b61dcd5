"""Replaces study dates by days for a model, unless they are shared or are MIMIC-CXR's, which are shifted."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from mcp_cxr.errors import ConfigError
from mcp_cxr.records import SubjectId, are_ids_kept

if TYPE_CHECKING:
    from mcp_cxr.archive import Archive
    from mcp_cxr.records import Hit, ImageDetails, PatientTimeline, SearchArguments, SearchResult, TimelineStudy

_TO_SHARE = "To share dates, add dates to MCP_CXR_SHARE and restart the server."
DATES_NOT_SHARED = f"Study dates are not shared; days since the patient's first study here are given. {_TO_SHARE}"
_MIMIC_IDS = re.compile(r"p\d{8}/s\d{8}/[0-9a-f]{8}(-[0-9a-f]{8}){4}")


async def require_date_filters_allowed(arguments: SearchArguments, archive: Archive, share: tuple[str, ...]) -> None:
    """Refuse date filters that would reveal dates by whether a study passes.

    Raises:
        ConfigError: A date filter is given, dates are not shared, and the archive holds other ids than MIMIC-CXR's.
    """
    is_given = any((date or "").strip() for date in (arguments.date_from, arguments.date_to))
    await _require_dates_allowed(is_given, "date_from and date_to", archive, share)


async def require_date_allowed(before: str | None, archive: Archive, share: tuple[str, ...]) -> None:
    """Refuse a date before which studies are asked for, as `require_date_filters_allowed` does.

    Raises:
        ConfigError: As there.
    """
    from mcp_cxr.timeline import is_date  # the vocabulary is not read before the handshake

    await _require_dates_allowed(is_date(before), "before, or give it a study_id", archive, share)


async def _require_dates_allowed(is_given: bool, what: str, archive: Archive, share: tuple[str, ...]) -> None:
    if is_given and "dates" not in share and (await archive.store.info()).key_check is not None:
        raise ConfigError(f"The model is given no study dates: leave out {what}. {_TO_SHARE}")


async def redact_dates_of_hits(result: SearchResult, archive: Archive, share: tuple[str, ...]) -> SearchResult:
    """Return the search result with days instead of dates that may not be shared, and a warning if there are any."""
    if "dates" in share or not any(hit.study_date for hit in result.images):
        return result
    kept = await _are_ids_kept(archive)
    days = await _days_since_first_study([hit for hit in result.images if _is_withheld(hit, kept)], archive)
    if not days:
        return result
    hits = [
        hit.model_copy(update={"study_date": None, "days_since_first_study": days[hit.study_id]})
        if hit.study_id in days
        else hit
        for hit in result.images
    ]
    return result.model_copy(update={"images": hits, "warnings": [*result.warnings, DATES_NOT_SHARED]})


async def redact_date_of_image(details: ImageDetails, archive: Archive, share: tuple[str, ...]) -> ImageDetails:
    """Return the details without a time and with days instead of a date that may not be shared, and a warning."""
    kept = await _are_ids_kept(archive)
    if "dates" in share or not _are_not_mimic_ids(details.subject_id, details.study_id, details.image_id, kept):
        return details
    details = replace(details, tags={name: value for name, value in details.tags.items() if name != "StudyTime"})
    if details.study_date is None:
        return details
    days = await _days_since_first_study([details], archive)
    return replace(
        details,
        study_date=None,
        days_since_first_study=days[details.study_id],
        warnings=[*details.warnings, DATES_NOT_SHARED],
    )


async def redact_dates_of_timeline(
    timeline: PatientTimeline, archive: Archive, share: tuple[str, ...]
) -> PatientTimeline:
    """Return the timeline without times and with days instead of dates that may not be shared, and a warning."""
    if "dates" in share:
        return timeline
    kept, subject = await _are_ids_kept(archive), timeline.subject_id or ""
    first = (await archive.store.first_study_dates({SubjectId(subject)})).get(SubjectId(subject))
    studies = [
        _without_date(one, first) if _are_not_mimic_ids(subject, one.study_id, one.image_id, kept) else one
        for one in timeline.studies
    ]
    is_withheld = any(one.study_date for one in timeline.studies) and studies != timeline.studies
    warnings = [*timeline.warnings, DATES_NOT_SHARED] if is_withheld else timeline.warnings
    return timeline.model_copy(update={"studies": studies, "warnings": warnings})


def _without_date(study: TimelineStudy, first: str | None) -> TimelineStudy:
    date = study.study_date
    days = _days_between(min(date, first or date), date) if date else None
    return study.model_copy(update={"study_date": None, "study_time": None, "days_since_first_study": days})


async def _are_ids_kept(archive: Archive) -> bool:
    """Return whether ids are those of headers, of which one may look like MIMIC-CXR's."""
    return are_ids_kept((await archive.store.info()).key_check)


def _is_withheld(image: Hit | ImageDetails, are_ids_kept: bool) -> bool:
    """Return whether the image has a study date that is not MIMIC-CXR's."""
    is_other = _are_not_mimic_ids(image.subject_id, image.study_id, image.image_id, are_ids_kept)
    return image.study_date is not None and is_other


def _are_not_mimic_ids(subject_id: str, study_id: str, image_id: str, are_ids_kept: bool) -> bool:
    """Return whether ids are not MIMIC-CXR's, whose dates and times are shifted."""
    return are_ids_kept or not _MIMIC_IDS.fullmatch(f"{subject_id}/{study_id}/{image_id}")


async def _days_since_first_study(images: list[Hit] | list[ImageDetails], archive: Archive) -> dict[str, int | None]:
    """Return, by study, the days since the first study of its patient; each image must have a study date."""
    first_dates = await archive.store.first_study_dates({SubjectId(image.subject_id) for image in images})
    days: dict[str, int | None] = {}
    for image in images:
        date = image.study_date or ""
        first = min(date, first_dates.get(SubjectId(image.subject_id), date))
        days[image.study_id] = _days_between(first, date)
    return days


def _days_between(first: str, date: str) -> int | None:
    """Return the days from one ISO date to another; None if another program stored something else."""
    try:
        return (dt.date.fromisoformat(date) - dt.date.fromisoformat(first)).days
    except ValueError:
        return None
