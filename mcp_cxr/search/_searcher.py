"""Returns a page of results for a query: understands it, plans the search, ranks images and explains the hits."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mcp_cxr.errors import NotFound, StoreUnavailable
from mcp_cxr.language import PUBLIC_LABELS_TERM, Status, is_imaging, stated_terms, study_readings
from mcp_cxr.language.query import QueryMeaning, WantedFinding
from mcp_cxr.records import SPLITS, Filter, SearchResult, TermClause, Understood
from mcp_cxr.search._intermediate_results import IntermediateResults
from mcp_cxr.search._plan import CountName, SearchPlan, counts, plan_without_words, plan_words
from mcp_cxr.search._query_embedder import EmbeddedQuery, QueryEmbedder, RankingVectors
from mcp_cxr.search._rank import POOL_SIZE, RankedGroup, rank_tiers
from mcp_cxr.search._result_page import hits_and_warnings, images_to_load, left_out_warnings
from mcp_cxr.search._understand import FIRST_DATE, understand
from mcp_cxr.stores import with_mimic_prefixes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
    from typing import Any, Literal

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.records import Fingerprint, ImageId, Rendering, StoredImage
    from mcp_cxr.search._check_arguments import Query
    from mcp_cxr.search._understand import SearchableWords, UnderstoodQuery
    from mcp_cxr.stores import Store

_MAX_TRIES = 3
_TEXT_FILTERS = ("sex", "age_from", "age_to", "date_from", "date_to")
"""Filters that words may set."""


@dataclass(frozen=True, slots=True)
class Selection:
    """All images that words and filters select, whatever their rank."""

    full: Filter
    """Images of studies that match in full; without words, all that pass the filters."""
    stated: Filter
    """Images of studies that match in full or in part."""
    understood: Understood | None
    """What the words were read as; None without words."""
    filters: dict[str, Any]
    """The filters in force, as a result shows them."""
    counts: dict[str, int] | None
    """Studies, as `SearchResult.counts`; None without words."""
    warnings: tuple[str, ...]


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
        self._query_embedder = QueryEmbedder(store, embedder, check_fingerprint)

    async def search(
        self,
        query: Query,
        *,
        render: Callable[[str], Awaitable[Rendering]],
        searchable_words: SearchableWords = "archive",
    ) -> SearchResult:
        """Return a page of results.

        Args:
            query: Made by `check_arguments`.
            render: Renders a file of `query.like_files` for the embedder.
            searchable_words: `findings` if nothing of the result may depend on the words of reports.

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
            search = await self._intermediate_results(query, render, searchable_words, fingerprint)
            if _are_comparable(fingerprint, search.facts.fingerprint):
                break
        else:
            raise StoreUnavailable("The archive changed several times during this search; try again.")
        result = self._result(search, started)
        if result.images:
            return result
        why = _past_the_end(search) if result.total_results else await self._why_nothing_was_found(search)
        return result.model_copy(update={"warnings": [*result.warnings, *why]})

    async def select(self, query: Query, *, searchable_words: SearchableWords = "archive") -> Selection:
        """Return which images a query without examples selects; the embedder is not called.

        Raises:
            NotFound: The archive does not have an image of the query.
            QueryError: The text holds nothing to look for.
            StoreError: The store fails or was never made.
        """
        understood = await understand(query, self._store, searchable_words)
        where = await self._filter(understood.query, findings_only=searchable_words == "findings")
        plan = _plan(understood, where, understood.preferred, by_vector=False)
        facts = await self._store.result_facts(
            [], plan.result_filter, distinct="study", also_count=list(plan.count_filters.values())
        )
        found = dict(zip(plan.count_filters, facts.counts, strict=True))
        return Selection(
            plan.count_filters.get("full", where),
            plan.count_filters.get("stated", where),
            Understood(**understood.word_uses).model_copy(update={"limit": None}) if query.text else None,
            _filters(understood, where),
            None if understood.meaning is None else counts(found),
            (*understood.warnings, *_limit_warnings(understood), *left_out_warnings(found, where, facts.total)),
        )

    async def _why_nothing_was_found(self, search: IntermediateResults) -> list[str]:
        """Return a line for each condition that no image of the archive can meet, or one that says that it is empty."""
        if search.facts.external:  # these may have it
            return []
        needed = list(_conditions(search.where, has_words=bool(search.plan.terms)))
        facts = await self._store.result_facts([], Filter(), also_count=[alone for _, alone in needed])
        if not facts.total:
            return ["The archive holds no images; ingest a folder first."]
        return [line for (line, _), images in zip(needed, facts.counts, strict=True) if not images]

    async def _intermediate_results(
        self,
        query: Query,
        render: Callable[[str], Awaitable[Rendering]],
        searchable_words: SearchableWords,
        made_with: Fingerprint | None,
    ) -> IntermediateResults:
        understood = await understand(query, self._store, searchable_words)
        query = understood.query
        findings_only = searchable_words == "findings"
        where = await self._filter(query, findings_only=findings_only)
        examples = await self._existing([*query.like, *query.unlike], with_vectors=True)
        files = {path: await render(path) for path in query.like_files}
        embedded = await self._query_embedder.embed(
            query, understood.meaning, examples, files, made_with=made_with, findings_only=findings_only
        )
        vectors = await self._query_embedder.combine(embedded)
        of_examples = () if self._embedder.embeds_text else _example_findings(query, examples)
        preferred = _preferred(understood, of_examples, findings_only=findings_only)
        plan = _plan(understood, where, preferred, by_vector=vectors.query is not None, example_findings=of_examples)
        ranked = await self._rank(query, plan, vectors, embedded)
        facts = await self._store.result_facts(
            images_to_load(ranked, query.offset, compared=vectors.query is not None),
            plan.result_filter,
            distinct=_distinct(query),
            with_vectors=vectors.query is not None and len(ranked) > query.offset,
            also_count=list(plan.count_filters.values()),
        )
        return IntermediateResults(understood, where, embedded, vectors, plan, ranked, facts, preferred, findings_only)

    async def _rank(
        self, query: Query, plan: SearchPlan, vectors: RankingVectors, embedded: EmbeddedQuery
    ) -> list[RankedGroup]:
        if query.offset >= POOL_SIZE and query.offset >= await self._store.count(
            plan.result_filter, distinct=_distinct(query)
        ):
            return []
        sees_findings = self._embedder.embeds_text or not plan.terms
        return await rank_tiers(
            plan,
            vectors,
            self._store,
            query.group,
            needed=query.offset + query.limit,
            has_examples=embedded.vectors.has_examples and sees_findings,
            value_of=query.value_of,
        )

    async def _filter(self, query: Query, *, findings_only: bool) -> Filter:
        where = await self._resolve(query)
        if findings_only and where.labels_absent:  # own labels alone leave a study unlabeled
            where = replace(where, clauses=(*where.clauses, TermClause(any_of=(PUBLIC_LABELS_TERM,))))
        return where

    async def _resolve(self, query: Query) -> Filter:
        """Return the filter with ids as the archive spells them, and with the examples themselves excluded."""
        where = replace(query.where, exclude_images=(*query.like, *query.unlike))
        if query.value_of is not None:  # without an image, a condition that never holds
            only = tuple(query.value_of)
            where = replace(where, only_images=only, clauses=where.clauses if only else (TermClause(),))
        if query.exclude_subject_of:
            stored = await self._existing([query.exclude_subject_of])
            where = replace(where, exclude_subject=stored[query.exclude_subject_of].image.subject_id)
        return await with_mimic_prefixes(self._store, where)

    async def _existing(self, ids: Sequence[ImageId], *, with_vectors: bool = False) -> dict[ImageId, StoredImage]:
        stored = await self._store.get(ids, with_vectors=with_vectors) if ids else {}
        if missing := [image_id for image_id in ids if image_id not in stored]:
            raise NotFound.of_image(missing[0])
        return stored

    def _result(self, search: IntermediateResults, started: float) -> SearchResult:
        hits, warnings = hits_and_warnings(search, self._embedder.near_duplicate_cosine)
        query, facts = search.query, search.facts
        shown_counts = (
            counts(dict(zip(search.plan.count_filters, facts.counts, strict=True)))
            if search.understood.meaning
            else None
        )
        end = query.offset + query.limit
        return SearchResult(
            query=query.text,
            search_mode=search.mode,
            fallback_reason=search.embedded.fallback_reason,
            embedder=self._embedder.name,
            understood=_understood(search) if query.text else None,
            filters=_filters(search.understood, search.where),
            matched_results=None if shown_counts is None else shown_counts["present"] + shown_counts["possible"],
            counts=shown_counts,
            total_results=facts.total,
            results_count=len(hits),
            offset=query.offset,
            next_offset=end if end < facts.total else None,
            execution_time_ms=round(1000 * (time.perf_counter() - started), 1),
            cache_hit=search.embedded.cache_hit,
            warnings=warnings,
            images=hits,
        )


def _example_findings(query: Query, examples: Mapping[ImageId, StoredImage]) -> tuple[str, ...]:
    """Return the findings that the `like` examples state and the `unlike` examples do not.

    The pixel sketch sees little but exposure; what it ranks as similar must not outvote what the examples state.
    """
    liked = {name for image_id in query.like for name in _stated(examples[image_id])}
    unliked = {name for image_id in query.unlike for name in _stated(examples[image_id])}
    return tuple(sorted(liked - unliked))


def _preferred(understood: UnderstoodQuery, example_findings: Sequence[str], *, findings_only: bool) -> QueryMeaning:
    """Return what ranks a search that has nothing to match: words of a technique, and findings of the examples."""
    wanted = tuple((WantedFinding(name),) for name in example_findings)
    return replace(understood.preferred, wanted=wanted, findings_only=findings_only)


def _stated(stored: StoredImage) -> list[str]:
    readings = study_readings(stored.study)
    return [name for name, one in readings.items() if one.status is not Status.ABSENT and is_imaging(name)]


def _plan(
    understood: UnderstoodQuery,
    where: Filter,
    preferred: QueryMeaning,
    *,
    by_vector: bool,
    example_findings: Sequence[str] = (),
) -> SearchPlan:
    """Return the plan of a query; among what it counts is what it leaves out because a fact is unknown."""
    if understood.meaning is None:
        plan = plan_without_words(where, preferred)
    else:
        vector_only = understood.query.mode == "vector"
        terms = [term for name in example_findings for term in stated_terms(name)]
        plan = plan_words(understood.meaning, where, by_vector=by_vector, vector_only=vector_only, example_terms=terms)
    return replace(plan, count_filters={**plan.count_filters, **_of_left_out(plan, understood, where)})


def _of_left_out(plan: SearchPlan, understood: UnderstoodQuery, where: Filter) -> dict[CountName, Filter]:
    """Return the filters of what is left out because a view, a sex or an age is unknown, and of blank labels."""
    found = _of_unknown_patients(plan.result_filter)
    if understood.view_applied:
        found["of view or unknown"] = replace(plan.count_filters.get("full", where), view=(*where.view, "UNKNOWN"))
    if where.labels_absent:
        found["labels blank"] = replace(plan.result_filter, labels_blank=where.labels_absent)
    return found


def _of_unknown_patients(where: Filter) -> dict[CountName, Filter]:
    """Return the filters of what might match if the sex or the age that is asked for were recorded."""
    without_sex, without_age = {"sex": None, "lacks_sex": True}, {"age_from": None, "age_to": None, "lacks_age": True}
    found: dict[CountName, Filter] = {}
    if where.sex:
        found["sex unknown"] = replace(where, **without_sex)
    if where.age_from is not None or where.age_to is not None:
        found["age unknown"] = replace(where, **without_age)
    if len(found) > 1:
        found["patient unknown"] = replace(where, **without_sex, **without_age)
    return found


def _distinct(query: Query) -> Literal["study", "subject"] | None:
    return None if query.group == "none" else query.group


def _limit_warnings(understood: UnderstoodQuery) -> Iterator[str]:
    """Yield that a number of results in the words limits no selection."""
    if limit := understood.word_uses.get("limit"):
        yield f"The number of results {limit} was not applied: all images that match are selected."


def _filters(understood: UnderstoodQuery, where: Filter) -> dict[str, Any]:
    """Return the filters in force, be they given or named by the words; under `without` what the words rule out."""
    resolved = {
        **{name: value for name in _TEXT_FILTERS if (value := getattr(where, name)) is not None},
        "study_id": where.study_id,
        "subject_id": where.subject_id,
        "image_id": where.image_id,
        "view": list(understood.word_uses.get("view", [])) if understood.view_applied else [],
        "without": list(understood.word_uses.get("without", [])),
    }
    return understood.query.filters | {name: value for name, value in resolved.items() if value}


def _understood(search: IntermediateResults) -> Understood:
    return Understood(**search.understood.word_uses, embedded=search.embedded.text)


def _conditions(where: Filter, *, has_words: bool) -> Iterator[tuple[str, Filter]]:
    """Yield what a search needs of the archive, each with the line to say if no image has it."""
    if where.subject_id:
        yield f"The archive has no patient {where.subject_id}.", Filter(subject_id=where.subject_id)
    if where.study_id:
        yield f"The archive has no study {where.study_id}.", Filter(study_id=where.study_id)
    for label in where.labels:
        yield (
            f"No study has the label {label} as present; uncertain and absent values do not match.",
            Filter(labels=(label,)),
        )
    if where.labels_absent:
        names = ", ".join(where.labels_absent)
        yield (
            f"No labeled study lacks {names}; a table that lists only what is present makes no label absent.",
            Filter(labels_absent=where.labels_absent),
        )
    if where.split:
        known = ", ".join(SPLITS)
        yield f"No image has split {where.split}; a split is one of {known}.", Filter(split=where.split)
    if where.date_from or where.date_to:
        yield "No image of the archive has a study date.", Filter(date_from=FIRST_DATE)
    if where.sex:
        yield "No study of the archive has a recorded sex.", Filter(lacks_sex=False)
    if where.age_from is not None or where.age_to is not None:
        yield "No study of the archive has a recorded age.", Filter(lacks_age=False)
    if has_words:
        yield "No study of the archive has a report: words find labels and header fields only.", Filter(has_report=True)


def _past_the_end(search: IntermediateResults) -> list[str]:
    offset, total = search.query.offset, search.facts.total
    return [f"Offset {offset} is past the last result; use one below {total}."] if offset >= total else []


def _are_comparable(before: Fingerprint | None, after: Fingerprint | None) -> bool:
    """Whether the store's vectors were comparable before and after the query."""
    return before.is_comparable_with(after) if before and after else before is after
