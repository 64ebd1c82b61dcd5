"""Combines the vectors of text and of positive and negative examples into one query vector (Rocchio).

Caches text vectors: those of queries, and the mean of typical texts about chest X-rays.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.errors import EmbeddingUnavailable, QueryError
from mcp_cxr.records import LABELS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.records import Fingerprint, Vector, Vectors
    from mcp_cxr.stores import Store

# Rocchio, with the weights of Manning et al., Introduction to Information Retrieval, 9.1.1.
_TEXT, _LIKE, _UNLIKE = 1.0, 0.75, 0.15
_DENIED = 0.5  # of what the words deny; measured by tests/bench/bench_answers.py

_ZERO = 1e-6  # what float32 leaves of the difference of equal vectors

TYPICAL_TEXTS = tuple(f"chest x-ray, {label.lower()}" for label in LABELS)
"""Texts whose mean vector is taken as the mean of texts about chest X-rays."""
_MAX_CACHED = 1000


@dataclass(frozen=True, slots=True)
class QueryVectors:
    """The vectors of a query's words and examples, each of unit length."""

    text: Vector | None = None
    denied: Sequence[Vector] = ()
    """Texts of what the words deny."""
    like: Sequence[Vector] = ()
    unlike: Sequence[Vector] = ()

    def __bool__(self) -> bool:
        """Whether there is any vector."""
        return self.text is not None or bool(self.denied) or self.has_examples

    @property
    def has_examples(self) -> bool:
        """Whether any vector is that of an image."""
        return bool(self.like or self.unlike)

    @property
    def only_unlike(self) -> bool:
        """Whether `unlike` is all there is."""
        return bool(self.unlike) and self.text is None and not (self.denied or self.like)

    @property
    def single_kind_vector(self) -> Vector | None:
        """The query vector if only words or only `like` are given: the text's, or the examples' mean; else None."""
        kinds = (self.text is not None) + bool(self.like)
        if kinds != 1 or self.denied or self.unlike:
            return None
        return self.text if self.text is not None else unit_length(np.mean(self.like, axis=0))


def combine_rocchio(vectors: QueryVectors, images: Vector, texts: Vector | None) -> Vector:
    """Return one query vector of unit length for words and examples together.

    A model of the CLIP family puts texts and images into two separate cones (Liang et al., Mind the Gap, NeurIPS 2022):
    text and examples can be added only after the mean of its own kind is subtracted from each.

    Args:
        vectors: Of the query.
        images: The mean of images.
        texts: The mean of texts; required if the query has text.
    """
    total = np.zeros_like(images)
    for weight, part, mean in (
        (_TEXT, [vectors.text] if vectors.text is not None else [], texts),
        (-_DENIED, vectors.denied, texts),
        (_LIKE, vectors.like, images),
        (-_UNLIKE, vectors.unlike, images),
    ):
        if part and mean is not None:
            total += weight * np.mean(centered(np.stack(part), mean), axis=0)
    return unit_length(total)


def centered(vectors: Vectors, mean: Vector) -> Vectors:
    """Return each row less `mean`, at unit length; a row equal to the mean becomes zero."""
    rows = vectors - mean
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > _ZERO)


def unit_length(vector: Vector) -> Vector:
    """Return the vector at unit length.

    Raises:
        QueryError: Its length is zero.
    """
    length = np.linalg.norm(vector)
    if not length > _ZERO:
        raise QueryError("The examples in like and unlike cancel each other out; use fewer examples.")
    return (vector / length).astype(np.float32)


class TextVectorCache:
    """Embeds each text once; keeps the vectors of the last 1,000 texts.

    Args:
        store: Holds the collection's fingerprint.
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

        While the service is down, the collection's fingerprint is returned if the vector is cached under it. So all
        pages of a result come from one ranking, even if the service fails between them.
        """
        try:
            return await self._check_fingerprint()
        except EmbeddingUnavailable:
            fingerprint = (await self._store.info()).fingerprint
            if fingerprint is None or not is_cached(fingerprint):
                raise
            return fingerprint
