"""Tells whether an embedding service that was changed still makes the vectors a collection holds."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from mcp_cxr.errors import CxrError, FingerprintMismatch
from mcp_cxr.records import Rejected

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.records import Fingerprint, ImageId, Rendering, StoredImage, Vector
    from mcp_cxr.stores import Store

_log = logging.getLogger(__name__)

PROBES = 8
"""Stored images that are embedded again."""
_TRIED = 8 * PROBES  # films tried: a question waits meanwhile, and where the archive is not mounted none can be read
SAME_COSINE = 0.999
"""At least this between old and new vector: above what another GPU or batch size changes, below what weights do."""


class ServiceWatch:
    """Lets a collection be ranked and written only by the service that made it, or by one that makes the same vectors.

    Args:
        develop: Renders a stored image's file as it was for its vector.
    """

    def __init__(
        self, store: Store, embedder: Embedder, develop: Callable[[StoredImage], Awaitable[Rendering]]
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._develop = develop

    async def confirm_for_query(self) -> Fingerprint:
        """Return the embedder's fingerprint as `confirm` does, without a round trip to the store if nothing changed."""
        own = await self._embedder.fingerprint()
        return own if own == await self._store.query_fingerprint() else await self.confirm()

    async def confirm(self) -> Fingerprint:
        """Return the embedder's fingerprint, once it is known to fit the collection.

        Where only the service's version or dialect is another one, some stored images are embedded again; a cosine of
        0.999 or more for all of them records the new version.

        Raises:
            FingerprintMismatch: It does not fit, or no stored film could be read to find out.
            EmbeddingError: The embedder cannot be asked.
            StoreError: The store fails or was never made.
        """
        own, made_with = await self._embedder.fingerprint(), (await self._store.info()).fingerprint
        if made_with is None or own == made_with:
            return own
        if not own.same_space(made_with):
            raise FingerprintMismatch(
                f"This archive was made with {made_with.description}; the embedder is {own.description}. Set the "
                "embedder it was made with, use mode='words', or make a new archive."
            )
        await self._compare(own, made_with)
        await self._store.update_fingerprint(own)
        was, now = made_with.service_description, own.service_description
        _log.warning("The embedding service changed from %s to %s; its vectors are the same.", was, now)
        return own

    async def _compare(self, own: Fingerprint, made_with: Fingerprint) -> None:
        """Embed stored images again; a collection that holds none fits any service."""
        ids = (await self._store.reference_sample()).ids
        if not ids:
            return
        old, pictures = await self._probes(ids[:_TRIED])
        was, now = made_with.service_description, own.service_description
        if not pictures:
            raise FingerprintMismatch(
                f"The embedding service changed from {was} to {now}, and no stored film can be read to see whether its "
                "vectors are still the same; mount the films' folder and ask again, or use mode='words'."
            )
        new = await self._embedder.embed_images(pictures)
        if not all(_are_same(before, after) for before, after in zip(old, new, strict=True)):
            raise FingerprintMismatch(
                f"The embedding service changed from {was} to {now} and its vectors are others now; go back to {was}, "
                "use mode='words', or make a new archive."
            )

    async def _probes(self, ids: Sequence[ImageId]) -> tuple[list[Vector], list[Rendering]]:
        """Return what is stored of the first images whose films can be read, and their pictures."""
        old: list[Vector] = []
        pictures: list[Rendering] = []
        for stored in (await self._store.get(ids, vectors=True)).values():
            if stored.vector is None:
                continue
            try:
                picture = await self._develop(stored)
            except CxrError:  # a film that is not mounted now tells nothing; another one may
                continue
            old.append(stored.vector)
            pictures.append(picture)
            if len(pictures) == PROBES:
                break
        return old, pictures


def _are_same(before: Vector, after: Vector | Rejected) -> bool:
    return not isinstance(after, Rejected) and float(before @ after) >= SAME_COSINE
