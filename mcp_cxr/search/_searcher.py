"""A question into a page of hits."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.embeddings import likely_truncated
from mcp_cxr.errors import EmbeddingError, EmbeddingUnavailable, NotFound, QuestionError
from mcp_cxr.records import Filter, Hit, Page, StudyId, SubjectId
from mcp_cxr.search._explain import excerpt, matched
from mcp_cxr.search._rank import Leg, rank
from mcp_cxr.search._standing import FEW, Standing
from mcp_cxr.stores import terms

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from typing import Any, Literal

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.records import Fingerprint, ImageId, Stored, Vector
    from mcp_cxr.search._question import Question
    from mcp_cxr.search._rank import Ranked
    from mcp_cxr.stores import Store

_CACHED_QUERIES = 1000
_UNLIKE_WEIGHT = 0.2  # of `like`'s: 0.15 against 0.75, Manning et al., Introduction to Information Retrieval, 9.1.1


@dataclass(slots=True)
class _Asked:
    """A question on its way to its answer."""

    question: Question
    where: Filter
    text: Vector | None = None
    example: Vector | None = None
    words: tuple[str, ...] = ()
    fallback_reason: str | None = None
    cache_hit: bool = False
    warnings: list[str] = field(default_factory=list[str])

    @property
    def compared(self) -> Vector | None:
        """What scores are the cosine with: the example, else the text."""
        return self.example if self.example is not None else self.text

    @property
    def mode(self) -> Literal["semantic", "keyword", "hybrid", "similar", "filter"]:
        """How the answer was found."""
        legs = (self.text is not None) + (self.example is not None) + bool(self.words)
        if legs > 1:
            return "hybrid"
        if self.text is not None:
            return "semantic"
        if self.example is not None:
            return "similar"
        return "keyword" if self.words else "filter"


class Searcher:
    """Joins the embedder and the store; keeps the vectors of the last 1,000 queries.

    Args:
        confirm: Returns the embedder's fingerprint, or raises `FingerprintMismatch` where it does not fit the store's.
    """

    def __init__(self, store: Store, embedder: Embedder, *, confirm: Callable[[], Awaitable[Fingerprint]]) -> None:
        self._store = store
        self._embedder = embedder
        self._confirm = confirm
        self._cache: OrderedDict[tuple[Fingerprint, str], Vector] = OrderedDict()

    async def search(self, question: Question) -> Page:
        """Answer a question.

        Raises:
            NotFound: An image named in it is not there.
            QuestionError: Its words hold nothing to look for, or an example was written by another program.
            FingerprintMismatch: The archive's vectors were made by another embedder.
            EmbeddingError: Vectors alone were asked for, and the embedder gives none.
            StoreError: The store fails or was never made.
        """
        started = time.perf_counter()
        await self._store.info()  # an archive that was never made needs no service to say so
        asked = _Asked(question, await self._resolve(question))
        await self._compare_with_examples(asked)
        if question.query:
            await self._understand(asked, question.query)
        total = await self._total(asked)
        needed = min(question.offset + question.limit, total)
        ranked = await rank(self._legs(asked), question.group, needed=needed) if question.offset < total else []
        hits = await self._hits(asked, ranked[question.offset : needed])
        await self._warn(asked)
        return Page(
            query=question.query,
            search_mode=asked.mode,
            fallback_reason=asked.fallback_reason,
            embedder=self._embedder.name,
            filters=_in_force(question, asked.where),
            total_results=total,
            results_count=len(hits),
            offset=question.offset,
            next_offset=needed if needed < total else None,
            execution_time_ms=round(1000 * (time.perf_counter() - started), 1),
            cache_hit=asked.cache_hit,
            warnings=asked.warnings,
            images=hits,
        )

    async def _resolve(self, question: Question) -> Filter:
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

    async def _existing(self, ids: Sequence[ImageId], *, vectors: bool = False) -> dict[ImageId, Stored]:
        stored = await self._store.get(ids, vectors=vectors)
        if missing := [image_id for image_id in ids if image_id not in stored]:
            raise NotFound(f"No image {missing[0]} in this archive; image ids come with the hits of a search.")
        return stored

    async def _compare_with_examples(self, asked: _Asked) -> None:
        """Set the mean of the examples, moved away from those it should not be like (Rocchio, 1971)."""
        like, unlike = asked.question.like, asked.question.unlike
        if not like:
            return
        stored = await self._existing([*like, *unlike], vectors=True)
        vectors = {one: image.vector for one, image in stored.items() if image.vector is not None and not image.foreign}
        if foreign := [image_id for image_id in stored if image_id not in vectors]:
            raise QuestionError(
                f"Image {foreign[0]} was written by another program and cannot be compared; ingest its file again."
            )
        asked.example = _between([vectors[one] for one in like], [vectors[one] for one in unlike])

    async def _understand(self, asked: _Asked, query: str) -> None:
        """Turn the words into a vector and into terms, as the mode asks and the embedder can."""
        if asked.question.mode != "words":
            await self._embed(asked, query)
        if asked.question.mode != "vector":
            asked.words = tuple(terms(query))
        if asked.compared is None and not asked.words:
            raise QuestionError("These words name nothing to look for; name a finding, a device, a view or a label.")

    async def _embed(self, asked: _Asked, query: str) -> None:
        """Set the query's vector; without one, words are still matched, and the answer says why."""
        if not self._embedder.embeds_text:
            reason = (
                f"The embedder {self._embedder.name} reads no text; words of reports, labels and tags were matched."
            )
            if asked.question.mode == "vector":
                raise QuestionError(f"The embedder {self._embedder.name} reads no text; use mode='auto' or like.")
            asked.fallback_reason = reason
            return
        try:
            asked.text, asked.cache_hit = await self._vector_of(query)
            if likely_truncated(query):
                asked.warnings.append("The query is long: the model reads about its first 45 words.")
        except EmbeddingError as exc:
            if asked.question.mode == "vector":
                raise
            asked.fallback_reason = f"{exc} Words of reports, labels and tags were matched."

    async def _vector_of(self, query: str) -> tuple[Vector, bool]:
        """Return the vector of a query, and whether it was kept from before."""
        key = await self._key(query)
        kept = self._cache.pop(key, None)
        vector = kept
        if vector is None:
            vector = (await self._embedder.embed_texts([query]))[0]
            key = await self._confirm(), query  # again: it may be another service that has answered
        self._cache[key] = vector  # as the last one
        if len(self._cache) > _CACHED_QUERIES:
            self._cache.popitem(last=False)
        return vector, kept is not None

    async def _key(self, query: str) -> tuple[Fingerprint, str]:
        """Return what the query's vector is kept under.

        While the service is down, a kept vector still serves: it was made by what made the collection. So all pages of
        an answer are of one ranking, whatever becomes of the service between them.
        """
        try:
            return await self._confirm(), query
        except EmbeddingUnavailable:
            made_with = (await self._store.info()).fingerprint
            if made_with is None or (made_with, query) not in self._cache:
                raise
            return made_with, query

    async def _total(self, asked: _Asked) -> int:
        group = asked.question.group
        return await self._store.count(
            asked.where,
            terms=asked.words if asked.mode == "keyword" else (),
            distinct=None if group == "none" else group,
        )

    def _legs(self, asked: _Asked) -> list[Leg]:
        """Return the rankings to join, the one that compares with the example first."""
        store, where = self._store, asked.where
        legs = [
            Leg(lambda limit, vector=vector: store.nearest(vector, where, limit=limit), compares_pixels=True)
            for vector in (asked.example, asked.text)
            if vector is not None
        ]
        if asked.words:
            legs.append(Leg(lambda limit: store.match(asked.words, where, limit=limit), compares_pixels=False))
        return legs or [Leg(lambda limit: store.browse(where, limit=limit), compares_pixels=False)]

    async def _hits(self, asked: _Asked, ranked: list[Ranked]) -> list[Hit]:
        compared = asked.compared
        stored = await self._store.get([one.best.image_id for one in ranked], vectors=compared is not None)
        standing = Standing(compared, await self._store.sample()) if compared is not None and ranked else None
        if standing and standing.size < FEW:
            asked.warnings.append(f"Standing is coarse: the archive has only {standing.size} images to compare with.")
        return [
            self._hit(asked, one, stored[one.best.image_id], standing, asked.question.offset + place)
            for place, one in enumerate(ranked, start=1)
            if one.best.image_id in stored  # another process may have removed it since
        ]

    def _hit(self, asked: _Asked, ranked: Ranked, stored: Stored, standing: Standing | None, place: int) -> Hit:
        image, study, query = stored.image, stored.study, asked.question.query
        cosine = standing.cosine(stored.vector) if standing and stored.vector is not None else None
        pixels = ["pixels"] if ranked.by_pixels else []
        words = matched(query, stored) if asked.words else []
        return Hit(
            rank=place,
            image_id=image.image_id,
            study_id=image.study_id,
            subject_id=image.subject_id,
            view_position=image.view_position,
            image_path=image.shown_path,
            similarity_score=None if cosine is None else round(cosine, 6),
            similarity_z=standing.z(cosine) if standing and cosine is not None else None,
            percentile=standing.percentile(cosine) if standing and cosine is not None else None,
            labels=dict(study.labels),
            report_excerpt=excerpt(query, study.report),
            why=[*pixels, *words] or ["filter" if asked.mode == "filter" else "tags of the study's other images"],
        )

    async def _warn(self, asked: _Asked) -> None:
        if foreign := (await self._store.totals()).foreign:
            asked.warnings.append(
                f"{foreign} images were written by another program and are left out; ingest their files again."
            )


def _between(like: list[Vector], unlike: list[Vector]) -> Vector:
    """Return the examples' mean, moved away from the mean of those it should not be like, at unit length."""
    middle = np.mean(like, axis=0)
    if unlike:
        middle = middle - _UNLIKE_WEIGHT * np.mean(unlike, axis=0)
    length = np.linalg.norm(middle)
    if not length:
        raise QuestionError("These examples cancel each other out: name fewer of them.")
    return (middle / length).astype(np.float32)


def _in_force(question: Question, where: Filter) -> dict[str, Any]:
    """Return the filters with ids as the archive spells them."""
    ids = {"study_id": where.study_id, "subject_id": where.subject_id}
    return question.filters | {name: value for name, value in ids.items() if value}
