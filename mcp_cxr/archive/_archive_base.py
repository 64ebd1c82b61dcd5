"""The base of `Archive`: its parts, and what several use cases do with them.

Modules that a search does not need are imported in methods: `mcp-cxr search` and the first answer of `serve` would wait
for them.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from mcp_cxr.archive._image_files import ImageFiles
from mcp_cxr.archive._pacs import PulledImages
from mcp_cxr.archive._roots import AllowedRoots, Roots
from mcp_cxr.errors import (
    NotFound,
    PathRefused,
)
from mcp_cxr.upkeep import FingerprintCheck

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.images import ImageReader
    from mcp_cxr.ingest import IdKey, IngestCallbacks, IngestPlan, ReadingComparison, StopSignal
    from mcp_cxr.records import (
        IngestSummary,
        StoredImage,
    )
    from mcp_cxr.research.cohorts import CohortFolder
    from mcp_cxr.research.data_check import CheckFiles
    from mcp_cxr.research.probes import StoredProbes
    from mcp_cxr.search import Searcher
    from mcp_cxr.settings import Settings
    from mcp_cxr.stores import Store


class ArchiveBase:
    """The parts of an archive, and what several use cases do with them."""

    def __init__(self, settings: Settings, store: Store, embedder: Embedder, image_reader: ImageReader) -> None:
        self.settings = settings
        self.store = store
        self.embedder = embedder
        self._image_reader = image_reader
        self._roots = Roots(settings.roots, store, spool=settings.spool_folder)
        self.pulled: PulledImages = PulledImages(settings, store)
        """What was pulled from a PACS."""
        self._image_files = ImageFiles(store, embedder, image_reader, self._roots, self.pulled)
        self._fingerprint_check = FingerprintCheck(store, embedder, self._image_files.render_stored)

    @cached_property
    def _searcher(self) -> Searcher:
        from mcp_cxr.search import Searcher

        return Searcher(self.store, self.embedder, check_fingerprint=self._fingerprint_check.check_query_fingerprint)

    def allow_reading(self, folder: Path) -> None:
        """Allow that files of images below a folder are read, until this object is closed."""
        self._roots.add(folder)

    async def allowed_roots(self) -> AllowedRoots:
        """Return the folders that may be read: the roots of the settings, and the roots recorded by earlier ingests.

        If other machines write to the store, only folders ingested since this archive was opened count.
        """
        return await self._roots.allowed_roots()

    async def check_embedder(self) -> None:
        """Check that the embedder is of the archive's model and answers, as `ingest` does before it reads files.

        Raises:
            FingerprintMismatch: The archive was made with another model.
            EmbeddingError: The embedder fails.
            StoreError: The store fails.
        """
        await self._fingerprint_check.check_before_ingest()

    async def _ingest(
        self,
        plan: IngestPlan,
        image_reader: ImageReader,
        *,
        stop_signal: StopSignal | None = None,
        callbacks: IngestCallbacks | None = None,
    ) -> IngestSummary:
        from mcp_cxr.ingest import ingest

        summary = await ingest(
            plan,
            store=self.store,
            embedder=self.embedder,
            image_reader=image_reader,
            check_fingerprint=self._fingerprint_check.check_fingerprint,
            id_policy=self.settings.ids,
            id_key=self._id_key(),
            stop_signal=stop_signal,
            callbacks=callbacks,
        )
        if not plan.dry_run and (summary.added or summary.studies_updated):
            await self._stored_probes().mark_changed()
        return summary

    async def _compare_reading(self) -> Callable[[StoredImage], Awaitable[ReadingComparison]]:
        from mcp_cxr.ingest import IdAssigner, IdKey, ReadingComparison, compare_reading

        key = IdKey(self.settings.key_file, may_create=False)
        id_assigner = IdAssigner(self.settings.ids, key, key_check=(await self.store.info()).key_check)

        async def read(stored: StoredImage) -> ReadingComparison:
            try:
                path = await self._image_files.file_of(stored)
            except (NotFound, PathRefused, OSError):
                return ReadingComparison("not readable")
            spec = self.embedder.image_spec
            return await compare_reading(
                stored, path, image_reader=self._image_reader, spec=spec, id_assigner=id_assigner
            )

        return read

    def _id_key(self) -> IdKey:
        from mcp_cxr.ingest import IdKey

        return IdKey(self.settings.key_file, may_create=self.settings.may_create_key)

    def _stored_probes(self) -> StoredProbes:
        from mcp_cxr.research.probes import StoredProbes

        return StoredProbes(self.settings.probes_file, self.store)

    def data_check_files(self) -> CheckFiles:
        """Return where the last check of the data and the decisions about its entries are kept, beside the archive."""
        from mcp_cxr.research.data_check import CheckFiles

        return CheckFiles(self.settings.data_dir, None if self.store.is_private else self.store.location)

    def _cohort_folder(self) -> CohortFolder:
        from mcp_cxr.research.cohorts import CohortFolder

        return CohortFolder(self.settings.cohorts_folder)
