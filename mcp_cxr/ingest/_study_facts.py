"""Facts of an image and its study from the header, the path, the companion files and the report.

Reports and companion files may arrive later, so an ingest ends by updating the facts of studies stored earlier. That
step has a walk of its own: a restart reaches the first new image without opening a report.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from anyio import to_thread

from mcp_cxr.images import READING, parse_view_position
from mcp_cxr.mimic import ids_of, report_paths
from mcp_cxr.records import ImageRecord, Study
from mcp_cxr.safe_files import open_without_links

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from mcp_cxr.images import DecodedImage, HeaderFacts
    from mcp_cxr.ingest._plan import IngestPlan, StopSignal
    from mcp_cxr.ingest._walk import Candidate
    from mcp_cxr.mimic import Companions, ImageIds
    from mcp_cxr.records import ImageId
    from mcp_cxr.stores import Store

_STRONGER_THAN_COMPANIONS = ("ViewPosition", "ViewCodeSequence")
_MAX_REPORT_BYTES = 1 << 20
_STUDIES = 1024  # written at once; their reports take a few megabytes
_NO_CONTROLS = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n\r"}  # C0 and C1
_log = logging.getLogger(__name__)


def image_record(
    path: Path, root: Path, ids: ImageIds, decoded: DecodedImage, companion_tables: Companions
) -> ImageRecord:
    """Return the record of one image."""
    view, source = view_of(ids, decoded.header, companion_tables)
    return ImageRecord(
        image_id=ids.image_id,
        study_id=ids.study_id,
        subject_id=ids.subject_id,
        view_position=view,
        view_source=source,
        image_path=path.relative_to(root).as_posix(),
        root=str(root),
        tags=decoded.header.tags,
        grayscale=decoded.grayscale,
        reading=READING,
    )


def view_of(ids: ImageIds, header: HeaderFacts, companion_tables: Companions) -> tuple[str, str]:
    """Return the view position and the source it was read from.

    The header's ViewPosition and ViewCodeSequence take precedence, then the companion file, then what the header's
    descriptions and orientation suggest.
    """
    companion = companion_tables.images.get(ids.image_id)
    companion_view = parse_view_position(companion.view) if companion else None
    if companion_view is None or header.view_source in _STRONGER_THAN_COMPANIONS:
        return header.view_position, header.view_source
    return companion_view, "companion CSV"


def study_of(
    path: Path, ids: ImageIds, companion_tables: Companions, folders: tuple[Path, ...], date: str | None = None
) -> Study:
    """Return a study with the facts of the companion files, its report in MIMIC's layout and the header's `date`.

    Args:
        folders: Searched for reports in addition to the study's own folder.
    """
    companion = companion_tables.images.get(ids.image_id)
    label_table = companion_tables.label_table_of(ids.study_id)
    return Study(
        study_id=ids.study_id,
        subject_id=ids.subject_id,
        study_date=(companion.study_date if companion else None) or date,
        split=companion_tables.splits.get(ids.study_id),
        labels=label_table.labels.get(ids.study_id, {}),
        report=_read_report(path, folders) if ids_of(path) else None,
        labels_by=label_table.by,
        positives_only=label_table.positives_only,
    )


def _read_report(path: Path, folders: tuple[Path, ...]) -> str | None:
    """Return the report's text, or None if there is none to read; a later ingest adds a report that arrives later."""
    for place in report_paths(path, folders):
        try:
            with open_without_links(place) as handle:
                return handle.read(_MAX_REPORT_BYTES).decode("utf-8-sig", errors="replace").translate(_NO_CONTROLS)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as exc:
            _log.warning("Cannot read a report (%s); its images are added without it.", exc.strerror)
    return None


async def refresh_studies(
    plan: IngestPlan, store: Store, companion_tables: Companions, stop_signal: StopSignal
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
            changed += await store.put_studies(await to_thread.run_sync(_facts, stored, companion_tables, plan.folders))
    return changed


@dataclass(frozen=True, slots=True)
class _StudyFiles:
    """The files of one study, which are in one folder."""

    first: Path
    ids: ImageIds
    """Ids of the first file."""
    images: list[ImageId]


def _by_study(files: Iterable[Candidate]) -> Iterator[_StudyFiles]:
    study: _StudyFiles | None = None
    for file in files:
        ids = ids_of(file.path_text)
        if ids and study and ids.study_id == study.ids.study_id:
            study.images.append(ids.image_id)
        elif ids:
            if study:
                yield study
            study = _StudyFiles(file.path, ids, [ids.image_id])
    if study:
        yield study


def _facts(studies: list[_StudyFiles], companion_tables: Companions, folders: tuple[Path, ...]) -> list[Study]:
    return [study_of(study.first, study.ids, companion_tables, folders) for study in studies]
