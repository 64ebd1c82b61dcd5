"""Reads the studies of an image's patient from the store, and puts the nearest of them in order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp_cxr.errors import QueryError
from mcp_cxr.records import VIEW_GROUPS, VIEW_POSITIONS, Filter, PatientTimeline, TimelineStudy
from mcp_cxr.timeline._findings import dated_study, finding_rows
from mcp_cxr.timeline._study_times import Moment, moment_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mcp_cxr.records import ImageId, StoredImage, TimelineOrder, Vector
    from mcp_cxr.stores import Store
    from mcp_cxr.timeline._findings import DatedStudy

MOST_STUDIES = 100
"""Studies beside the asked one that a timeline shows."""
_MOST_IMAGES = 2000
"""Images of a patient that are read; one who has more is often a placeholder for many."""
_CHUNK = 500  # images read at once
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def is_date(before: str | None) -> bool:
    """Return whether the argument `before` of a timeline is a date, not a study id."""
    return bool(_DATE.fullmatch((before or "").strip()))


async def patient_timeline(
    store: Store, asked: StoredImage, *, limit: int = 10, before: str | None = None
) -> PatientTimeline:
    """Return the studies of an image's patient that are nearest in time, with the status of each finding.

    Args:
        store: The archive's store.
        asked: The image that is asked for.
        limit: Studies beside its own; 1 to 100.
        before: Only studies before this one: a study id of the patient, with or without its letter, or an ISO date.

    Raises:
        QueryError: `limit` is out of range, or `before` is neither a date nor a study of the patient.
        StoreError: The store fails or was never made.
    """
    if not 1 <= limit <= MOST_STUDIES:
        raise QueryError(f"limit must be 1 to {MOST_STUDIES}, not {limit}.")
    image_id = asked.image.image_id
    where = Filter(subject_id=asked.image.subject_id)
    images = await _images(store, where)
    studies = _studies({**images, image_id: asked})
    mine = next(one for one in studies if one.dated.study.study_id == asked.study.study_id)
    bound = _bound(before, studies) if before else None
    others = [one for one in studies if one is not mine and (bound is None or one.moment.is_before(bound))]
    ordered = sorted(others, key=lambda one: _nearness(one, mine, asked))[:limit]
    shown = [mine, *ordered]
    vectors = await _vectors(store, [image_id, *(one.best(asked) for one in ordered)])
    return PatientTimeline(
        subject_id=asked.image.subject_id,
        total_studies=len(studies),
        studies=[_shown(one, mine, asked, vectors) for one in shown],
        findings=finding_rows([one.dated for one in studies], [one.dated for one in shown]),
        warnings=await _warnings(store, where, len(images)),
    )


@dataclass(frozen=True, slots=True)
class _Study:
    dated: DatedStudy
    images: tuple[StoredImage, ...]

    @property
    def moment(self) -> Moment:
        return self.dated.moment

    def in_order_of_view(self, asked: StoredImage) -> list[StoredImage]:
        """Return its images: the asked one, then those of its view, then those of the same direction."""
        return sorted(self.images, key=lambda one: (one is not asked, _view_rank(one, asked), one.image.image_id))

    def best(self, asked: StoredImage) -> ImageId:
        """Return the image to compare with the asked one."""
        return self.in_order_of_view(asked)[0].image.image_id


async def _images(store: Store, where: Filter) -> dict[ImageId, StoredImage]:
    ids = [one.image_id for one in await store.browse(where, limit=_MOST_IMAGES)]
    images: dict[ImageId, StoredImage] = {}
    for start in range(0, len(ids), _CHUNK):
        images |= await store.get(ids[start : start + _CHUNK])
    return images


def _studies(images: Mapping[ImageId, StoredImage]) -> list[_Study]:
    by_study: dict[str, list[StoredImage]] = {}
    for one in images.values():
        by_study.setdefault(one.study.study_id, []).append(one)
    return [_Study(dated_study(group[0].study, _moment(group)), tuple(group)) for group in by_study.values()]


def _moment(images: Sequence[StoredImage]) -> Moment:
    """Return when a study was made; its time is the first of its images'."""
    times = [time for one in images if isinstance(time := one.image.tags.get("StudyTime"), str)]
    return moment_of(images[0].study.study_date, min(times, default=None))


def _bound(before: str, studies: Sequence[_Study]) -> Moment:
    if is_date(before):
        bound = moment_of(before.strip(), "00:00:00")
    else:
        name = before.strip().lower()
        bound = next((one.moment for one in studies if one.dated.study.study_id in (name, f"s{name}")), Moment(None))
    if bound.date is None:
        raise QueryError("before must be a study_id of this patient that has a date, or a date such as 2026-11-01.")
    return bound


def _view_rank(one: StoredImage, asked: StoredImage) -> tuple[int, int]:
    view, wanted = one.image.view_position, asked.image.view_position
    is_alike = any(view in group and wanted in group for group in VIEW_GROUPS.values())
    return 0 if view == wanted else 1 if is_alike else 2, VIEW_POSITIONS.index(view) if view in VIEW_POSITIONS else 99


def _nearness(one: _Study, mine: _Study, asked: StoredImage) -> tuple[float, tuple[int, int], str]:
    view = _view_rank(one.in_order_of_view(asked)[0], asked)
    return one.moment.distance(mine.moment), view, one.dated.study.study_id


async def _vectors(store: Store, ids: Sequence[ImageId]) -> dict[ImageId, Vector]:
    stored = await store.get(ids, with_vectors=True)
    return {key: one.vector for key, one in stored.items() if one.vector is not None and not one.external}


def _shown(one: _Study, mine: _Study, asked: StoredImage, vectors: Mapping[ImageId, Vector]) -> TimelineStudy:
    best, asked_id = one.best(asked), asked.image.image_id
    is_compared = one is not mine and best in vectors and asked_id in vectors
    return TimelineStudy(
        study_id=one.dated.study.study_id,
        image_id=best,
        study_date=one.dated.study.study_date,
        study_time=one.moment.time,
        days=one.moment.days_after(mine.moment),
        order=None if one is mine else _order(one.moment, mine.moment),
        views=list(dict.fromkeys(each.image.view_position for each in one.in_order_of_view(asked))),
        likeness=round(float(vectors[best] @ vectors[asked_id]), 3) if is_compared else None,
        has_report=one.dated.has_report,
    )


def _order(one: Moment, asked: Moment) -> TimelineOrder | None:
    """Return what the days between two studies do not say of their order."""
    if one.date is None or asked.date is None:
        return "date missing"
    if one.date != asked.date:
        return None
    if not (one.time and asked.time):
        return "time missing"
    return "same time" if one.time == asked.time else "earlier" if one.is_before(asked) else "later"


async def _warnings(store: Store, where: Filter, read: int) -> list[str]:
    total = await store.count(where) if read == _MOST_IMAGES else read
    if total <= read:
        return []
    return [f"The patient has {total:,} images; only the newest {read:,} were read: check that it is one patient."]
