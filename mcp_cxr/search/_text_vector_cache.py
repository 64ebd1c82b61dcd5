"""Caches text vectors: those of queries, and the mean of typical texts about chest X-rays."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from mcp_cxr.errors import EmbeddingUnavailable
from mcp_cxr.records import LABELS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.records import Fingerprint, Vector
    from mcp_cxr.stores import Store

TYPICAL_TEXTS = tuple(f"chest x-ray, {label.lower()}" for label in LABELS)
"""Texts whose mean vector is taken as the mean of texts about chest X-rays."""
_MAX_CACHED = 1000


class TextVectorCache:
    """Embeds each text once; keeps the vectors of the last 1,000 texts.

    Args:
        store: Holds the archive's fingerprint.
        embedder: Embeds text.
        check_fingerprint: Returns the embedder's fingerprint, or raises `FingerprintMismatch` if it does not fit
            the store's.
    """

    def __init__(
        self, store: Store, embedder: Embedder, check_fingerprint: Callable[[], Awaitable[Fingerprint]]
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._check_fingerprint = check_fingerprint
        self._vectors: OrderedDict[tuple[Fingerprint, str], Vector] = OrderedDict()
        self._mean: tuple[Fingerprint, Vector] | None = None

    async def vector(self, text: str) -> tuple[Vector, bool]:
        """Return the vector of a text, and whether it came from the cache.

        Raises:
            FingerprintMismatch: The archive's vectors were made with another embedder.
            EmbeddingError: The embedder fails, and the text is not cached.
        """
        key = await self._current(lambda fingerprint: (fingerprint, text) in self._vectors), text
        cached = self._vectors.pop(key, None)
        vector = cached
        if vector is None:
            vector = (await self._embedder.embed_texts([text]))[0]
            key = await self._check_fingerprint(), text  # once more: another service may have answered
        self._vectors[key] = vector  # last: the most recently used
        if len(self._vectors) > _MAX_CACHED:
            self._vectors.popitem(last=False)
        return vector, cached is not None

    async def mean(self) -> Vector:
        """Return the mean vector of texts about chest X-rays; they are embedded once.

        Raises:
            FingerprintMismatch: The archive's vectors were made with another embedder.
            EmbeddingError: The embedder fails, and the mean is not cached.
        """
        fingerprint = await self._current(lambda fingerprint: self._mean is not None and self._mean[0] == fingerprint)
        if self._mean is None or self._mean[0] != fingerprint:
            vectors = await self._embedder.embed_texts(TYPICAL_TEXTS)
            self._mean = await self._check_fingerprint(), vectors.mean(axis=0)
        return self._mean[1]

    async def _current(self, is_cached: Callable[[Fingerprint], bool]) -> Fingerprint:
        """Return the fingerprint to embed texts with now.

        While the service is down, the archive's fingerprint is returned if the vector is cached under it. So all
        pages of a result come from one ranking, even if the service fails between them.
        """
        try:
            return await self._check_fingerprint()
        except EmbeddingUnavailable:
            fingerprint = (await self._store.info()).fingerprint
            if fingerprint is None or not is_cached(fingerprint):
                raise
            return fingerprint
