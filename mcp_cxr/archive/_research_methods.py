"""Use cases of research: probes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_cxr import __version__
from mcp_cxr.archive._archive_base import ArchiveBase
from mcp_cxr.errors import QueryError

if TYPE_CHECKING:
    from mcp_cxr.research.probes import FittedProbes, ScoredImages


class ResearchMethods(ArchiveBase):
    """What researchers build on an archive."""

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
