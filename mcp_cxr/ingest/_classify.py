"""The stage `classify`: separates new and changed files from files that need no work."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from anyio import to_thread

from mcp_cxr.ingest._ids import ImageIds, public_ids
from mcp_cxr.ingest._same_id import distinct_ids, is_copy
from mcp_cxr.ingest._stage_items import Failure, NewFile, OtherFile
from mcp_cxr.records import ImageId, StudyId, SubjectId

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from mcp_cxr.images import ImageReader
    from mcp_cxr.ingest._ids import IdAssigner
    from mcp_cxr.ingest._internal_errors import InternalErrors
    from mcp_cxr.ingest._plan import IngestPlan
    from mcp_cxr.ingest._same_id import SameIdFiles
    from mcp_cxr.ingest._stored_paths import StoredPaths
    from mcp_cxr.ingest._walk import Candidate
    from mcp_cxr.layouts import Layouts
    from mcp_cxr.records import Outcome, StoredImage
    from mcp_cxr.stores import Store

IDS_NOT_YET_HASHED = ImageIds(ImageId("(id is made at ingest)"), StudyId(""), SubjectId(""))
"""Placeholder in a dry run for ids that cannot be computed without creating the key."""


@dataclass(slots=True)
class Classification:
    """What to do with a chunk of candidates."""

    to_ingest: list[NewFile] = field(default_factory=list[NewFile])
    skipped: int = 0
    recorded_bad: list[Outcome] = field(default_factory=list["Outcome"])
    others: list[OtherFile] = field(default_factory=list[OtherFile])
    failures: list[Failure] = field(default_factory=list[Failure])
    outcomes: list[Outcome] = field(default_factory=list["Outcome"])
    """Outcomes to record of files whose image is stored."""


@dataclass(slots=True)
class _Chunk:
    """Candidates with their ids, and what the store has recorded of them."""

    files: list[NewFile] = field(default_factory=list[NewFile])
    unchanged: dict[str, Outcome] = field(default_factory=dict[str, "Outcome"])
    """The outcomes that still hold, by path."""
    replaced: dict[ImageId, Path] = field(default_factory=dict[ImageId, "Path"])
    """Images whose file now holds something else, and that file."""


class _FilesByAction(NamedTuple):
    """The files of a chunk by what to do with them."""

    to_ingest: list[NewFile]
    stored: list[NewFile]
    """Their image is stored and shown from them."""
    moved: dict[ImageId, NewFile]
    """Their image is stored, and is to be shown from them by now."""
    others: list[tuple[NewFile, Path]]
    """Their image is shown from this other file."""


@dataclass(frozen=True, slots=True)
class ClassifyStage:
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
    stored_paths: StoredPaths
    same_id_files: SameIdFiles
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

    async def classify(self, candidates: list[Candidate]) -> Classification:
        """Classify candidates; in the store, update the paths of moved images and remove replaced ones."""
        result = Classification()
        chunk = await self._identify_all(candidates, result)
        if not self.store_exists:
            result.to_ingest = chunk.files
            return result
        found = await self._group_by_action(chunk)
        result.to_ingest = found.to_ingest
        here = [*found.stored, *found.moved.values()]
        result.skipped = len(here)
        await self._compare(found.others, chunk.unchanged, result)
        if not self.plan.dry_run:
            await self._store_key_check()
            await self.stored_paths.show_from({image_id: new.file.path for image_id, new in found.moved.items()})
            await self.stored_paths.remove_replaced(chunk.replaced)
            result.outcomes += [new.outcome() for new in here if new.outcome() != chunk.unchanged.get(new.path_text)]
        return result

    async def _identify_all(self, candidates: list[Candidate], result: Classification) -> _Chunk:
        """Return the candidates with their ids, without refused ones, which are added to `result`."""
        chunk = _Chunk()
        previous = await self.store.outcomes([file.path_text for file in candidates]) if self.store_exists else {}
        still_stored = await self._stored(outcome.image_id for outcome in previous.values() if outcome.image_id)
        for file in candidates:
            before = previous.get(file.path_text)
            same = before if before and before.is_unchanged(file.size, file.mtime_ns) else None
            if same and same.image_id is None and not self.plan.retries(same):
                result.recorded_bad.append(same)
                continue
            if same:
                chunk.unchanged[file.path_text] = same
            try:
                found = await self._identify(file, same.image_id if same else None, still_stored)
                self.internal_errors.passed("classify")
            except Exception as exc:  # noqa: BLE001 # told apart by the callee
                found = self.internal_errors.failure("classify", file, exc)
            if before and before.image_id and not same and _is_other(found, before.image_id):
                chunk.replaced[before.image_id] = file.path
            if isinstance(found, Failure):
                result.failures.append(found)
            else:
                is_replacement = before is not None and (same is None or same.image_id is None)
                chunk.files.append(NewFile(file, found, replaces_stored=is_replacement))
        return chunk

    async def _identify(
        self, file: Candidate, image_id: ImageId | None, still_stored: set[ImageId]
    ) -> ImageIds | Failure:
        if file.is_folder:
            return Failure(file, "folder cannot be listed", is_permanent=False)
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

    async def _stored(self, ids: Iterable[ImageId]) -> set[ImageId]:
        return await self.store.known_ids(set(ids)) if self.store_exists else set()

    async def _group_by_action(self, chunk: _Chunk) -> _FilesByAction:
        files = await distinct_ids(chunk.files, self.store, self.id_assigner)
        images = await self._own_images(files)
        lost = await self.stored_paths.lost_files(images, {new.path_text for new in files}, chunk.replaced)
        found = _FilesByAction([], [], {}, [])
        for new in files:
            image_id, stored = new.ids.image_id, images.get(new.ids.image_id)
            if stored is None:
                found.to_ingest.append(new)
            elif stored.image.file == new.file.path:
                (found.to_ingest if new.replaces_stored else found.stored).append(new)
            elif image_id in found.moved:
                found.others.append((new, found.moved[image_id].file.path))
            elif image_id not in lost:
                found.others.append((new, stored.image.file))
            elif is_copy(new, chunk.unchanged.get(new.path_text), lost[image_id]):
                found.moved[image_id] = new
            else:
                ids = ImageIds(image_id, stored.image.study_id, stored.image.subject_id, is_public=new.ids.is_public)
                found.to_ingest.append(replace(new, ids=ids, replaces_stored=True))
        return found

    async def _own_images(self, files: list[NewFile]) -> Mapping[ImageId, StoredImage]:
        stored = await self.store.get([new.ids.image_id for new in files])
        return {image_id: one for image_id, one in stored.items() if not one.external}

    async def _compare(
        self, others: list[tuple[NewFile, Path]], unchanged: Mapping[str, Outcome], result: Classification
    ) -> None:
        """Add files whose image is shown from another file to `result`, compared once with that file."""
        known = {new.path_text: outcome for new, _ in others if (outcome := unchanged.get(new.path_text))}
        for one in await self.same_id_files.compare_all(others, known, dry_run=self.plan.dry_run):
            if isinstance(one, Failure):
                result.failures.append(one)
                continue
            result.others.append(one)
            if one.outcome() != known.get(one.file.path_text):
                result.outcomes.append(one.outcome())

    async def _store_key_check(self) -> None:
        """Store the check value of a key used for the first time, before any id that it hashed."""
        if self.id_assigner.new_key_check:
            await self.store.create(key_check=self.id_assigner.new_key_check)
            self.id_assigner.new_key_check = None


def _is_other(found: ImageIds | Failure, previous: ImageId) -> bool:
    """Whether a changed file no longer holds the image it held before."""
    return found.is_permanent if isinstance(found, Failure) else found.image_id != previous
