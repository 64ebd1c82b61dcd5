"""Use cases of research: probes with their finding scores, and the check of the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyio import to_thread

from mcp_cxr import __version__
from mcp_cxr.archive._archive_base import ArchiveBase
from mcp_cxr.errors import ImageError, NotFound, PacsError, PathRefused, QueryError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp_cxr.research.data_check import CheckPlan, DataCheck, PageImages
    from mcp_cxr.research.probes import FittedProbes, ScoredImages

_PAGE_IMAGE_PX = 320


class ProbeAndDataCheckMethods(ArchiveBase):
    """Learns finding scores, and checks the data of an archive."""

    async def fit_probes(self) -> FittedProbes:
        """Learn a finding score for each label from the archive's own vectors, and score all images out of fold.

        Probes and scores are stored beside the archive, in place of earlier ones.

        Returns:
            `values`, float32, shape (images, probes), in the order of `image_ids` and `labels`.

        Raises:
            ConfigError: The archive has no images or no labels, or the file cannot be written.
            StoreError: The store fails or was never made.
        """
        return await self._stored_probes().fit(version=__version__)

    async def probes(self) -> FittedProbes:
        """Return the probes and scores that `fit_probes` stored, and in `stale` why they should be learned again.

        Raises:
            NotFound: None were learned.
            ConfigError: Their file cannot be read.
            StoreError: The store fails or was never made.
        """
        return await self._stored_probes().read()

    async def score_images(self) -> FittedProbes:
        """Score all images that the archive has now with the stored probes, and store the scores.

        Raises:
            NotFound: No probes were learned.
            ConfigError: Their file cannot be read or written, or the archive's vectors are of another embedder.
            StoreError: The store fails or was never made.
        """
        return await self._stored_probes().score()

    async def images_with_scores(self, *conditions: str) -> ScoredImages:
        """Return the images whose finding scores meet all conditions, such as `Pneumothorax>0.8`.

        `search_with(arguments, value_of=found.value_of)` searches among them.

        Args:
            conditions: At least one: a label, one of > >= < <=, and 0 to 1.

        Raises:
            QueryError: A condition cannot be read, or there is none.
            NotFound: No probes were learned, or none of a label.
            ConfigError: The file of the probes cannot be read.
            StoreError: The store fails or was never made.
        """
        from mcp_cxr.research.probes import images_with_scores, read_condition

        if not conditions:
            raise QueryError("Give a condition, such as images_with_scores('Pneumothorax>0.8').")
        asked = [read_condition(one) for one in conditions]
        return images_with_scores(await self.probes(), asked)

    async def check_data(
        self, plan: CheckPlan | None = None, *, on_progress: Callable[[str], None] | None = None
    ) -> DataCheck:
        """Return lists of data that may be wrong: labels, views, duplicates, outliers, dates and more.

        Nothing is changed. The lists are kept beside the archive, with the decisions that people make about them.

        Args:
            plan: Which lists, and how long; None: all.
            on_progress: Called with a line of text for each step.

        Raises:
            ConfigError: The archive has no images, or the data folder cannot be written.
            StoreError: The store fails or was never made.
        """
        from mcp_cxr.research.data_check import CheckPlan, RenderingSource, check_data

        files = self.data_check_files()
        check = await check_data(
            self.store,
            RenderingSource(
                self.embedder,
                self._fingerprint_check.check_fingerprint,
                self._image_files.sample_renderings,
                self._image_files.render_stored,
            ),
            plan or CheckPlan(),
            version=__version__,
            on_progress=on_progress or (lambda _: None),
        )
        files.write_check(check)
        named = {image for one in check.lists for entry in one.entries for image in entry.images}
        if gone := named - await self.store.known_ids(named):  # forgotten while the data was checked
            files.remove(lambda entry: not gone.isdisjoint(entry.images))
            return files.read_check()
        return files.with_decisions(check)

    async def data_check_images(self, check: DataCheck) -> PageImages:
        """Return small renderings of the images that the web page of a check shows, or why there are none.

        Raises:
            StoreError: The store fails or was never made.
        """
        from mcp_cxr.images import DisplayOptions, as_jpeg
        from mcp_cxr.research.data_check import PageImages, images_shown

        images = PageImages()
        for image in images_shown(check):
            try:
                view = await self._image_files.view(image, DisplayOptions(max_px=_PAGE_IMAGE_PX))
                images.add(image, await to_thread.run_sync(as_jpeg, view))
            except ImageError as exc:
                images.add(image, exc.reason)
            except (NotFound, PathRefused, PacsError):
                images.add(image, "file gone or changed")
        return images
