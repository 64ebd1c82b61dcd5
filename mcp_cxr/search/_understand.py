"""Understands a query: its words become findings, filters and a limit, and it reports how each word was used."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from mcp_cxr.errors import QueryError
from mcp_cxr.language import label_term, terms
from mcp_cxr.language.query import (
    Correction,
    QueryMeaning,
    TextFilters,
    is_english,
    is_known_word,
    one_edit_away,
    parse_query_text,
    read_text_filters,
)
from mcp_cxr.records import DefaultLimit, Filter, ImageId, StudyId, SubjectId
from mcp_cxr.search._check_arguments import positions_of
from mcp_cxr.search._conditions_not_applied import (
    is_other_view,
    limit_of_patients,
    not_applied,
    nothing_but_conditions,
    overridden,
    warnings_of_filters,
)
from mcp_cxr.search._ids_in_words import identified_by, listed_ids, with_stored_ids

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mcp_cxr.language.query import WantedFinding
    from mcp_cxr.search._check_arguments import Query
    from mcp_cxr.stores import Store

SearchableWords = Literal["archive", "findings"]
"""Which words a query may use: all that the archive's reports have, or those of findings and public labels only."""

FIRST_DATE = "0001-01-01"
_MOST_CLAUSES = 1_024
_FEWEST_LETTERS, _MOST_LETTERS = 5, 30  # of a word that is corrected by the archive's words


@dataclass(frozen=True, slots=True)
class UnderstoodQuery:
    """A query after its words were read."""

    query: Query
    """With the filters and the limit that the words name."""
    meaning: QueryMeaning | None = None
    """Of the words that remain; None if none do."""
    warnings: tuple[str, ...] = ()
    view_applied: bool = False
    """Whether the words name the view, and no argument does."""
    preferred: QueryMeaning = field(default_factory=QueryMeaning)
    """Words that rank and do not filter: "PA portable chest"."""
    word_uses: dict[str, Any] = field(default_factory=dict[str, Any])
    """For people: how each word was used."""


async def understand(query: Query, store: Store, searchable_words: SearchableWords) -> UnderstoodQuery:
    """Return what a query asks for.

    Args:
        query: Checked arguments.
        store: Holds the words of the archive.
        searchable_words: With `findings`, nothing of the result depends on the words of reports.

    Raises:
        QueryError: The words hold nothing to look for.
        StoreError: The store fails or was never made.
    """
    if not query.text:
        return UnderstoodQuery(query)
    named = await with_stored_ids(read_text_filters(query.text), store)
    filtered, text_filters = await _with_patient(_with_text_filters(query, named), named, store)
    filtered, text_filters = await _with_dates(filtered, text_filters, store)
    meaning = parse_query_text(text_filters.text) if text_filters.text else QueryMeaning()
    if meaning.clause_count > _MOST_CLAUSES:
        raise QueryError("The query has too many combinations of findings and sides; ask for fewer findings at a time.")
    unknown: tuple[str, ...] = ()
    if not meaning.is_empty:
        meaning, unknown = _places_once(*await _searchable(meaning, store, searchable_words))
    elif identified := await identified_by(text_filters.text, store):
        filtered = replace(filtered, where=_merged(filtered.where, identified))
        others = (*text_filters.other_ids, *listed_ids(text_filters.text)[1:])
        ids = identified.subject_id, identified.study_id, identified.image_id
        text_filters = TextFilters("", (), *ids, not_applied=text_filters.not_applied, other_ids=others)
    matches_nothing = bool(unknown or meaning.modifiers) and not _names_filter(text_filters)
    has_words = not meaning.is_empty or matches_nothing
    if not has_words and not _has_filter(filtered):
        raise QueryError(_nothing_to_look_for(query.text, meaning, text_filters))
    warnings = _warnings(query.text, text_filters, meaning, unknown, searchable_words)
    ranks_alone = meaning.only_technique and not unknown and _has_filter(filtered)
    return UnderstoodQuery(
        filtered,
        meaning if has_words and not ranks_alone else None,
        (*overridden(named, query.where), *limit_of_patients(named, filtered), *warnings),
        bool(text_filters.view_positions) and not query.where.view,
        meaning if ranks_alone else QueryMeaning(),
        _word_uses(filtered, text_filters, meaning, unknown, is_view_overridden=is_other_view(named, query.where))
        | _applied(named, text_filters, filtered.where),
    )


def _with_text_filters(query: Query, text_filters: TextFilters) -> Query:
    """Return the query with the views, ids and limit that its words name; arguments that are given win."""
    where = query.where
    if text_filters.view_positions and not where.view:
        where = replace(where, view=positions_of(text_filters.view_positions))
    ids = Filter(
        subject_id=SubjectId(text_filters.subject_id) if text_filters.subject_id else None,
        study_id=StudyId(text_filters.study_id) if text_filters.study_id else None,
        image_id=ImageId(text_filters.image_id) if text_filters.image_id else None,
    )
    limit = text_filters.limit if text_filters.limit and isinstance(query.limit, DefaultLimit) else query.limit
    return replace(query, where=_merged(where, ids), limit=limit)


async def _with_patient(query: Query, text_filters: TextFilters, store: Store) -> tuple[Query, TextFilters]:
    """Return the query with the sex and age that its words name, and the filters without them.

    What the archive does not record stays among the filters. Arguments that are given win.
    """
    where = query.where
    if text_filters.sex and await store.count(Filter(lacks_sex=False)):
        where = replace(where, sex=where.sex or text_filters.sex)
        text_filters = replace(text_filters, sex=None)
    asks_age = text_filters.age_from is not None or text_filters.age_to is not None
    if asks_age and await store.count(Filter(lacks_age=False)):
        if where.age_from is None and where.age_to is None:
            where = replace(where, age_from=text_filters.age_from, age_to=text_filters.age_to)
        text_filters = replace(text_filters, age_from=None, age_to=None)
    return replace(query, where=where), text_filters


async def _with_dates(query: Query, text_filters: TextFilters, store: Store) -> tuple[Query, TextFilters]:
    """Return the query with the study dates that its words name, and the filters without them.

    If the archive has no dates, they stay among the filters. Arguments that are given win.
    """
    if not text_filters.date_words or not await store.count(Filter(date_from=FIRST_DATE)):
        return query, text_filters
    where = query.where
    if not where.date_from and not where.date_to:
        where = replace(where, date_from=text_filters.date_from, date_to=text_filters.date_to)
    return replace(query, where=where), replace(text_filters, date_from=None, date_to=None)


def _merged(where: Filter, ids: Filter) -> Filter:
    return replace(
        where,
        subject_id=where.subject_id or ids.subject_id,
        study_id=where.study_id or ids.study_id,
        image_id=where.image_id or ids.image_id,
    )


async def _searchable(
    meaning: QueryMeaning, store: Store, searchable_words: SearchableWords
) -> tuple[QueryMeaning, tuple[str, ...]]:
    """Return the meaning with the words that may be searched for, and those that are left out."""
    if searchable_words == "findings":
        return meaning.imaging_only(await _label_words(meaning, store))
    return await _with_known_words(meaning, store)


def _places_once(meaning: QueryMeaning, unknown: tuple[str, ...]) -> tuple[QueryMeaning, tuple[str, ...]]:
    """Return each place that stands alone either as a word, if the archive has it, or as a modifier of no finding."""
    places = tuple(one for one in meaning.modifiers if one not in meaning.words)
    return replace(meaning, modifiers=places), tuple(word for word in unknown if word not in places)


async def _with_known_words(meaning: QueryMeaning, store: Store) -> tuple[QueryMeaning, tuple[str, ...]]:
    """Return the meaning with the words that the archive has, and the words that occur nowhere."""
    if not meaning.words:
        return meaning, ()
    meaning = await _with_words_as_typed(meaning, store)
    stems = {word: terms(word) for word in meaning.words}
    known = await store.term_counts([stem for found in stems.values() for stem in found])
    unknown = [word for word, found in stems.items() if not any(stem in known for stem in found)]
    kept = [
        one for one in meaning.corrections if len(one.candidates) == 1 or one.typed not in stems or one.typed in unknown
    ]
    asked = {one.typed for one in kept}
    corrections = [one for word in unknown if word not in asked and (one := await _corrected_by_archive(word, store))]
    taken = {one.typed: one.candidates[0] for one in corrections if len(one.candidates) == 1}
    words = tuple(taken.get(word, word) for word in meaning.words if word in taken or word not in unknown)
    still_unknown = tuple(word for word in unknown if word not in taken)
    return (
        replace(meaning, words=words, unknown_words=still_unknown, corrections=(*kept, *corrections)),
        still_unknown,
    )


async def _with_words_as_typed(meaning: QueryMeaning, store: Store) -> QueryMeaning:
    """Return the meaning without corrections of words that the archive has to words that it does not have."""
    single = {one.candidates[0]: one for one in meaning.corrections if len(one.candidates) == 1}
    corrected = {word: single[word] for word in meaning.words if word in single}
    if not corrected:
        return meaning
    pairs = [(word, one.typed) for word, one in corrected.items()]
    known = await store.term_counts([stem for pair in pairs for word in pair for stem in terms(word)])
    wrong = {
        word: typed
        for word, typed in pairs
        if any(stem in known for stem in terms(typed)) and not any(stem in known for stem in terms(word))
    }
    return replace(
        meaning,
        words=tuple(wrong.get(word, word) for word in meaning.words),
        corrections=tuple(one for one in meaning.corrections if one.candidates[0] not in wrong),
    )


async def _label_words(meaning: QueryMeaning, store: Store) -> list[str]:
    """Return the words that public labels of the archive have."""
    stems = {word: [label_term(one) for one in terms(word)] for word in (*meaning.words, *meaning.ruled_out_words)}
    if not stems:
        return []
    known = await store.term_counts([term for found in stems.values() for term in found])
    return [word for word, found in stems.items() if found and all(term in known for term in found)]


async def _corrected_by_archive(word: str, store: Store) -> Correction | None:
    """Return what a word that no document has may stand for: a word of the archive that is one edit away.

    A word of everyday English stands for itself, and a word of one document that nothing knows may be a misspelling.
    """
    if not _FEWEST_LETTERS <= len(word) <= _MOST_LETTERS or not word.isalpha() or not word.isascii():
        return None
    if is_known_word(word):
        return None
    nearest = sorted(one_edit_away(word), key=len, reverse=True)  # of the forms of one stem, the shortest is named
    by_stem = {stem: near for near in nearest for stem in terms(near)}
    counts = await store.term_counts(list(by_stem))
    found = sorted(by_stem[stem] for stem, count in counts.items() if count > 1 or is_known_word(by_stem[stem]))
    return Correction(word, tuple(found)) if found else None


def _warnings(
    text: str,
    text_filters: TextFilters,
    meaning: QueryMeaning,
    unknown: tuple[str, ...],
    searchable_words: SearchableWords,
) -> tuple[str, ...]:
    found = list(_warnings_of_meaning(meaning))
    asked = {one.typed for one in meaning.corrections}
    if not_asked := [word for word in unknown if word not in asked]:
        names = ", ".join(map(repr, not_asked))
        found.append(
            f"No report, label or tag states {names} as present; ignored in this search."
            if searchable_words == "archive"
            else f"Without report text, only imaging findings, devices and labels are searched; ignored: {names}."
        )
    is_named = bool(meaning.wanted or meaning.judgment) or len(meaning.words) > len(unknown)
    is_foreign = not is_english(text) and bool(unknown or meaning.wanted or not meaning.words)
    may_be_foreign = not is_named and not all(map(is_known_word, not_asked)) and searchable_words == "archive"
    if is_foreign or may_be_foreign:
        found.append("Reports are read in English, so ask in English; other words match only as they are written.")
    return (*found, *warnings_of_filters(text_filters, meaning.not_applied))


def _warnings_of_meaning(meaning: QueryMeaning) -> Iterator[str]:
    """Yield what was corrected, and what of the words matches nothing in any archive."""
    for one in meaning.corrections:
        if len(one.candidates) == 1:
            yield f"Searched for {one.candidates[0]!r} instead of {one.typed!r}."
        else:
            yield f"{one.typed!r} is not known. Did you mean {' or '.join(map(repr, one.candidates))}?"
    if contradictions := meaning.contradictions:
        names = ", ".join(repr(one.description) for one in contradictions)
        yield f"The query asks for {names} and rules it out: no study can match. Take one of the two out of the query."
    if meaning.changes_denied:
        yield f"{_only_changes_denied(meaning)}, so it was not searched for."
    if meaning.modifiers:
        qualifiers = ", ".join(map(repr, meaning.modifiers))
        yield f"{qualifiers} matched nothing: add the finding, as in 'left pleural effusion'."


def _only_changes_denied(meaning: QueryMeaning) -> str:
    return f"Only a change is denied of {', '.join(map(repr, meaning.changes_denied))}"


def _nothing_to_look_for(text: str, meaning: QueryMeaning, text_filters: TextFilters) -> str:
    if message := nothing_but_conditions(meaning, text_filters):
        return message
    if meaning.changes_denied:
        name = meaning.changes_denied[0]
        return f"{_only_changes_denied(meaning)}. Ask for '{name}', 'no {name}' or 'unchanged {name}'."
    if not is_english(text):
        return "Reports are read in English. Name a finding, a device, a view or a label in English."
    return "The query has no searchable word; name a finding, a device, a view or a label."


def _names_filter(text_filters: TextFilters) -> bool:
    return bool(
        text_filters.view_positions or text_filters.subject_id or text_filters.study_id or text_filters.image_id
    )


def _has_filter(query: Query) -> bool:
    return query.where != Filter() or bool(query.like or query.like_files or query.exclude_subject_of)


def _described(group: Sequence[WantedFinding]) -> str:
    names = " or ".join(dict.fromkeys(one.description for one in group))
    return f"{names}, possible ones first" if any(one.is_hedged for one in group) else names


def _applied(named: TextFilters, not_applied: TextFilters, where: Filter) -> dict[str, str]:
    """Return the filters on patients and dates that are in force where the words name some, for people."""
    in_force = TextFilters(
        "",
        sex=where.sex,
        age_from=where.age_from,
        age_to=where.age_to,
        date_from=where.date_from,
        date_to=where.date_to,
    )
    found = dict[str, str]()
    if named.patient_words and in_force.patient_words:
        found["patients"] = in_force.patient_words
    if named.date_words and not not_applied.date_words:
        found["dates"] = in_force.date_words
    return found


def _word_uses(
    filtered: Query,
    text_filters: TextFilters,
    meaning: QueryMeaning,
    unknown: tuple[str, ...],
    *,
    is_view_overridden: bool,
) -> dict[str, Any]:
    """Return how each word was used; `embedded` is added when it is known."""
    ids = [value for value in (text_filters.subject_id, text_filters.study_id, text_filters.image_id) if value]
    word_uses: dict[str, Any] = {
        "findings": list(map(_described, meaning.wanted)) or ([meaning.judgment] if meaning.judgment else []),
        "without": [*(one.description for one in meaning.ruled_out), *meaning.ruled_out_words],
        "words": list(meaning.words),
        "view": [] if is_view_overridden else list(text_filters.view_positions),
        "ids": ids,
        "corrected": {one.typed: one.candidates[0] for one in meaning.corrections if len(one.candidates) == 1},
        "ignored": [
            *meaning.modifiers,
            *meaning.changes_denied,
            *unknown,
            *filter(None, [text_filters.patient_words, text_filters.date_words]),
            *not_applied(meaning, text_filters),
        ],
    }
    if text_filters.limit and text_filters.limit == filtered.limit:
        word_uses["limit"] = filtered.limit
    return word_uses
