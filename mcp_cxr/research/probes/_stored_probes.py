"""Keeps the fitted probes of an archive in a file beside it, and marks them stale when the archive changes."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from anyio import to_thread

from mcp_cxr.errors import ConfigError
from mcp_cxr.research.probes._fit_and_score import fit_probes, reasons_to_fit_again, score_images
from mcp_cxr.research.probes._fitted_probes import FittedProbes, load, save

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_cxr.records import Filter
    from mcp_cxr.stores import Store

_log = logging.getLogger(__name__)
FORGOTTEN = "images that they were learned from were forgotten"
CHANGED = "an ingest added or changed images or labels"


@dataclass(frozen=True, slots=True)
class StoredProbes:
    """The probes that are kept beside one archive.

    Args:
        path: Their file.
        store: The archive.
    """

    path: Path
    store: Store

    async def fit(self, *, version: str) -> FittedProbes:
        """Learn probes, score all images, and store both in place of earlier ones; see `fit_probes`."""
        fitted = await fit_probes(self.store, version=version)
        return await self._save(fitted)

    async def read(self) -> FittedProbes:
        """Return the stored probes, with the reasons to learn them again.

        Raises:
            NotFound: None were learned.
            ConfigError: Their file cannot be read.
            StoreError: The store fails or was never made.
        """
        fitted = await to_thread.run_sync(load, self.path)
        return replace(fitted, stale=await reasons_to_fit_again(self.store, fitted))

    async def score(self) -> FittedProbes:
        """Score all images that the archive has now with the stored probes, and store the scores.

        Raises:
            NotFound: None were learned.
            ConfigError: Their file cannot be read or written, or the archive's vectors are of another embedder.
            StoreError: The store fails or was never made.
        """
        fitted = await score_images(self.store, await to_thread.run_sync(load, self.path))
        fitted = await self._save(fitted)
        return replace(fitted, stale=await reasons_to_fit_again(self.store, fitted))

    async def _save(self, fitted: FittedProbes) -> FittedProbes:
        """Store probes without the scores of what was forgotten while they were made; return what is stored."""
        await to_thread.run_sync(save, self.path, fitted)
        if gone := set(fitted.image_ids) - await self.store.known_ids(fitted.image_ids):
            fitted = fitted.without(gone, FORGOTTEN)
            await to_thread.run_sync(save, self.path, fitted)
        return fitted

    async def forget(self, where: Filter) -> None:
        """Remove the scores of images that are about to be forgotten; does nothing without stored probes.

        A file that cannot be read is removed.

        Raises:
            ConfigError: The file cannot be written.
            StoreError: The store fails or was never made.
        """
        if not self.path.exists():
            return
        count = await self.store.count(where)
        gone = [image.image_id for image in await self.store.browse(where, limit=count)] if count else []
        try:
            fitted = await to_thread.run_sync(load, self.path)
        except ConfigError:  # what cannot be read may hold their scores
            self.path.unlink(missing_ok=True)
            return
        if gone:
            await to_thread.run_sync(save, self.path, fitted.without(gone, FORGOTTEN))

    async def mark_changed(self) -> None:
        """Record that an ingest changed the archive; does nothing without stored probes.

        That the file cannot be read or written fails no ingest: it is logged.
        """
        if not self.path.exists():
            return
        try:
            fitted = await to_thread.run_sync(load, self.path)
            if CHANGED not in fitted.stale:
                await to_thread.run_sync(save, self.path, fitted.marked_stale(CHANGED))
        except ConfigError as exc:
            _log.warning("Probes are not marked as out of date: %s", exc)
