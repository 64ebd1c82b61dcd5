"""Facts of an image and its study from the header, the layout with its companions, and the report.

Reports and companions may arrive later, so an ingest ends by updating the facts of images stored earlier. That step has
a walk of its own: a restart reaches the first new image without opening a report.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from anyio import to_thread

from mcp_cxr.images import READING, parse_view_position
from mcp_cxr.ingest._ids import ImageIds, public_ids
from mcp_cxr.layouts import NO_FACTS
from mcp_cxr.records import Filter, ImageRecord, Study, StudyId

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import Any

    from mcp_cxr.images import DecodedImage, HeaderFacts
    from mcp_cxr.ingest._ids import IdAssigner
    from mcp_cxr.ingest._plan import StopSignal
    from mcp_cxr.ingest._walk import Candidate
    from mcp_cxr.layouts import FileFacts, Layouts
    from mcp_cxr.records import ImageId, StoredImage, Vector
    from mcp_cxr.stores import Store

_STRONGER_THAN_COMPANIONS = ("ViewPosition", "ViewCodeSequence")
_FROM_COMPANION = "companion CSV"
_FILES = 2048  # updated at once; their reports take a few megabytes


def image_record(path: Path, root: Path, ids: ImageIds, decoded: DecodedImage, facts: FileFacts) -> ImageRecord:
    """Return the record of one image."""
    view, source = view_position_of(decoded.header, facts)
    return ImageRecord(
        image_id=ids.image_id,
        study_id=ids.study_id,
        subject_id=ids.subject_id,
        view_position=view,
        view_source=source,
        image_path=path.relative_to(root).as_posix(),
        root=str(root),
        tags=_with_time(decoded.header.tags, facts) | ({"LabelVotes": dict(facts.votes)} if facts.votes else {}),
        grayscale=decoded.grayscale,
        reading=READING,
    )


def _with_time(tags: Mapping[str, Any], facts: FileFacts) -> dict[str, Any]:
    """Return the header facts, with the study's time from a companion if the header has none."""
    return {**tags, "StudyTime": facts.study_time} if facts.study_time and "StudyTime" not in tags else dict(tags)


def view_position_of(header: HeaderFacts, facts: FileFacts) -> tuple[str, str]:
    """Return the view position and the source it was read from.

    The header's ViewPosition and ViewCodeSequence take precedence, then the companion file, then what the header's
    descriptions and orientation suggest.
    """
    companion_view = parse_view_position(facts.view) if facts.view else None
    if companion_view is None or header.view_source in _STRONGER_THAN_COMPANIONS:
        return header.view_position, header.view_source
    return companion_view, _FROM_COMPANION


def study_of(path: Path, ids: ImageIds, facts: FileFacts, layouts: Layouts, date: str | None = None) -> Study:
    """Return a study with the facts of its layout, its report, and, if the layout has none, the header's `date`."""
    return Study(
        study_id=ids.study_id,
        subject_id=ids.subject_id,
        study_date=facts.study_date or date,
        split=facts.split,
        labels=facts.labels,
        report=layouts.report_of(path, facts),
        labels_by=facts.labels_by,
        positives_only=facts.positives_only,
        sex=facts.sex,
        age=facts.age,
        report_language=facts.report_language,
    )


@dataclass(frozen=True, slots=True)
class _KnownFile:
    """A file with what its layout knows of it."""

    file: Candidate
    facts: FileFacts
    ids: ImageIds | None
    """MIMIC-CXR's own."""


@dataclass(frozen=True, slots=True)
class RefreshedStudies:
    """The studies of images stored earlier, brought up to date."""

    changed: int
    study_ids: set[StudyId]


async def refresh_studies(
    files: Iterator[Candidate], store: Store, layouts: Layouts, id_assigner: IdAssigner, stop_signal: StopSignal
) -> RefreshedStudies | None:
    """Return the stored studies of these files, and how many changed.

    Images that are not stored are left out. None if stopped before the end: the next run starts over.
    """
    changed, study_ids = 0, set[StudyId]()
    while chunk := await to_thread.run_sync(lambda: list(islice(files, _FILES))):
        if stop_signal.reason:
            return None
        known_files = await to_thread.run_sync(_known_files, chunk, layouts)
        stored = await store.known_ids([one.ids.image_id for one in known_files if one.ids])
        placed = [one for one in known_files if one.ids and one.ids.image_id in stored]
        study_ids |= {one.ids.study_id for one in placed if one.ids}
        studies = await to_thread.run_sync(_studies_of, placed, layouts)
        others = [one for one in known_files if not one.ids or one.ids.image_id not in stored]
        studies += await _refresh_others(others, store, layouts, id_assigner, study_ids)
        if studies:
            changed += await store.put_studies(studies)
    return None if stop_signal.reason else RefreshedStudies(changed, study_ids)


def _known_files(chunk: list[Candidate], layouts: Layouts) -> list[_KnownFile]:
    found = [(file, layouts.facts_of(file.path_text)) for file in chunk]
    return [_KnownFile(file, facts, public_ids(facts)) for file, facts in found]


def _studies_of(files: list[_KnownFile], layouts: Layouts) -> list[Study]:
    """Return the studies of files in MIMIC-CXR's layout, each by its first file."""
    first: dict[StudyId, _KnownFile] = {}
    for one in files:
        if one.ids:
            first.setdefault(one.ids.study_id, one)
    return [study_of(one.file.path, one.ids, one.facts, layouts) for one in first.values() if one.ids]


async def _refresh_others(
    files: list[_KnownFile], store: Store, layouts: Layouts, id_assigner: IdAssigner, study_ids: set[StudyId]
) -> list[Study]:
    """Return the studies of stored images whose ids are hashed, and move images to the study that is now known.

    The ids of all their studies are added to `study_ids`.
    """
    outcomes = await store.outcomes([one.file.path_text for one in files])
    image_of = {path: outcome.image_id for path, outcome in outcomes.items() if outcome.image_id}
    stored = await store.get(list(image_of.values()))
    studies: list[Study] = []
    changed: list[ImageRecord] = []
    for one in files:
        image_id = image_of.get(one.file.path_text)
        if image_id is None or image_id not in stored or stored[image_id].external:
            continue
        image = _updated(stored[image_id], one.facts, id_assigner)
        ids = ImageIds(image.image_id, image.study_id, image.subject_id)
        study_ids.add(image.study_id)
        date = stored[image_id].study.study_date
        study = await to_thread.run_sync(study_of, one.file.path, ids, one.facts, layouts, date)
        if one.facts is not NO_FACTS or study.report:
            studies.append(study)
        if image != stored[image_id].image:
            changed.append(image)
    await _move(changed, stored, store)
    return studies


def _updated(stored: StoredImage, facts: FileFacts, id_assigner: IdAssigner) -> ImageRecord:
    image = stored.image
    before = ImageIds(image.image_id, image.study_id, image.subject_id)
    ids = id_assigner.moved(before, facts)
    view = parse_view_position(facts.view) if facts.view else None
    if view is None or image.view_source in _STRONGER_THAN_COMPANIONS:
        view, source = image.view_position, image.view_source
    else:
        source = _FROM_COMPANION
    return replace(
        image,
        study_id=ids.study_id,
        subject_id=ids.subject_id,
        view_position=view,
        view_source=source,
        tags=_with_time(image.tags, facts),
    )


async def _move(images: list[ImageRecord], stored: dict[ImageId, StoredImage], store: Store) -> None:
    """Write images with other facts than the stored ones; a study that has no image left is removed."""
    if not images:
        return
    found = await store.get([image.image_id for image in images], with_vectors=True)
    vectors: list[Vector] = []
    moved: list[ImageRecord] = []
    for image in images:
        vector = found[image.image_id].vector if image.image_id in found else None
        if vector is not None:
            vectors.append(vector)
            moved.append(image)
    if moved:
        await store.put(moved, np.stack(vectors))
    left = {stored[image.image_id].image.study_id for image in moved} - {image.study_id for image in moved}
    for study_id in left:
        if not await store.count(Filter(study_id=study_id)):
            await store.forget(Filter(study_id=study_id))
