"""The stage `write`: embedded images with their studies, then the outcomes of their files, each in a transaction."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.ingest._internal_errors import raise_if_of_the_run
from mcp_cxr.ingest._same_id import NOT_COMPARED, distinct_ids
from mcp_cxr.ingest._stage_items import Failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_cxr.ingest._ids import IdAssigner
    from mcp_cxr.ingest._internal_errors import InternalErrors
    from mcp_cxr.ingest._same_id import SameIdFiles
    from mcp_cxr.ingest._stage_items import EmbeddedFile, OtherFile
    from mcp_cxr.records import ImageId, StudyId
    from mcp_cxr.stores import Store


@dataclass(slots=True)
class WrittenBatch:
    """What became of a batch."""

    added: int = 0
    skipped: int = 0
    """Written by another process meanwhile."""
    shared_uids: int = 0
    studies_updated: int = 0
    study_ids: set[StudyId] = field(default_factory=set["StudyId"])
    others: list[OtherFile] = field(default_factory=list["OtherFile"])
    failures: list[Failure] = field(default_factory=list[Failure])

    def add(self, more: WrittenBatch) -> None:
        """Add what became of more files."""
        self.added += more.added
        self.skipped += more.skipped
        self.shared_uids += more.shared_uids
        self.studies_updated += more.studies_updated
        self.study_ids |= more.study_ids
        self.others += more.others
        self.failures += more.failures


@dataclass(frozen=True, slots=True)
class WriteStage:
    """Writes batches, one at a time."""

    store: Store
    id_assigner: IdAssigner
    same_id_files: SameIdFiles
    internal_errors: InternalErrors

    async def write(self, batch: Sequence[EmbeddedFile]) -> WrittenBatch:
        """Write a batch; if our own code fails, one by one, so that the rest of the batch is written."""
        if self.internal_errors.are_too_many:
            return WrittenBatch()
        try:
            written = await self._write_batch(batch)
        except Exception as exc:  # noqa: BLE001 # told apart by the callee
            if len(batch) == 1:
                return WrittenBatch(failures=[self.internal_errors.failure("write", batch[0].new.file, exc)])
            raise_if_of_the_run(exc)
            written = WrittenBatch()
            for item in batch:
                written.add(await self.write([item]))
            return written
        self.internal_errors.passed("write")
        return written

    async def _write_batch(self, batch: Sequence[EmbeddedFile]) -> WrittenBatch:
        """Write a batch. A kill between two steps does no harm, because the outcome of a file is recorded last."""
        batch = await self._with_distinct_ids(batch)
        items = await self._not_stored(batch)
        written = WrittenBatch(added=len(items), shared_uids=sum(item.new.shares_uid for item in items))
        if items:
            written.study_ids = {item.study.study_id for item in items}
            written.studies_updated = await self.store.put_studies([item.study for item in items])
            await self.store.put([item.image for item in items], np.stack([item.vector for item in items]))
            await self._compare_again([item.new.ids.image_id for item in items if item.new.replaces_stored])
        paths = {item.new.path_text for item in items}
        left = [item for item in batch if item.new.path_text not in paths]
        await self._add_others(left, written)
        others = {other.file.path_text for other in (*written.others, *written.failures)}
        here = [item.new.outcome() for item in batch if item.new.path_text not in others]
        await self.store.record_outcomes([*here, *(other.outcome() for other in written.others)])
        written.skipped = len(left) - len(others)
        return written

    async def _with_distinct_ids(self, batch: Sequence[EmbeddedFile]) -> list[EmbeddedFile]:
        """Return the batch with new ids for images whose id another image has."""
        files = await distinct_ids([item.new for item in batch], self.store, self.id_assigner)
        return [
            item if new is item.new else replace(item, new=new, image=replace(item.image, image_id=new.ids.image_id))
            for item, new in zip(batch, files, strict=True)
        ]

    async def _not_stored(self, batch: list[EmbeddedFile]) -> list[EmbeddedFile]:
        """Leave out images that another file or process has added since they were classified."""
        stored = await self.store.known_ids([item.new.ids.image_id for item in batch])
        first: dict[ImageId, EmbeddedFile] = {}
        for item in batch:
            if item.new.replaces_stored or item.new.ids.image_id not in stored:
                first.setdefault(item.new.ids.image_id, item)
        return list(first.values())

    async def _compare_again(self, ids: Sequence[ImageId]) -> None:
        """Have the other files of images that were embedded again compared with their new pixels."""
        recorded = await self.store.files_of(ids) if ids else []
        if others := [replace(one, reason=NOT_COMPARED) for one in recorded if one.reason]:
            await self.store.record_outcomes(others)

    async def _add_others(self, left: Sequence[EmbeddedFile], written: WrittenBatch) -> None:
        """Add the files that have the image id of another file."""
        if not left:
            return
        stored = await self.store.get([item.new.ids.image_id for item in left])
        rivals = [(item.new, stored.get(item.new.ids.image_id)) for item in left]
        files = [
            (new, one.image.file) for new, one in rivals if one and not one.external and one.image.file != new.file.path
        ]
        for one in await self.same_id_files.compare_all(files, {}):
            if isinstance(one, Failure):
                written.failures.append(one)
            else:
                written.others.append(one)
