"""A question into a page of hits."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal, TypedDict

from mcp_cxr.embeddings import likely_truncated
from mcp_cxr.errors import EmbeddingError, NotFound, QueryError, StoreUnavailable
from mcp_cxr.language import parse_query_text
from mcp_cxr.records import Filter, Rejected, SearchResult, StudyId, SubjectId
from mcp_cxr.search._hits import images_to_load, to_hits
from mcp_cxr.search._query_vector import VectorParts, combined
from mcp_cxr.search._rank import POOL, Ranking, rank
from mcp_cxr.search._state import SearchState
from mcp_cxr.search._text_vectors import TextVectors

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.language import QueryMeaning
    from mcp_cxr.records import Fingerprint, ImageId, RankedImage, Rendering, ResultFacts, StoredImage, Vector
    from mcp_cxr.search._parse_query import Query
    from mcp_cxr.search._rank import RankedGroup
    from mcp_cxr.stores import Store


_WORDS_COUNT = _EXAMPLES_COUNT = 3
"""What a report says, or a person shows, is surer than what a model makes of words; chosen on the trial of
tests/bench/bench_answers.py."""
_TRIES = 3


class _CountArguments(TypedDict):
    """What is counted; as `Store.count` takes it."""

    terms: Sequence[str]
    distinct: Literal["study", "subject"] | None


class Searcher:
    """Joins the embedder and the store; keeps the vectors of the last 1,000 queries.

    Args:
        confirm: Returns the embedder's fingerprint, or raises `FingerprintMismatch` where it does not fit the store's.
    """

    def __init__(self, store: Store, embedder: Embedder, *, confirm: Callable[[], Awaitable[Fingerprint]]) -> None:
        self._store = store
        self._embedder = embedder
        self._confirm = confirm
        self._text_vectors = TextVectors(store, embedder, confirm)

    async def search(self, question: Query, *, render: Callable[[str], Awaitable[Rendering]]) -> SearchResult:
        """Answer a question.

        Args:
            question: What is asked.
            develop: Renders a file named as an example.

        Raises:
            NotFound: An image named in it is not there.
            PathRefused: A file named in it is not there, or may not be read.
            ImageError: A file named in it cannot become a picture.
            QuestionError: Its words hold nothing to look for, or an example was written by another program.
            FingerprintMismatch: The archive's vectors were made by another embedder.
            EmbeddingError: Vectors alone were asked for, and the embedder gives none.
            StoreError: The store fails or was never made.
        """
        started = time.perf_counter()
        for _ in range(_TRIES):
            made_with = await self._store.query_fingerprint()  # first: StoreMissing needs no service
            state, ranked, facts = await self._ranked_with_facts(question, render)
            if _is_same_space(made_with, facts.fingerprint):
                break
        else:
            raise StoreUnavailable("The archive was made anew again and again while it was asked; ask again.")
        hits = to_hits(state, ranked, facts)
        if facts.external:
            state.warnings.append(
                f"{facts.external} images were written by another program and are left out; ingest their files again."
            )
        end = question.offset + question.limit
        return SearchResult(
            query=question.text,
            search_mode=state.mode,
            fallback_reason=state.fallback_reason,
            embedder=self._embedder.name,
            filters=state.filters,
            total_results=facts.total,
            results_count=len(hits),
            offset=question.offset,
            next_offset=end if end < facts.total else None,
            execution_time_ms=round(1000 * (time.perf_counter() - started), 1),
            cache_hit=state.cache_hit,
            warnings=state.warnings,
            images=hits,
        )

    async def _ranked_with_facts(
        self, question: Query, render: Callable[[str], Awaitable[Rendering]]
    ) -> tuple[SearchState, list[RankedGroup], ResultFacts]:
        """Return what the question became, the ranking up to the end of its page, and what is told with it."""
        state = SearchState(question, await self._resolve(question))
        await self._take_examples(state, render)
        if question.text:
            await self._understand(state, question.text)
        await self._aim(state)
        count_arguments: _CountArguments = {
            "terms": state.words if state.mode == "keyword" else (),
            "distinct": None if question.group == "none" else question.group,
        }
        ranked: list[RankedGroup] = []
        if question.offset < POOL or question.offset < await self._store.count(state.where, **count_arguments):
            ranked = (await self._ranked(state))[: question.offset + question.limit]
        compared = state.query_vector is not None and len(ranked) > question.offset
        return (
            state,
            ranked,
            await self._store.result_facts(
                images_to_load(state, ranked), state.where, compared=compared, **count_arguments
            ),
        )

    async def _resolve(self, question: Query) -> Filter:
        """Return the filter with ids as the archive spells them, and without the examples themselves."""
        where = replace(question.where, exclude_images=(*question.like, *question.unlike))
        if question.exclude_subject_of:
            stored = await self._existing([question.exclude_subject_of])
            where = replace(where, exclude_subject=stored[question.exclude_subject_of].image.subject_id)
        if where.study_id and where.study_id.isdigit() and not await self._store.count(Filter(study_id=where.study_id)):
            where = replace(where, study_id=StudyId(f"s{where.study_id}"))
        subject = where.subject_id
        if subject and subject.isdigit() and not await self._store.count(Filter(subject_id=subject)):
            where = replace(where, subject_id=SubjectId(f"p{subject}"))
        return where

    async def _existing(self, ids: Sequence[ImageId], *, vectors: bool = False) -> dict[ImageId, StoredImage]:
        stored = await self._store.get(ids, vectors=vectors)
        if missing := [image_id for image_id in ids if image_id not in stored]:
            raise NotFound(f"No image {missing[0]} in this archive; image ids come with the hits of a search.")
        return stored

    async def _take_examples(self, state: SearchState, render: Callable[[str], Awaitable[Rendering]]) -> None:
        """Set the vectors of the examples: those of stored images, and those of files, which are embedded now."""
        like, unlike = state.question.like, state.question.unlike
        stored = await self._existing([*like, *unlike], vectors=True)
        vectors = {
            one: image.vector for one, image in stored.items() if image.vector is not None and not image.external
        }
        if external := [image_id for image_id in stored if image_id not in vectors]:
            raise QueryError(
                f"Image {external[0]} was written by another program and cannot be compared; ingest its file again."
            )
        files = await self._embed_files([await render(path) for path in state.question.like_files])
        state.parts = VectorParts(
            like=[*(vectors[one] for one in like), *files], unlike=[vectors[one] for one in unlike]
        )

    async def _embed_files(self, pictures: Sequence[Rendering]) -> list[Vector]:
        if not pictures:
            return []
        await self._confirm()
        vectors: list[Vector] = []
        for made in await self._embedder.embed_images(pictures):
            if isinstance(made, Rejected):
                raise QueryError(f"A file in like cannot be compared ({made.reason}); name another one.")
            vectors.append(made)
        return vectors

    async def _understand(self, state: SearchState, query: str) -> None:
        """Turn the words into constraints, a vector and terms, as the mode asks and the embedder can."""
        state.meaning = meaning = parse_query_text(query)
        state.where = replace(state.where, terms_absent=meaning.excluded_terms)
        if state.question.mode != "words":
            await self._embed(state, query, meaning)
        if state.question.mode != "vector":
            state.words = meaning.ranking_terms
        if meaning.qualified_denials:
            state.warnings.append(
                f"No study was left out for {', '.join(meaning.qualified_denials)}: "
                "only a whole finding can be ruled out, such as 'without effusion'."
            )
        if not (state.words or meaning.excluded_terms or state.parts):
            raise QueryError("These words name nothing to look for; name a finding, a device, a view or a label.")

    async def _embed(self, state: SearchState, query: str, meaning: QueryMeaning) -> None:
        """Set the vectors of the words; without them, words are still matched, and the answer says why."""
        if not self._embedder.embeds_text:
            reason = (
                f"The embedder {self._embedder.name} reads no text; words of reports, labels and tags were matched."
            )
            if state.question.mode == "vector":
                raise QueryError(f"The embedder {self._embedder.name} reads no text; use mode='auto' or like.")
            state.fallback_reason = reason
            return
        try:
            text = None
            if meaning.text_to_embed:
                text, state.cache_hit = await self._text_vectors.vector(meaning.text_to_embed)
            avoided = [(await self._text_vectors.vector(one))[0] for one in meaning.denied_texts]
            if avoided or state.parts:
                state.mean_text = await self._text_vectors.mean()
            state.parts = replace(state.parts, text=text, avoided=avoided)
            if likely_truncated(query):
                state.warnings.append("The query is long: the model reads about its first 45 words.")
        except EmbeddingError as exc:
            if state.question.mode == "vector":
                raise
            state.fallback_reason = f"{exc} Words of reports, labels and tags were matched."

    async def _aim(self, state: SearchState) -> None:
        """Make one vector of the words and the examples."""
        if state.parts.only_unlike:
            state.warnings.append("unlike was left aside: there is no vector of the words for it to steer.")
            state.parts = VectorParts()
        if not state.parts:
            return
        state.query_vector = state.parts.plain
        if state.query_vector is None and (sample := await self._store.reference_sample()).ids:
            images, texts = sample.vectors.mean(axis=0), state.mean_text
            state.query_vector = combined(state.parts, images, texts)
            without_examples = replace(state.parts, like=(), unlike=())
            if state.parts.has_examples and without_examples.avoided:
                state.extra_vectors.append(combined(without_examples, images, texts))
            if state.parts.text is not None:
                state.extra_vectors.append(state.parts.text)

    async def _ranked(self, state: SearchState) -> list[RankedGroup]:
        question = state.question
        sieves: list[Filter] = []
        if state.words:
            sieves.append(Filter(has_report=False))  # of these the pixels alone can tell
            if state.meaning and state.meaning.labels:
                sieves.append(Filter(labels=state.meaning.labels))
        return await rank(
            self._rankings(state),
            question.group,
            needed=question.offset + question.limit,
            sift=(lambda images: self._store.filter_images(images, sieves)) if sieves else None,
        )

    async def _near(self, vector: Vector, where: Filter, limit: int) -> list[RankedImage]:
        return await self._store.nearest(vector, where, limit=limit)

    def _rankings(self, state: SearchState) -> list[Ranking]:
        """Return the rankings to join, the one that compares pixels first.

        Examples add a ranking: those of the words stay. Where they gave way to the examples, one question in four that
        denied something fared worse with feedback (tests/bench/bench_answers.py).
        """
        store, where, compared = self._store, state.where, state.query_vector
        rankings: list[Ranking] = []
        if compared is not None:
            count = _EXAMPLES_COUNT if state.parts.has_examples else 1
            rankings.append(Ranking(partial(self._near, compared, where), compares_pixels=True, weight=count))
            rankings += [Ranking(partial(self._near, aim, where), compares_pixels=True) for aim in state.extra_vectors]
        if state.words:
            match = Ranking(lambda limit: store.match(state.words, where, limit=limit), False, weight=_WORDS_COUNT)
            rankings.append(match)
        return rankings or [Ranking(lambda limit: store.browse(where, limit=limit), compares_pixels=False)]


def _is_same_space(before: Fingerprint | None, after: Fingerprint | None) -> bool:
    """Whether the store's vectors were comparable before and after the query."""
    if before is None or after is None:
        return before is after
    return before.same_space(after)
