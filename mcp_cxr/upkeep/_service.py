"""Tells whether an embedding service that was changed still makes the vectors a collection holds."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.errors import CxrError, FingerprintMismatch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.records import Fingerprint, Picture, Stored, Vector
    from mcp_cxr.stores import Store

_log = logging.getLogger(__name__)

PROBES = 8
"""Stored images that are embedded again."""
SAME_COSINE = 0.999
"""At least this between old and new vector: above what another GPU or batch size changes, below what weights do."""


class ServiceWatch:
    """Lets a collection be ranked and written only by the service that made it, or by one that makes the same vectors.

    Args:
        develop: Renders a stored image's file as it was for its vector.
    """

    def __init__(self, store: Store, embedder: Embedder, develop: Callable[[Stored], Awaitable[Picture]]) -> None:
        self._store = store
        self._embedder = embedder
        self._develop = develop

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
                f"This archive was made with {made_with.model} (preprocessing {made_with.preprocessing}), not with "
                f"{own.model} ({own.preprocessing}); set its embedder, use mode='words', or make a new archive."
            )
        await self._compare(own, made_with)
        await self._store.renew(own)
        _log.warning("The embedding service changed from %s to %s; its vectors are the same.", *_named(made_with, own))
        return own

    async def _compare(self, own: Fingerprint, made_with: Fingerprint) -> None:
        ids = (await self._store.sample()).ids
        stored = await self._store.get(ids, vectors=True)
        old: list[Vector] = []
        pictures: list[Picture] = []
        for image_id in ids:
            if len(pictures) == PROBES:
                break
            image = stored[image_id]
            try:
                picture = await self._develop(image)
            except CxrError:  # a film that is not mounted now tells nothing; another one may
                continue
            if image.vector is not None:
                old.append(image.vector)
                pictures.append(picture)
        was, now = _named(made_with, own)
        if ids and not pictures:
            raise FingerprintMismatch(
                f"The embedding service changed from {was} to {now}, and no stored film can be read to see whether its "
                "vectors are still the same; mount the films' folder and ask again, or use mode='words'."
            )
        new = await self._embedder.embed_images(pictures)
        cosines = [float(a @ b) if isinstance(b, np.ndarray) else 0.0 for a, b in zip(old, new, strict=True)]
        if cosines and min(cosines) < SAME_COSINE:
            raise FingerprintMismatch(
                f"The embedding service changed from {was} to {now} and its vectors are others now; go back to {was}, "
                "use mode='words', or make a new archive."
            )


def _named(made_with: Fingerprint, own: Fingerprint) -> tuple[str, str]:
    return _name(made_with), _name(own)


def _name(fingerprint: Fingerprint) -> str:
    return f"{fingerprint.dialect or 'no dialect'} {fingerprint.service or 'of no known version'}"
