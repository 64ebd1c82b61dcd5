"""Tells new and changed files from those that are done."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from anyio import to_thread

from mcp_cxr.errors import ImageError
from mcp_cxr.ingest._plan import Failure, Item
from mcp_cxr.mimic import MimicIds, ids_of
from mcp_cxr.records import Filter, ImageId, Outcome, StudyId, SubjectId

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mcp_cxr.images import Reader
    from mcp_cxr.ingest._identity import Identities
    from mcp_cxr.ingest._plan import IngestPlan
    from mcp_cxr.ingest._walk import Candidate
    from mcp_cxr.mimic import Companions
    from mcp_cxr.records import ImageRecord, StoredImage
    from mcp_cxr.stores import Store

UNHASHED = MimicIds(ImageId("(id is made at ingest)"), StudyId(""), SubjectId(""))
"""Stands for ids that a dry run cannot tell, because the key would have to be made."""


@dataclass(slots=True)
class Sorted:
    """What is to be done with a chunk of candidates."""

    fresh: list[Item] = field(default_factory=list[Item])
    skipped: int = 0
    failures: list[Failure] = field(default_factory=list[Failure])
    done: list[Outcome] = field(default_factory=list[Outcome])
    """Images that are there already, met under a path that was never seen."""
    replaced: dict[ImageId, Path] = field(default_factory=dict["ImageId", Path])
    """Images whose file holds something else now."""


@dataclass(slots=True)
class KnownFiles:
    """Sorts candidates by what the store knows of them.

    Args:
        made: Whether the store has been made; a dry run may come before that.
    """

    plan: IngestPlan
    store: Store
    made: bool
    reader: Reader
    identities: Identities
    companions: Companions

    async def unsettled(self, chunk: list[Candidate]) -> list[Candidate]:
        """Leave out the files that need nothing, which on a restart are nearly all: no file is opened."""
        if not self.made:
            return chunk
        settled = await self.store.settled({file.name: (file.size, file.mtime_ns) for file in chunk})
        if self.plan.retry_failed:
            settled = {name: image_id for name, image_id in settled.items() if image_id is not None}
        return [file for file in chunk if file.name not in settled]

    async def sort_out(self, chunk: list[Candidate]) -> Sorted:
        """Sort a few; of images that are there already, only the place where they lie is written here."""
        result = Sorted()
        past = await self.store.outcomes([file.name for file in chunk]) if self.made else {}
        items = await self._identified(chunk, past, result)
        known = await self._known(item.ids.image_id for item in items)
        settled = [item for item in items if item.ids.image_id in known and not item.again]
        result.fresh = [item for item in items if item.ids.image_id not in known or item.again]
        result.skipped += len(settled)
        if self.made and not self.plan.dry_run:
            await self._enter_key_check()
            await self._forget(result.replaced)
            await self._relocate(settled)
            result.done = [item.outcome() for item in settled if item.file.name not in past]
        return result

    async def _known(self, ids: Iterable[ImageId]) -> set[ImageId]:
        return await self.store.known(set(ids)) if self.made else set()

    async def _identified(self, chunk: list[Candidate], past: dict[str, Outcome], result: Sorted) -> list[Item]:
        """Give files their ids; those that have none go to `result`."""
        remembered = await self._known(seen.image_id for seen in past.values() if seen.image_id)
        items: list[Item] = []
        for file in chunk:
            met = past.get(file.name)
            seen = _unchanged(met, file)
            if seen and seen.reason and not self.plan.retry_failed:
                result.skipped += 1
                continue
            found = await self._identify(file, seen.image_id if seen and seen.image_id in remembered else None)
            if met and met.image_id and not seen and _is_other(found, met.image_id):
                result.replaced[met.image_id] = file.path
            if isinstance(found, Failure):
                result.failures.append(found)
            else:
                items.append(Item(file, found, again=met is not None and (seen is None or seen.reason is not None)))
        return items

    async def _identify(self, file: Candidate, remembered: ImageId | None) -> MimicIds | Failure:
        if ids := ids_of(file.name):
            return ids
        if remembered:  # unchanged since it became this image, which is there: no need to open the file
            return MimicIds(remembered, StudyId(""), SubjectId(""))
        try:
            header = await self.reader.header(file.path, any_body_part=self.plan.any_body_part)
        except ImageError as exc:
            return Failure.of(file, exc)
        if self.plan.dry_run and not self.identities.can_hash():
            return UNHASHED
        try:
            return await to_thread.run_sync(self.identities.of, file.path, header)
        except OSError:
            return Failure(file, "file cannot be read", lasting=False)

    async def _enter_key_check(self) -> None:
        """Enter the check value of a key that was used for the first time, before any id that it made."""
        if self.identities.new_key_check:
            await self.store.create(key_check=self.identities.new_key_check)
            self.identities.new_key_check = None

    async def _forget(self, replaced: dict[ImageId, Path]) -> None:
        """Remove images that no file shows any more."""
        for image_id, stored in (await self.store.get(list(replaced))).items():
            if stored.image.file == replaced[image_id]:
                await self.store.forget(Filter(image_id=image_id))

    async def _relocate(self, items: list[Item]) -> None:
        """Give images whose file is gone the place where they were met now."""
        stored = await self.store.get([item.ids.image_id for item in items])
        places = {item.ids.image_id: item.file.path for item in items if item.ids.image_id in stored}
        lost = await to_thread.run_sync(lambda: [one for one, path in places.items() if _is_lost(stored[one], path)])
        if not lost:
            return
        vectors = {one: found.vector for one, found in (await self.store.get(lost, vectors=True)).items()}
        moved = {one: vector for one, vector in vectors.items() if vector is not None}
        images = [self._at(stored[one].image, places[one]) for one in moved]
        if images:
            await self.store.put(images, np.stack(list(moved.values())))

    def _at(self, image: ImageRecord, path: Path) -> ImageRecord:
        return replace(image, root=str(self.plan.root), image_path=path.relative_to(self.plan.root).as_posix())


def _unchanged(past: Outcome | None, file: Candidate) -> Outcome | None:
    """Return what became of this very content before."""
    return past if past and past.is_unchanged(file.size, file.mtime_ns) else None


def _is_other(found: MimicIds | Failure, before: ImageId) -> bool:
    """Whether a changed file is no longer the image that it was."""
    return found.lasting if isinstance(found, Failure) else found.image_id != before


def _is_lost(stored: StoredImage, met_at: Path) -> bool:
    place = stored.image.file
    return place != met_at and not place.exists()
