"""The vectors of texts: of questions, kept for the next page, and of texts as they usually are."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from mcp_cxr.errors import EmbeddingUnavailable
from mcp_cxr.search._query_vector import TYPICAL_TEXTS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.records import Fingerprint, Vector
    from mcp_cxr.stores import Store

_KEPT = 1000


class TextVectors:
    """Embeds texts once; keeps the vectors of the last 1,000.

    Args:
        store: Knows what made the collection.
        embedder: Reads text.
        confirm: Returns the embedder's fingerprint, or raises `FingerprintMismatch` where it does not fit the store's.
    """

    def __init__(self, store: Store, embedder: Embedder, confirm: Callable[[], Awaitable[Fingerprint]]) -> None:
        self._store = store
        self._embedder = embedder
        self._confirm = confirm
        self._vectors: OrderedDict[tuple[Fingerprint, str], Vector] = OrderedDict()
        self._mean: tuple[Fingerprint, Vector] | None = None

    async def vector(self, text: str) -> tuple[Vector, bool]:
        """Return the vector of a text, and whether it was kept from before.

        Raises:
            FingerprintMismatch: The archive's vectors were made by another embedder.
            EmbeddingError: The embedder gives none, and none was kept.
        """
        key = await self._key(text)
        kept = self._vectors.pop(key, None)
        vector = kept
        if vector is None:
            vector = (await self._embedder.embed_texts([text]))[0]
            key = await self._confirm(), text  # again: it may be another service that has answered
        self._vectors[key] = vector  # as the last one
        if len(self._vectors) > _KEPT:
            self._vectors.popitem(last=False)
        return vector, kept is not None

    async def mean(self) -> Vector:
        """Return the mean of texts about chest films; they are embedded once.

        Raises:
            FingerprintMismatch: The archive's vectors were made by another embedder.
            EmbeddingError: The embedder gives none, and none was kept.
        """
        fingerprint = await self._current(lambda fingerprint: self._mean is not None and self._mean[0] == fingerprint)
        if self._mean is None or self._mean[0] != fingerprint:
            vectors = await self._embedder.embed_texts(TYPICAL_TEXTS)
            self._mean = await self._confirm(), vectors.mean(axis=0)
        return self._mean[1]

    async def _key(self, text: str) -> tuple[Fingerprint, str]:
        """Return what a text's vector is kept under."""
        return await self._current(lambda fingerprint: (fingerprint, text) in self._vectors), text

    async def _current(self, is_kept: Callable[[Fingerprint], bool]) -> Fingerprint:
        """Return what texts are embedded with now.

        While the service is down, what was kept still serves: it was made by what made the collection. So all pages of
        an answer are of one ranking, whatever becomes of the service between them.
        """
        try:
            return await self._confirm()
        except EmbeddingUnavailable:
            fingerprint = (await self._store.info()).fingerprint
            if fingerprint is None or not is_kept(fingerprint):
                raise
            return fingerprint
