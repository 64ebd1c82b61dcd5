"""Use cases about cohorts: make, list, read, verify, compare."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from anyio import to_thread

from mcp_cxr import __version__
from mcp_cxr.archive._archive_base import ArchiveBase
from mcp_cxr.archive._method_signature import with_parameters_of
from mcp_cxr.archive._roots import AllowedRoots
from mcp_cxr.errors import CxrError
from mcp_cxr.records import CohortRequest, Filter, ImageId

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_cxr.records import CohortDifference, CohortVerification, StoredImage
    from mcp_cxr.research.cohorts import Cohort, CohortRow
    from mcp_cxr.search import SearchableWords, Selection


class CohortMethods(ArchiveBase):
    """Freezes selections of images, and compares them later."""

    @with_parameters_of(CohortRequest)
    async def make_cohort(self, request: CohortRequest) -> Cohort:
        """Make and keep a cohort: `archive.make_cohort("effusion-pa", "effusion", view=["PA"], split="70/10/20")`.

        See `make_cohort_with`.
        """
        return await self.make_cohort_with(request)

    async def make_cohort_with(
        self,
        request: CohortRequest,
        *,
        built_by: Literal["owner", "model"] = "owner",
        searchable_words: SearchableWords = "archive",
        named_below: tuple[Path, ...] | None = None,
    ) -> Cohort:
        """Make a cohort and keep its manifest beside the archive; does nothing if the same one is kept.

        Args:
            request: What to select, and how to split and balance it.
            built_by: Who asks; a model waits at most a minute, so near duplicates are looked for in small cohorts only.
            searchable_words: As for `search_with`.
            named_below: As for `image_id`, of `exclude_subject_of`.

        Raises:
            QueryError: An argument is wrong, no image is left, or there is another cohort of this name.
            NotFound: The archive does not have the image named in `exclude_subject_of`.
            EmbeddingError: Mirror images were asked for, and the embedder fails.
            ReaderMismatch: There are words, and another version read the archive's reports.
            ConfigError: The manifest cannot be written.
            StoreError: The store fails or was never made.
        """
        from mcp_cxr.research.cohorts import LeakSearch, build_cohort, check_request

        request, plan = check_request(request)
        folder = self._cohort_folder()
        await to_thread.run_sync(folder.check_free, request.name)
        selection = await self._select(request, searchable_words, named_below)
        if request.mirrored:
            await self.check_embedder()
        leaks = LeakSearch(
            self.store,
            self.embedder,
            self._image_files.render_stored,
            mirrored=request.mirrored,
            limits_work=built_by == "model",
        )
        cohort = await build_cohort(
            request,
            plan,
            selection,
            store=self.store,
            leaks=leaks,
            digest_of=self._digest_of,
            searchable_words=searchable_words,
            built_by=built_by,
            version=__version__,
        )
        await to_thread.run_sync(folder.write, cohort)
        return await self._without_forgotten(cohort)

    async def _without_forgotten(self, cohort: Cohort) -> Cohort:
        """Return a cohort that was just kept without what was forgotten while it was made, and keep it so."""
        ids = {row.image_id for row in cohort.rows}
        gone = ids - await self.store.known_ids(map(ImageId, ids))
        if not gone:
            return cohort

        def is_gone(row: CohortRow) -> bool:
            return row.image_id in gone

        await to_thread.run_sync(self._cohort_folder().forget, is_gone, [cohort.name])
        return await self.cohort(cohort.name)

    async def _select(
        self, request: CohortRequest, searchable_words: SearchableWords, named_below: tuple[Path, ...] | None
    ) -> Selection:
        from mcp_cxr.search import Selection, check_arguments

        findings_only = searchable_words == "findings"
        arguments = request.search_arguments
        if arguments.is_empty:
            await self.store.info()  # StoreMissing
            return Selection(Filter(), Filter(), None, {}, None, ())
        query = check_arguments(arguments)
        if query.exclude_subject_of:
            below = None if named_below is None else AllowedRoots(named_below)
            excluded = await self._image_files.image_id(query.exclude_subject_of, below)
            query = replace(query, exclude_subject_of=excluded)
        if query.text or (findings_only and query.where.labels_absent):
            await self.store.require_current_reader()
        return await self._searcher.select(query, searchable_words=searchable_words)

    async def _digest_of(self, stored: StoredImage) -> str | None:
        from mcp_cxr.research.cohorts import file_digest

        try:
            return await to_thread.run_sync(file_digest, await self._image_files.file_of(stored))
        except (CxrError, OSError):  # gone or changed: `verify_cohort` says so
            return None

    async def cohorts(self) -> list[dict[str, Any]]:
        """Return the header of each cohort's manifest, by name; of a damaged one only its name."""
        return await to_thread.run_sync(self._cohort_folder().headers)

    async def cohort(self, name: str) -> Cohort:
        """Return a cohort: `header`, how it was made, and `rows`, its images by id.

        Raises:
            NotFound: There is none of this name.
            ConfigError: Its manifest cannot be read.
        """
        return await to_thread.run_sync(self._cohort_folder().read, name)

    async def remove_cohort(self, name: str) -> None:
        """Remove a cohort, damaged or not; its images stay in the archive.

        Raises:
            NotFound: There is none of this name.
            ConfigError: Its manifest cannot be removed.
        """
        await to_thread.run_sync(self._cohort_folder().remove, name)

    async def verify_cohort(self, name: str, *, digests: bool = False) -> CohortVerification:
        """Compare a cohort with the archive and the files as they are now.

        Args:
            name: Of the cohort.
            digests: Whether whole files are read and compared, if the cohort was made with digests.

        Raises:
            NotFound: There is none of this name.
            ConfigError: Its manifest cannot be read.
            StoreError: The store fails or was never made.
        """
        from mcp_cxr.research.cohorts import verify_cohort

        return await verify_cohort(
            await self.cohort(name),
            store=self.store,
            has_file_elsewhere=self.pulled.has_file,
            digests=digests,
        )

    async def compare_cohorts(self, first: str, second: str) -> CohortDifference:
        """Return how two cohorts differ, in their images and in how they were made.

        Raises:
            NotFound: There is none of a name.
            ConfigError: A manifest cannot be read.
        """
        from mcp_cxr.research.cohorts import difference

        return difference(await self.cohort(first), await self.cohort(second))
