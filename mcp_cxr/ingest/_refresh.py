"""Brings the study facts of images that were known before up to date: reports and companion files may come later.

Done last, by a walk of its own, so that a restart reaches the first new film without opening a single report.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from anyio import to_thread

from mcp_cxr.ingest._facts import study_of
from mcp_cxr.mimic import ids_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from mcp_cxr.ingest._plan import IngestPlan, StopSignal
    from mcp_cxr.ingest._walk import Candidate
    from mcp_cxr.mimic import Companions, MimicIds
    from mcp_cxr.records import ImageId, Study
    from mcp_cxr.stores import Store

_STUDIES = 1024  # written at once; their reports are some megabytes


async def refresh_studies(
    plan: IngestPlan, store: Store, companions: Companions, stop_signal: StopSignal
) -> int | None:
    """Return how many studies changed; None where the signal came first: the next run begins anew.

    Only MIMIC's layout has companions. A study whose images are all missing or bad is left out.
    """
    changed = 0
    ahead = _by_study(plan.candidates())
    while some := await to_thread.run_sync(lambda: list(islice(ahead, _STUDIES))):
        if stop_signal.reason:
            return None
        known = await store.known([image_id for study in some for image_id in study.images])
        ours = [study for study in some if not known.isdisjoint(study.images)]
        if ours:
            changed += await store.put_studies(await to_thread.run_sync(_told, ours, companions, plan.folders))
    return changed


@dataclass(frozen=True, slots=True)
class _Met:
    """The files of one study, which lie in one folder."""

    first: Path
    ids: MimicIds
    """Of the first file."""
    images: list[ImageId]


def _by_study(files: Iterable[Candidate]) -> Iterator[_Met]:
    study: _Met | None = None
    for file in files:
        ids = ids_of(file.name)
        if ids and study and ids.study_id == study.ids.study_id:
            study.images.append(ids.image_id)
        elif ids:
            if study:
                yield study
            study = _Met(file.path, ids, [ids.image_id])
    if study:
        yield study


def _told(studies: list[_Met], companions: Companions, folders: tuple[Path, ...]) -> list[Study]:
    return [study_of(study.first, study.ids, companions, folders) for study in studies]
