"""Separates new and changed files from files that need no work."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from anyio import to_thread

from mcp_cxr.ingest._ids import ImageIds, public_ids
from mcp_cxr.ingest._plan import Failure, WorkItem
from mcp_cxr.ingest._same_uid import tell_apart
from mcp_cxr.records import Filter, ImageId, Outcome, StudyId, SubjectId

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mcp_cxr.images import ImageReader
    from mcp_cxr.ingest._ids import IdAssigner
    from mcp_cxr.ingest._internal_errors import InternalErrors
    from mcp_cxr.ingest._plan import IngestPlan
    from mcp_cxr.ingest._walk import Candidate
    from mcp_cxr.layouts import Layouts
    from mcp_cxr.records import ImageRecord, StoredImage
    from mcp_cxr.stores import Store

IDS_NOT_YET_HASHED = ImageIds(ImageId("(id is made at ingest)"), StudyId(""), SubjectId(""))
"""Placeholder in a dry run for ids that cannot be computed without creating the key."""


@dataclass(slots=True)
class Classification:
    """What to do with a chunk of candidates."""

    to_ingest: list[WorkItem] = field(default_factory=list[WorkItem])
    skipped: int = 0
    recorded_bad: list[Outcome] = field(default_factory=list[Outcome])
    others: list[Candidate] = field(default_factory=list["Candidate"])
    """Files that are left out because another file has their image id."""
    failures: list[Failure] = field(default_factory=list[Failure])
    outcomes: list[Outcome] = field(default_factory=list[Outcome])
    """Outcomes to record of images already stored that were found at a new path."""
    replaced: dict[ImageId, Path] = field(default_factory=dict["ImageId", Path])
    """Images whose file now holds something else, and that file."""


@dataclass(slots=True)
class FileClassifier:
    """Classifies candidates by what the store knows about them.

    Args:
        store_exists: False in a dry run before the store was created.
    """

    plan: IngestPlan
    store: Store
    store_exists: bool
    image_reader: ImageReader
    id_assigner: IdAssigner
    layouts: Layouts
    internal_errors: InternalErrors

    async def drop_unchanged(self, chunk: list[Candidate]) -> tuple[list[Candidate], list[Outcome]]:
        """Return the files that need work, on a restart only a few, and those recorded as bad; opens no file."""
        if not self.store_exists:
            return chunk, []
        settled = await self.store.unchanged_files({file.path_text: (file.size, file.mtime_ns) for file in chunk})
        refused = await self.store.outcomes([name for name, image_id in settled.items() if image_id is None])
        bad = {name: outcome for name, outcome in refused.items() if not self.plan.retries(outcome)}
        done = {name for name in settled if name in bad or name not in refused}
        return [file for file in chunk if file.path_text not in done], list(bad.values())

    async def classify(self, chunk: list[Candidate]) -> Classification:
        """Classify a chunk; update the paths of moved images and remove replaced ones in the store."""
        result = Classification()
        previous_outcomes = await self.store.outcomes([file.path_text for file in chunk]) if self.store_exists else {}
        items = await self._identify_all(chunk, previous_outcomes, result)
        if self.store_exists:
            await tell_apart(items, self.store, self.id_assigner)
        stored = await self._stored(item.ids.image_id for item in items)
        already_stored = [item for item in items if item.ids.image_id in stored and not item.replaces_stored]
        result.to_ingest = [item for item in items if item.ids.image_id not in stored or item.replaces_stored]
        images = await self.store.get([item.ids.image_id for item in already_stored]) if already_stored else {}
        moved, result.others = await to_thread.run_sync(_moved_and_others, already_stored, images)
        result.skipped += len(already_stored) - len(result.others)
        if self.store_exists and not self.plan.dry_run:
            await self._store_key_check()
            await self._remove(result.replaced)
            await self._update_moved(images, moved)
            result.outcomes = [
                item.outcome() for item in already_stored if item.file.path_text not in previous_outcomes
            ]
        return result

    async def _stored(self, ids: Iterable[ImageId]) -> set[ImageId]:
        return await self.store.known_ids(set(ids)) if self.store_exists else set()

    async def _identify_all(
        self, chunk: list[Candidate], previous_outcomes: dict[str, Outcome], result: Classification
    ) -> list[WorkItem]:
        """Return the files with their ids; count refused and replaced ones in `result`."""
        still_stored = await self._stored(
            outcome.image_id for outcome in previous_outcomes.values() if outcome.image_id
        )
        items: list[WorkItem] = []
        for file in chunk:
            previous = previous_outcomes.get(file.path_text)
            unchanged = previous if previous and previous.is_unchanged(file.size, file.mtime_ns) else None
            if unchanged and unchanged.reason and not self.plan.retries(unchanged):
                result.recorded_bad.append(unchanged)
                continue
            try:
                found = await self._identify(file, unchanged.image_id if unchanged else None, still_stored)
                self.internal_errors.passed("known")
            except Exception as exc:  # noqa: BLE001 # told apart by the callee
                found = self.internal_errors.failure("known", file, exc)
            if previous and previous.image_id and not unchanged and _is_other(found, previous.image_id):
                result.replaced[previous.image_id] = file.path
            if isinstance(found, Failure):
                result.failures.append(found)
            else:
                replaces_stored = previous is not None and (unchanged is None or unchanged.reason is not None)
                items.append(WorkItem(file, found, replaces_stored=replaces_stored))
        return items

    async def _identify(
        self, file: Candidate, image_id: ImageId | None, still_stored: set[ImageId]
    ) -> ImageIds | Failure:
        facts = self.layouts.facts_of(file.path_text)
        if ids := public_ids(facts):
            return ids
        if image_id and image_id in still_stored and not self.plan.retry_failed:  # unchanged: no need to open the file
            return ImageIds(image_id, StudyId(""), SubjectId(""))
        header = await self.image_reader.read_header(file.path, any_body_part=self.plan.any_body_part)
        if self.plan.dry_run and not self.id_assigner.can_assign():
            return IDS_NOT_YET_HASHED
        try:
            return await to_thread.run_sync(self.id_assigner.ids_of_file, file.path, header, facts)
        except OSError:
            return Failure(file, "file cannot be read", is_permanent=False)

    async def _store_key_check(self) -> None:
        """Store the check value of a key used for the first time, before any id that it hashed."""
        if self.id_assigner.new_key_check:
            await self.store.create(key_check=self.id_assigner.new_key_check)
            self.id_assigner.new_key_check = None

    async def _remove(self, replaced: dict[ImageId, Path]) -> None:
        """Remove images that no file holds any more."""
        for image_id, stored in (await self.store.get(list(replaced))).items():
            if stored.image.file == replaced[image_id]:
                await self.store.forget(Filter(image_id=image_id))

    async def _update_moved(self, stored: Mapping[ImageId, StoredImage], moved: list[WorkItem]) -> None:
        """Store the new path of images whose recorded file is gone."""
        if not moved:
            return
        paths = {item.ids.image_id: item.file.path for item in moved}
        found = await self.store.get(list(paths), with_vectors=True)
        vectors = {image_id: image.vector for image_id, image in found.items() if image.vector is not None}
        if vectors:
            images = [self._with_path(stored[image_id].image, paths[image_id]) for image_id in vectors]
            await self.store.put(images, np.stack(list(vectors.values())))

    def _with_path(self, image: ImageRecord, path: Path) -> ImageRecord:
        return replace(image, root=str(self.plan.root), image_path=path.relative_to(self.plan.root).as_posix())


def _is_other(found: ImageIds | Failure, previous: ImageId) -> bool:
    """Whether a changed file no longer holds the image it held before."""
    return found.is_permanent if isinstance(found, Failure) else found.image_id != previous


def _moved_and_others(
    items: Iterable[WorkItem], images: Mapping[ImageId, StoredImage]
) -> tuple[list[WorkItem], list[Candidate]]:
    """Return the items whose stored image was shown from a file that is gone, and files whose id another file has."""
    moved: dict[ImageId, WorkItem] = {}
    others: list[Candidate] = []
    for item in items:
        stored = images.get(item.ids.image_id)
        if stored is None or stored.image.file == item.file.path:
            continue
        if item.ids.image_id not in moved and not stored.image.file.exists():
            moved[item.ids.image_id] = item
        elif not stored.external:
            others.append(item.file)
    return list(moved.values()), others
