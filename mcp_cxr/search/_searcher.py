"""Answers a query with a page of hits."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from mcp_cxr.embeddings import likely_truncated
from mcp_cxr.errors import EmbeddingError, NotFound, QueryError, StoreUnavailable
from mcp_cxr.language import parse_query_text
from mcp_cxr.records import Filter, Rejected, SearchResult, TermClause
from mcp_cxr.search._present import images_to_load, to_hits
from mcp_cxr.search._query_vector import QueryVectors, TextVectorCache, combine_rocchio
from mcp_cxr.search._rank import POOL_SIZE, Ranking, rank
from mcp_cxr.search._search_state import SearchState
from mcp_cxr.stores import with_mimic_prefixes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.language import QueryMeaning
    from mcp_cxr.records import Fingerprint, ImageId, Rendering, ResultFacts, StoredImage, Vector
    from mcp_cxr.search._arguments import Query
    from mcp_cxr.search._rank import RankedGroup
    from mcp_cxr.stores import Store


_WORDS_WEIGHT = _EXAMPLES_WEIGHT = 3
"""Matched words and examples are more reliable than a model's vector of words; chosen on the trial of
tests/bench/bench_answers.py."""
_MAX_TRIES = 3


class Searcher:
    """Searches a store with the vectors of an embedder; keeps the vectors of the last 1,000 texts.

    Args:
        store: Ranks images.
        embedder: Embeds words and examples.
        check_fingerprint: Returns the embedder's fingerprint, or raises `FingerprintMismatch` if it does not fit
            the store's.
    """

    def __init__(
        self, store: Store, embedder: Embedder, *, check_fingerprint: Callable[[], Awaitable[Fingerprint]]
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._check_fingerprint = check_fingerprint
        self._text_vectors = TextVectorCache(store, embedder, check_fingerprint)

    async def search(self, query: Query, *, render: Callable[[str], Awaitable[Rendering]]) -> SearchResult:
        """Return a page of results.

        Args:
            query: Made by `check_arguments`.
            render: Renders a file of `query.like_files` for the embedder.

        Raises:
            NotFound: The archive does not have an image of the query.
            PathRefused: A file of the query is missing, or may not be read.
            ImageError: A file of the query cannot be rendered.
            QueryError: The text holds nothing to look for, or an example was written by another program.
            FingerprintMismatch: The archive's vectors were made with another embedder.
            EmbeddingError: `mode` is vector, and the embedder fails.
            StoreError: The store fails or was never made.
        """
        started = time.perf_counter()
        for _ in range(_MAX_TRIES):
            fingerprint = await self._store.query_fingerprint()  # first: StoreMissing needs no service
            state, ranked, facts = await self._search_once(query, render)
            if _is_same_space(fingerprint, facts.fingerprint):
                break
        else:
            raise StoreUnavailable("The archive changed several times during this search; try again.")
        hits = to_hits(state, ranked, facts)
        if facts.external:
            state.warnings.append(
                f"{facts.external} images written by another program have no usable vector. Run `mcp-cxr ingest` on "
                "their folder to make them searchable."
            )
        end = query.offset + query.limit
        return SearchResult(
            query=query.text,
            search_mode=state.mode,
            fallback_reason=state.fallback_reason,
            embedder=self._embedder.name,
            filters=state.filters,
            total_results=facts.total,
            results_count=len(hits),
            offset=query.offset,
            next_offset=end if end < facts.total else None,
            execution_time_ms=round(1000 * (time.perf_counter() - started), 1),
            cache_hit=state.cache_hit,
            warnings=state.warnings,
            images=hits,
        )

    async def _search_once(
        self, query: Query, render: Callable[[str], Awaitable[Rendering]]
    ) -> tuple[SearchState, list[RankedGroup], ResultFacts]:
        """Return the state of the search, the ranking up to the end of its page, and the facts of its hits."""
        state = SearchState(query, await self._resolve(query))
        await self._load_examples(state, render)
        if query.text:
            await self._parse_text(state, query.text)
        await self._combine_vectors(state)
        terms = state.terms if state.mode == "keyword" else ()
        distinct = None if query.group == "none" else query.group
        ranked: list[RankedGroup] = []
        if query.offset < POOL_SIZE or query.offset < await self._store.count(
            state.where, terms=terms, distinct=distinct
        ):
            ranked = (await self._rank(state))[: query.offset + query.limit]
        with_vectors = state.query_vector is not None and len(ranked) > query.offset
        return (
            state,
            ranked,
            await self._store.result_facts(
                images_to_load(state, ranked), state.where, terms=terms, distinct=distinct, with_vectors=with_vectors
            ),
        )

    async def _resolve(self, query: Query) -> Filter:
        """Return the filter with ids as the archive spells them, and with the examples themselves excluded."""
        where = replace(query.where, exclude_images=(*query.like, *query.unlike))
        if query.exclude_subject_of:
            stored = await self._existing([query.exclude_subject_of])
            where = replace(where, exclude_subject=stored[query.exclude_subject_of].image.subject_id)
        return await with_mimic_prefixes(self._store, where)

    async def _existing(self, ids: Sequence[ImageId], *, with_vectors: bool = False) -> dict[ImageId, StoredImage]:
        stored = await self._store.get(ids, with_vectors=with_vectors)
        if missing := [image_id for image_id in ids if image_id not in stored]:
            raise NotFound.of_image(missing[0])
        return stored

    async def _load_examples(self, state: SearchState, render: Callable[[str], Awaitable[Rendering]]) -> None:
        """Set the vectors of the examples: of stored images, and of files, which are embedded now."""
        like, unlike = state.query.like, state.query.unlike
        stored = await self._existing([*like, *unlike], with_vectors=True)
        vectors = {
            one: image.vector for one, image in stored.items() if image.vector is not None and not image.external
        }
        if external := [image_id for image_id in stored if image_id not in vectors]:
            raise QueryError(
                f"Image {external[0]} was written by another program and has no usable vector. Run `mcp-cxr ingest` on "
                "its folder to make it searchable."
            )
        files = await self._embed_files({path: await render(path) for path in state.query.like_files})
        state.vectors = QueryVectors(
            like=[*(vectors[one] for one in like), *files], unlike=[vectors[one] for one in unlike]
        )

    async def _embed_files(self, renderings: Mapping[str, Rendering]) -> list[Vector]:
        if not renderings:
            return []
        await self._check_fingerprint()
        vectors: list[Vector] = []
        for path, made in zip(renderings, await self._embedder.embed_images(list(renderings.values())), strict=True):
            if isinstance(made, Rejected):
                raise QueryError(f"{path} cannot be used as an example: {made.reason}.")
            vectors.append(made)
        return vectors

    async def _parse_text(self, state: SearchState, text: str) -> None:
        """Set the constraints, vectors and terms of the words, as far as the mode and the embedder allow."""
        state.meaning = meaning = parse_query_text(text)
        without = tuple(TermClause(or_lacks=(term,)) for term in meaning.excluded_terms)
        state.where = replace(state.where, clauses=without)
        if state.query.mode != "words":
            await self._embed(state, text, meaning)
        if state.query.mode != "vector":
            state.terms = meaning.ranking_terms
        if meaning.qualified_denials:
            state.warnings.append(
                f"The exclusion {', '.join(map(repr, meaning.qualified_denials))} was not applied: size and side "
                "cannot be excluded, only the finding itself."
            )
        if not (state.terms or meaning.excluded_terms or state.vectors):
            raise QueryError("The query has no searchable word; name a finding, a device, a view or a label.")

    async def _embed(self, state: SearchState, query_text: str, meaning: QueryMeaning) -> None:
        """Set the vectors of the words; if the embedder has none, the result says why, and words are still matched."""
        if not self._embedder.embeds_text:
            if state.query.mode == "vector":
                raise QueryError(
                    f"The embedder {self._embedder.name} cannot embed text. Use mode='auto', or give an example "
                    "image (like)."
                )
            state.fallback_reason = (
                f"The embedder {self._embedder.name} cannot embed text, so the query was matched by words in reports, "
                "labels and tags."
            )
            return
        try:
            text = None
            if meaning.text_to_embed:
                text, state.cache_hit = await self._text_vectors.vector(meaning.text_to_embed)
            denied = [(await self._text_vectors.vector(one))[0] for one in meaning.denied_texts]
            if denied or state.vectors:
                state.mean_text = await self._text_vectors.mean()
            state.vectors = replace(state.vectors, text=text, denied=denied)
            if likely_truncated(query_text):
                state.warnings.append("The query is long: the model reads about its first 45 words.")
        except EmbeddingError as exc:
            if state.query.mode == "vector":
                raise
            state.fallback_reason = f"{exc} The query was matched by words in reports, labels and tags."

    async def _combine_vectors(self, state: SearchState) -> None:
        """Set the query vector of words and examples, and the extra vectors to rank by."""
        if state.vectors.only_unlike:
            state.warnings.append("unlike was ignored: the embedder cannot embed the query text.")
            state.vectors = QueryVectors()
        if not state.vectors:
            return
        state.query_vector = state.vectors.single_kind_vector
        if state.query_vector is None and (sample := await self._store.reference_sample()).ids:
            images, texts = sample.vectors.mean(axis=0), state.mean_text
            state.query_vector = combine_rocchio(state.vectors, images, texts)
            without_examples = replace(state.vectors, like=(), unlike=())
            if state.vectors.has_examples and without_examples.denied:
                state.extra_vectors.append(combine_rocchio(without_examples, images, texts))
            if state.vectors.text is not None:
                state.extra_vectors.append(state.vectors.text)

    async def _rank(self, state: SearchState) -> list[RankedGroup]:
        query = state.query
        boost_filters: list[Filter] = []  # each adds a pool to the fusion
        if state.terms:
            boost_filters.append(Filter(has_report=False))  # their words cannot match: only vectors can find them
            if state.meaning and state.meaning.labels:
                boost_filters.append(Filter(labels=state.meaning.labels))
        return await rank(
            self._rankings(state),
            query.group,
            needed=query.offset + query.limit,
            match_filters=(lambda images: self._store.filter_images(images, boost_filters)) if boost_filters else None,
        )

    def _rankings(self, state: SearchState) -> list[Ranking]:
        """Return the rankings to fuse, the one by the query vector first.

        Examples add a ranking; those of the words stay. When examples replaced them, feedback made one query in four
        that denies something worse (tests/bench/bench_answers.py).
        """
        store, where, query_vector = self._store, state.where, state.query_vector
        rankings: list[Ranking] = []
        if query_vector is not None:
            weight = _EXAMPLES_WEIGHT if state.vectors.has_examples else 1
            rankings.append(Ranking(partial(store.nearest, query_vector, where), uses_vectors=True, weight=weight))
            rankings += [
                Ranking(partial(store.nearest, vector, where), uses_vectors=True) for vector in state.extra_vectors
            ]
        if state.terms:
            rankings.append(Ranking(partial(store.match, state.terms, where), False, weight=_WORDS_WEIGHT))
        return rankings or [Ranking(partial(store.browse, where), uses_vectors=False)]


def _is_same_space(before: Fingerprint | None, after: Fingerprint | None) -> bool:
    """Whether the store's vectors were comparable before and after the query."""
    return before.same_space(after) if before and after else before is after
