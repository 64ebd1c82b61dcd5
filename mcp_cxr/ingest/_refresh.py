"""Updates the study facts of images stored earlier: reports and companion files may arrive later.

This is the last step, with a walk of its own, so that a restart reaches the first new image without opening a report.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from anyio import to_thread

from mcp_cxr.ingest._study_facts import study_of
from mcp_cxr.mimic import ids_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from mcp_cxr.ingest._plan import IngestPlan, StopSignal
    from mcp_cxr.ingest._walk import Candidate
    from mcp_cxr.mimic import Companions, MimicIds
    from mcp_cxr.records import ImageId, Study
    from mcp_cxr.stores import Store

_STUDIES = 1024  # written at once; their reports take a few megabytes


async def refresh_studies(
    plan: IngestPlan, store: Store, companions: Companions, stop_signal: StopSignal
) -> int | None:
    """Return how many studies changed; None if stopped before the end, in which case the next run starts over.

    Only MIMIC's layout has companions. A study that has no stored image is left out.
    """
    changed = 0
    studies = _by_study(plan.candidates())
    while chunk := await to_thread.run_sync(lambda: list(islice(studies, _STUDIES))):
        if stop_signal.reason:
            return None
        known = await store.known_ids([image_id for study in chunk for image_id in study.images])
        stored = [study for study in chunk if not known.isdisjoint(study.images)]
        if stored:
            changed += await store.put_studies(await to_thread.run_sync(_facts, stored, companions, plan.folders))
    return changed


@dataclass(frozen=True, slots=True)
class _StudyFiles:
    """The files of one study, which are in one folder."""

    first: Path
    ids: MimicIds
    """Ids of the first file."""
    images: list[ImageId]


def _by_study(files: Iterable[Candidate]) -> Iterator[_StudyFiles]:
    study: _StudyFiles | None = None
    for file in files:
        ids = ids_of(file.name)
        if ids and study and ids.study_id == study.ids.study_id:
            study.images.append(ids.image_id)
        elif ids:
            if study:
                yield study
            study = _StudyFiles(file.path, ids, [ids.image_id])
    if study:
        yield study


def _facts(studies: list[_StudyFiles], companions: Companions, folders: tuple[Path, ...]) -> list[Study]:
    return [study_of(study.first, study.ids, companions, folders) for study in studies]
