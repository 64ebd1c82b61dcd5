"""Use cases of research: probes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_cxr import __version__
from mcp_cxr.archive._archive_base import ArchiveBase

if TYPE_CHECKING:
    from mcp_cxr.research.probes import FittedProbes


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
