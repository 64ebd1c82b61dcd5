"""A question into a page of hits."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal, TypedDict

from mcp_cxr.embeddings import likely_truncated
from mcp_cxr.errors import EmbeddingError, NotFound, QueryError, StoreUnavailable
from mcp_cxr.language import understood
from mcp_cxr.records import Filter, Rejected, SearchResult, StudyId, SubjectId
from mcp_cxr.search._asked import Asked
from mcp_cxr.search._present import present, wanted
from mcp_cxr.search._rank import POOL, Leg, rank
from mcp_cxr.search._steer import Parts, steered
from mcp_cxr.search._texts import Texts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.language import Meaning
    from mcp_cxr.records import Fingerprint, ImageId, RankedImage, Rendering, ResultFacts, StoredImage, Vector
    from mcp_cxr.search._question import Query
    from mcp_cxr.search._rank import Ranked
    from mcp_cxr.stores import Store


_WORDS_COUNT = _EXAMPLES_COUNT = 3
"""What a report says, or a person shows, is surer than what a model makes of words; chosen on the trial of
tests/bench/bench_answers.py."""
_TRIES = 3


class _Counted(TypedDict):
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
        self._texts = Texts(store, embedder, confirm)

    async def search(self, question: Query, *, develop: Callable[[str], Awaitable[Rendering]]) -> SearchResult:
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
            made_with = (await self._store.info(recalled=True)).fingerprint  # never made: that needs no service to tell
            asked, ranked, facts = await self._ranked_with_facts(question, develop)
            if _is_same_space(made_with, facts.made_with):
                break
        else:
            raise StoreUnavailable("The archive was made anew again and again while it was asked; ask again.")
        hits = present(asked, ranked, facts)
        if facts.external:
            asked.warnings.append(
                f"{facts.external} images were written by another program and are left out; ingest their files again."
            )
        end = question.offset + question.limit
        return SearchResult(
            query=question.query,
            search_mode=asked.mode,
            fallback_reason=asked.fallback_reason,
            embedder=self._embedder.name,
            filters=asked.filters,
            total_results=facts.total,
            results_count=len(hits),
            offset=question.offset,
            next_offset=end if end < facts.total else None,
            execution_time_ms=round(1000 * (time.perf_counter() - started), 1),
            cache_hit=asked.cache_hit,
            warnings=asked.warnings,
            images=hits,
        )

    async def _ranked_with_facts(
        self, question: Query, develop: Callable[[str], Awaitable[Rendering]]
    ) -> tuple[Asked, list[Ranked], ResultFacts]:
        """Return what the question became, the ranking up to the end of its page, and what is told with it."""
        asked = Asked(question, await self._resolve(question))
        await self._take_examples(asked, develop)
        if question.query:
            await self._understand(asked, question.query)
        await self._aim(asked)
        counted: _Counted = {
            "terms": asked.words if asked.mode == "keyword" else (),
            "distinct": None if question.group == "none" else question.group,
        }
        ranked: list[Ranked] = []
        if question.offset < POOL or question.offset < await self._store.count(asked.where, **counted):
            ranked = (await self._ranked(asked))[: question.offset + question.limit]
        compared = asked.compared is not None and len(ranked) > question.offset
        return (
            asked,
            ranked,
            await self._store.facts(wanted(asked, ranked), asked.where, compared=compared, **counted),
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

    async def _take_examples(self, asked: Asked, develop: Callable[[str], Awaitable[Rendering]]) -> None:
        """Set the vectors of the examples: those of stored images, and those of files, which are embedded now."""
        like, unlike = asked.question.like, asked.question.unlike
        stored = await self._existing([*like, *unlike], vectors=True)
        vectors = {
            one: image.vector for one, image in stored.items() if image.vector is not None and not image.external
        }
        if external := [image_id for image_id in stored if image_id not in vectors]:
            raise QueryError(
                f"Image {external[0]} was written by another program and cannot be compared; ingest its file again."
            )
        files = await self._embed_files([await develop(path) for path in asked.question.like_files])
        asked.parts = Parts(like=[*(vectors[one] for one in like), *files], unlike=[vectors[one] for one in unlike])

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

    async def _understand(self, asked: Asked, query: str) -> None:
        """Turn the words into constraints, a vector and terms, as the mode asks and the embedder can."""
        asked.meaning = meaning = understood(query)
        asked.where = replace(asked.where, terms_absent=meaning.absent)
        if asked.question.mode != "words":
            await self._embed(asked, query, meaning)
        if asked.question.mode != "vector":
            asked.words = meaning.words
        if meaning.qualified:
            asked.warnings.append(
                f"No study was left out for {', '.join(meaning.qualified)}: only a whole finding can be ruled out, "
                "such as 'without effusion'."
            )
        if not (asked.words or meaning.absent or asked.parts):
            raise QueryError("These words name nothing to look for; name a finding, a device, a view or a label.")

    async def _embed(self, asked: Asked, query: str, meaning: Meaning) -> None:
        """Set the vectors of the words; without them, words are still matched, and the answer says why."""
        if not self._embedder.embeds_text:
            reason = (
                f"The embedder {self._embedder.name} reads no text; words of reports, labels and tags were matched."
            )
            if asked.question.mode == "vector":
                raise QueryError(f"The embedder {self._embedder.name} reads no text; use mode='auto' or like.")
            asked.fallback_reason = reason
            return
        try:
            text = None
            if meaning.text:
                text, asked.cache_hit = await self._texts.vector_of(meaning.text)
            avoided = [(await self._texts.vector_of(one))[0] for one in meaning.avoided]
            if avoided or asked.parts:
                asked.middle_of_texts = await self._texts.middle()
            asked.parts = replace(asked.parts, text=text, avoided=avoided)
            if likely_truncated(query):
                asked.warnings.append("The query is long: the model reads about its first 45 words.")
        except EmbeddingError as exc:
            if asked.question.mode == "vector":
                raise
            asked.fallback_reason = f"{exc} Words of reports, labels and tags were matched."

    async def _aim(self, asked: Asked) -> None:
        """Make one vector of the words and the examples."""
        if asked.parts.only_unlike:
            asked.warnings.append("unlike was left aside: there is no vector of the words for it to steer.")
            asked.parts = Parts()
        if not asked.parts:
            return
        asked.compared = asked.parts.plain
        if asked.compared is None and (sample := await self._store.sample()).ids:
            images, texts = sample.vectors.mean(axis=0), asked.middle_of_texts
            asked.compared = steered(asked.parts, images, texts)
            without_examples = replace(asked.parts, like=(), unlike=())
            if asked.parts.has_examples and without_examples.avoided:
                asked.witnesses.append(steered(without_examples, images, texts))
            if asked.parts.text is not None:
                asked.witnesses.append(asked.parts.text)

    async def _ranked(self, asked: Asked) -> list[Ranked]:
        question = asked.question
        sieves: list[Filter] = []
        if asked.words:
            sieves.append(Filter(has_report=False))  # of these the pixels alone can tell
            if asked.meaning and asked.meaning.labels:
                sieves.append(Filter(labels=asked.meaning.labels))
        return await rank(
            self._legs(asked),
            question.group,
            needed=question.offset + question.limit,
            sift=(lambda images: self._store.sift(images, sieves)) if sieves else None,
        )

    async def _near(self, vector: Vector, where: Filter, limit: int) -> list[RankedImage]:
        return await self._store.nearest(vector, where, limit=limit)

    def _legs(self, asked: Asked) -> list[Leg]:
        """Return the rankings to join, the one that compares pixels first.

        Examples add a ranking: those of the words stay. Where they gave way to the examples, one question in four that
        denied something fared worse with feedback (tests/bench/bench_answers.py).
        """
        store, where, compared = self._store, asked.where, asked.compared
        legs: list[Leg] = []
        if compared is not None:
            count = _EXAMPLES_COUNT if asked.parts.has_examples else 1
            legs.append(Leg(partial(self._near, compared, where), compares_pixels=True, weight=count))
            legs += [Leg(partial(self._near, aim, where), compares_pixels=True) for aim in asked.witnesses]
        if asked.words:
            match = Leg(lambda limit: store.match(asked.words, where, limit=limit), False, weight=_WORDS_COUNT)
            legs.append(match)
        return legs or [Leg(lambda limit: store.browse(where, limit=limit), compares_pixels=False)]


def _is_same_space(recalled: Fingerprint | None, found: Fingerprint | None) -> bool:
    """Whether a question that was asked of what was recalled was asked of what is there."""
    if recalled is None or found is None:
        return recalled is found
    return recalled.same_space(found)
