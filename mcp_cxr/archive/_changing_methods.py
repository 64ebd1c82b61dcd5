"""Use cases that change an archive: ingest, pull, repair, forget."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from anyio import to_thread

from mcp_cxr.archive._archive_base import ArchiveBase
from mcp_cxr.archive._pacs import PullDestination
from mcp_cxr.archive._roots import AllowedRoots
from mcp_cxr.errors import ConfigError, EmbeddingUnavailable
from mcp_cxr.images import ImageReader
from mcp_cxr.records import Filter, ForgetPreview
from mcp_cxr.safe_files import remove_drafts
from mcp_cxr.stores import with_mimic_prefixes
from mcp_cxr.upkeep import repair

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Awaitable, Callable, Sequence

    from mcp_cxr.ingest import IngestCallbacks, Shard, StopSignal
    from mcp_cxr.pacs import PacsSource, Pull, PullPlan, PullSummary
    from mcp_cxr.records import ImageId, IngestSummary, Repair
    from mcp_cxr.research.cohorts import CohortRow
    from mcp_cxr.research.data_check import CheckEntry


class ChangingMethods(ArchiveBase):
    """Adds images to an archive, and removes them."""

    async def ingest(
        self,
        path: str | Path,
        *,
        limit: int | None = None,
        dry_run: bool = False,
        batch_size: int = 64,
        workers: int | None = None,
        shard: Shard | None = None,
        retry_failed: bool = False,
        any_body_part: bool = False,
        any_pixels: bool = False,
        companions: tuple[Path, ...] = (),
        layout: str | None = None,
        stop_signal: StopSignal | None = None,
        callbacks: IngestCallbacks | None = None,
        require_root: bool = False,
    ) -> IngestSummary:
        """Add the images of a folder to the archive; see `mcp_cxr.ingest.ingest`.

        The folder becomes a root: of the archive if its store keeps roots, else until this object is closed.

        Args:
            workers: Images read at the same time; None: one for each core.
            require_root: Whether the folder must lie below a root of the settings; set it unless the archive's owner
                names the folder. Roots recorded by earlier ingests do not count.

        Raises:
            PathRefused: The path is missing, or `require_root` is set and it lies below none of these roots.
            CxrError: As `mcp_cxr.ingest.ingest` says.
        """
        from mcp_cxr.ingest import IngestPlan, NonImageCache

        real = AllowedRoots(self.settings.roots if require_root else (Path("/"),)).resolve(path)
        self._roots.add(real)
        plan = IngestPlan(
            path=real,
            limit=limit,
            dry_run=dry_run,
            batch_size=batch_size,
            retry_failed=retry_failed,
            any_body_part=any_body_part,
            any_pixels=any_pixels,
            companion_folders=tuple(folder.resolve() for folder in companions),
            layout=layout,
            shard=shard,
            non_image_cache=NonImageCache(None if dry_run else self.settings.non_image_cache_file),
        )
        if not dry_run:
            await self.check_embedder()
        async with nullcontext(self._image_reader) if workers is None else ImageReader(workers=workers) as image_reader:
            summary = await self._ingest(plan, image_reader, stop_signal=stop_signal, callbacks=callbacks)
        if dry_run and (reason := await self._fingerprint_check.reason_against()):
            return replace(summary, notes=[f"Nothing can be added: {reason}", *summary.notes])
        return summary

    async def pull(
        self,
        plan: PullPlan,
        source: PacsSource,
        *,
        workers: int | None = None,
        on_progress: Callable[[PullSummary], Awaitable[None]] | None = None,
        on_start: Callable[[Pull], None] | None = None,
        now: dt.datetime | None = None,
    ) -> PullSummary:
        """Add the images of a PACS to the archive; see `mcp_cxr.pacs.Pull`.

        Args:
            plan: What to pull.
            source: The PACS, from `open_pacs`.
            workers: Images read at the same time; None: one for each core.
            on_progress: Called every second.
            on_start: Called with the pull, which can be stopped.
            now: The time; None: that of the clock.

        Raises:
            PacsError: The PACS cannot be asked.
            CxrError: As `mcp_cxr.ingest.ingest` says.
        """
        from mcp_cxr.ingest import IngestPlan
        from mcp_cxr.pacs import Pull

        root = self.pulled.spool.root
        if not plan.dry_run:
            await self.check_embedder()
            await self.pulled.prepare()
        async with nullcontext(self._image_reader) if workers is None else ImageReader(workers=workers) as image_reader:

            async def ingest_files(files: frozenset[str]) -> IngestSummary:
                return await self._ingest(IngestPlan(path=root, only=files, searches_companions=False), image_reader)

            destination = PullDestination(self.store, self.pulled.spool, ingest_files)
            pull = Pull(plan, source, self.pulled.spool, destination, image_reader, on_progress=on_progress, now=now)
            if on_start:
                on_start(pull)
            return await pull.run()

    async def repair(self) -> Repair:
        """Mend what `verify` finds, if the images' files still exist; see `mcp_cxr.upkeep.repair`.

        Raises:
            CxrError: As `ingest` says.
        """
        from mcp_cxr.ingest import IngestPlan

        async def ingest_again(root: Path, files: frozenset[str]) -> None:
            plan = IngestPlan(path=root, only=files, any_body_part=True, any_pixels=True)  # what was let in stays
            summary = await self._ingest(plan, self._image_reader)
            if summary.next:
                raise EmbeddingUnavailable(summary.next)

        return await repair(self.store, await self._compare_reading(), self.pulled.has_file, ingest_again)

    async def forget_preview(self, where: Filter) -> ForgetPreview:
        """Return what `where` selects, and `where` with complete ids: the letter of a MIMIC id may be left out.

        Raises:
            StoreError: The store fails or was never made.
        """
        where = await with_mimic_prefixes(self.store, where)
        return ForgetPreview(
            where,
            images=await self.store.count(where),
            studies=await self.store.count(where, distinct="study"),
            external_in_archive=await self.store.count_external(),
            cohorts=await to_thread.run_sync(self._cohort_folder().holding, (await self._selection(where)).has_row),
        )

    async def forget(self, where: Filter) -> int:
        """Remove images with their vectors, words, outcomes, scores and places in cohorts, and studies without images.

        Returns:
            How many images were removed.

        Raises:
            ValueError: `where` is empty.
            ConfigError: A cohort that has one of them cannot be written, or the last check of the data or its decisions
                cannot be read; nothing was removed from the archive.
            StoreError: The store fails or was never made.
        """
        files, cohorts = self.data_check_files(), self._cohort_folder()
        await to_thread.run_sync(files.require_readable)
        selected, before = await self._selection(where), await to_thread.run_sync(cohorts.names)
        if where != Filter():
            await to_thread.run_sync(cohorts.forget, selected.has_row, before)
            await to_thread.run_sync(files.remove, selected.concerns)
        await self._stored_probes().forget(where)
        removed = await self.store.forget(where)
        made_meanwhile = set(await to_thread.run_sync(cohorts.names)) - set(before)
        await to_thread.run_sync(cohorts.forget, selected.has_row, made_meanwhile)
        await to_thread.run_sync(files.remove, selected.concerns)  # of a check that ended meanwhile
        await to_thread.run_sync(self._remove_drafts)
        self._image_files.clear_caches()
        await self.pulled.forget_removed()
        return removed

    def _remove_drafts(self) -> None:
        """Remove what killed processes left of the files beside the archive that name images."""
        try:
            remove_drafts(self.settings.data_dir, lambda name: name.endswith((".npz", ".json")))  # probes, data checks
            remove_drafts(self.settings.cohorts_folder, lambda name: name.endswith(".jsonl"))
        except OSError as exc:
            raise ConfigError(f"{exc.filename} cannot be removed ({exc.strerror}); it may name images.") from exc

    async def _selection(self, where: Filter) -> _Selection:
        ids = {one.image_id for one in await self.store.browse(where, limit=await self.store.count(where) or 1)}
        names = ("image_id", "study_id", "subject_id")
        return _Selection(ids, {name: value for name in names if (value := getattr(where, name)) is not None})


@dataclass(frozen=True, slots=True)
class _Selection:
    """The images that a filter selects, also where a file beside the archive names one that the archive has not now."""

    ids: set[ImageId]
    """Those of the archive."""
    named: dict[str, str]
    """What the filter says of `image_id`, `study_id` and `subject_id`."""

    def has_row(self, row: CohortRow) -> bool:
        """Whether a cohort's image is selected."""
        return self._has([row.image_id], [row.study_id], [row.subject_id])

    def concerns(self, entry: CheckEntry) -> bool:
        """Whether an entry of the data check is about a selected image, study or patient."""
        return self._has(entry.images, entry.studies, entry.subjects)

    def _has(self, images: Sequence[str], studies: Sequence[str], subjects: Sequence[str]) -> bool:
        given = {"image_id": images, "study_id": studies, "subject_id": subjects}
        is_named = bool(self.named) and all(value in given[name] for name, value in self.named.items())
        return is_named or not self.ids.isdisjoint(images)
