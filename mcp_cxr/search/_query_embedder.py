"""Embeds a query: its words, what they rule out, and its examples; and reports what could not be embedded."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mcp_cxr.errors import EmbeddingError, FingerprintMismatch, QueryError
from mcp_cxr.records import Rejection
from mcp_cxr.search._combine_vectors import QueryVectors, combine_rocchio
from mcp_cxr.search._text_vector_cache import TextVectorCache

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.language.query import QueryMeaning
    from mcp_cxr.records import Fingerprint, ImageId, Rendering, StoredImage, Vector
    from mcp_cxr.search._check_arguments import Query
    from mcp_cxr.stores import Store

_BY_WORDS = "The query was matched by words in reports, labels and tags."
_BY_FINDINGS = "The query was matched by findings and public labels."


@dataclass(frozen=True, slots=True)
class EmbeddedQuery:
    """The vectors of a query, and the warnings for the user."""

    vectors: QueryVectors = field(default_factory=QueryVectors)
    mean_text: Vector | None = None
    """The mean vector of texts about chest X-rays; set if a text is combined with anything else."""
    text: str | None = None
    """The text that was embedded."""
    cache_hit: bool = False
    """Whether the vector of the text came from the cache."""
    fallback_reason: str | None = None
    """Why the words were not embedded."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RankingVectors:
    """The vectors to rank by."""

    query: Vector | None = None
    """All of a query in one; scores are the cosine with it."""
    extra: tuple[Vector, ...] = ()
    """Ranked by as well: the words without the examples, and what they ask for without what they rule out."""


class QueryEmbedder:
    """Embeds queries; keeps the vectors of the last 1,000 texts.

    Args:
        store: Holds the archive's fingerprint, and the examples.
        embedder: Embeds words and examples.
        check_fingerprint: Returns the embedder's fingerprint, or raises `FingerprintMismatch` if it does not fit the
            store's.
    """

    def __init__(
        self, store: Store, embedder: Embedder, check_fingerprint: Callable[[], Awaitable[Fingerprint]]
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._check_fingerprint = check_fingerprint
        self._text_vectors = TextVectorCache(store, embedder, check_fingerprint)

    async def embed(
        self,
        query: Query,
        meaning: QueryMeaning | None,
        examples: Mapping[ImageId, StoredImage],
        files: Mapping[str, Rendering],
        *,
        made_with: Fingerprint | None,
        findings_only: bool = False,
    ) -> EmbeddedQuery:
        """Return the vectors of a query; if the embedder has none for its words, the result says why.

        Args:
            query: Made by `check_arguments`.
            meaning: Of its words.
            examples: The stored images that it names.
            files: Renderings of the files that it names, by path.
            made_with: The fingerprint of the archive.
            findings_only: Whether the words are matched by findings alone if they have no vector.

        Raises:
            QueryError: An example was written by another program or cannot be embedded, or `mode` is vector and the
                embedder has no text encoder.
            EmbeddingError: `mode` is vector, and the embedder fails.
            FingerprintMismatch: The archive's vectors were made with another embedder.
        """
        embedded = EmbeddedQuery(await self._examples(query, examples, files))
        if meaning is not None and query.mode != "words":
            embedded = await self._with_text_or_reason(
                embedded,
                meaning,
                advice=made_with.other_model_advice(self._embedder.name) if made_with else None,
                instead=_BY_FINDINGS if findings_only else _BY_WORDS,
                is_required=query.mode == "vector",
            )
        return _without_lone_unlike(embedded)

    async def combine(self, embedded: EmbeddedQuery) -> RankingVectors:
        """Return the vectors to rank by."""
        vectors = embedded.vectors
        if not vectors:
            return RankingVectors()
        alone = vectors.single_kind_vector
        sample = None if alone is not None else await self._store.reference_sample()
        if sample is None or not sample.ids:
            return RankingVectors(alone)
        images, texts = sample.mean, embedded.mean_text
        extra: list[Vector] = []
        without_examples = replace(vectors, like=(), unlike=())
        if vectors.has_examples and without_examples.ruled_out:
            extra.append(combine_rocchio(without_examples, images, texts))
        if vectors.text is not None:
            extra.append(vectors.text)
        try:
            return RankingVectors(combine_rocchio(vectors, images, texts), tuple(extra))
        except QueryError:
            if vectors.has_examples:
                raise
            return RankingVectors(vectors.text)  # what is ruled out cancels the words

    async def _examples(
        self, query: Query, examples: Mapping[ImageId, StoredImage], files: Mapping[str, Rendering]
    ) -> QueryVectors:
        """Return the vectors of the examples: of stored images, and of files, which are embedded now."""
        vectors = {
            image_id: stored.vector
            for image_id, stored in examples.items()
            if stored.vector is not None and not stored.external
        }
        if external := [image_id for image_id in examples if image_id not in vectors]:
            raise QueryError(
                f"Image {external[0]} was written by another program and has no usable vector. Run `mcp-cxr ingest` on "
                "its folder to make it searchable."
            )
        of_files = await self._embed_files(files)
        return QueryVectors(
            like=[*(vectors[image_id] for image_id in query.like), *of_files],
            unlike=[vectors[image_id] for image_id in query.unlike],
        )

    async def _embed_files(self, renderings: Mapping[str, Rendering]) -> Sequence[Vector]:
        if not renderings:
            return ()
        await self._check_fingerprint()
        vectors: list[Vector] = []
        for path, made in zip(renderings, await self._embedder.embed_images(list(renderings.values())), strict=True):
            if isinstance(made, Rejection):
                raise QueryError(f"{path} cannot be used as an example: {made.reason}.")
            vectors.append(made)
        return vectors

    async def _with_text_or_reason(
        self, embedded: EmbeddedQuery, meaning: QueryMeaning, *, advice: str | None, instead: str, is_required: bool
    ) -> EmbeddedQuery:
        """Return it with the vectors of the words, or why they have none.

        Args:
            embedded: With the examples.
            meaning: Of the words.
            advice: What to do if another model made the archive's vectors.
            instead: What the words are matched by if they have no vector.
            is_required: Whether an error is raised if they have none.
        """
        if advice:
            if is_required:
                raise FingerprintMismatch(advice)
            return replace(embedded, fallback_reason=f"{advice} {instead}")
        if not self._embedder.embeds_text:
            cannot = f"The embedder {self._embedder.name} cannot embed text"
            if is_required:
                raise QueryError(f"{cannot}. Use mode='auto', or give an example image (like).")
            return replace(embedded, fallback_reason=f"{cannot}, so {instead[0].lower()}{instead[1:]}")
        try:
            return await self._with_text(embedded, meaning)
        except EmbeddingError as exc:
            if is_required:
                raise
            return replace(embedded, fallback_reason=f"{exc} {instead}")

    async def _with_text(self, embedded: EmbeddedQuery, meaning: QueryMeaning) -> EmbeddedQuery:
        text, cache_hit = None, False
        if meaning.text_to_embed:
            text, cache_hit = await self._text_vectors.vector(meaning.text_to_embed)
        ruled_out = [(await self._text_vectors.vector(phrase))[0] for phrase in meaning.ruled_out_texts]
        mean = await self._text_vectors.mean() if ruled_out or embedded.vectors else None
        words = self._embedder.max_text_words
        long = (f"The query is long: the model reads about its first {words} words.",)
        return replace(
            embedded,
            vectors=replace(embedded.vectors, text=text, ruled_out=ruled_out),
            mean_text=mean,
            text=meaning.text_to_embed or None,
            cache_hit=cache_hit,
            warnings=long if len(meaning.text_to_embed.split()) > words else (),
        )


def _without_lone_unlike(embedded: EmbeddedQuery) -> EmbeddedQuery:
    """Return it without `unlike` if there is nothing that it could be subtracted from."""
    if not embedded.vectors.only_unlike:
        return embedded
    warning = "The argument unlike was ignored: the embedder cannot embed the query text."
    return replace(embedded, vectors=QueryVectors(), warnings=(*embedded.warnings, warning))
