"""Plans a search by words: which studies match in full or in part, which are left out, and in which order they come."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain, product
from typing import TYPE_CHECKING, Literal

from mcp_cxr.language import (
    READ_FINDINGS_TERM,
    READ_TERM,
    combinations,
    context_term,
    finding_term,
    stated_terms,
    wording_term,
)
from mcp_cxr.language.query import is_general_word
from mcp_cxr.records import Filter, TermClause

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mcp_cxr.language import TermKind
    from mcp_cxr.language.query import QueryMeaning, WantedFinding
    from mcp_cxr.records import Matched

CountName = Literal[
    "full",
    "present",
    "stated",
    "unknown",
    "denied",
    "conflicting",
    "all",
    "of view or unknown",
    "labels blank",
    "sex unknown",
    "age unknown",
    "patient unknown",
]
"""What a page of results counts; `counts` makes the numbers that are shown of it."""

_PRESENT: tuple[TermKind, ...] = ("present",)
_STATED: tuple[TermKind, ...] = ("present", "possible")


@dataclass(frozen=True, slots=True)
class Tier:
    """Studies that come before those of the next tier."""

    where: Filter
    matched: Matched
    ranked_by_words: bool = True
    """Whether the query's terms rank it, beside vectors; else vectors alone, or the date."""


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """Which studies a search looks for, and in which order; made once, and never changed."""

    tiers: tuple[Tier, ...]
    """In their order; a study belongs to the first one that it passes."""
    terms: tuple[str, ...]
    """What studies are ranked by in the full-text index."""
    by_presence: bool
    """Whether each of them counts by its presence alone, as `Store.match` says."""
    result_filter: Filter
    """All results: what can be paged through."""
    count_filters: dict[CountName, Filter]
    """Filters whose hits are counted for `SearchResult.counts` and the warnings; none without words."""


def plan_without_words(where: Filter, preferred: QueryMeaning) -> SearchPlan:
    """Return the plan of a search by filters alone or by examples; what is preferred ranks and leaves nothing out."""
    terms_ = tuple(dict.fromkeys(_stated_terms(preferred)))
    tiers = (Tier(where, "full"),) if terms_ else ()
    return SearchPlan((*tiers, Tier(where, "full", ranked_by_words=False)), terms_, preferred.findings_only, where, {})


def plan_words(
    meaning: QueryMeaning,
    where: Filter,
    *,
    by_vector: bool,
    vector_only: bool = False,
    example_terms: Sequence[str] = (),
) -> SearchPlan:
    """Return the plan of a search by words.

    Args:
        meaning: Of the words.
        where: The filters.
        by_vector: Whether vectors rank too: then studies that no word matches follow those that match.
        vector_only: Whether vectors alone rank, in one tier.
        example_terms: Terms to rank by beside those of the words: the findings that the examples state.
    """
    allowed = _with(where, _ruled_out(meaning))
    if meaning.only_rules_out:
        plan = _plan_denial(meaning, where, allowed)
        alone = (Tier(allowed, "no", ranked_by_words=False),)
        return replace(plan, tiers=alone, terms=()) if vector_only else plan
    denied = _left_out_if_all_denied(meaning)
    base = _with(allowed, [TermClause(or_lacks=denied)] if denied else [])
    stated, weak = _stated_terms(meaning), _weak_terms(meaning)
    filters: dict[CountName, Filter] = {
        "present": _with(base, _clauses(meaning, _PRESENT)),
        "full": _with(base, _clauses(meaning, _STATED)),
        "stated": _with(base, [TermClause(any_of=stated)] if meaning.wanted else _clauses(meaning, _STATED)),
        "unknown": _with(base, [TermClause(or_lacks=(_read_term(meaning),))]),
        "all": base,
        "denied": _with(allowed, [TermClause(any_of=(term,)) for term in denied] or [TermClause()]),
        "conflicting": _with(where, [TermClause(any_of=_conflict_terms(meaning))]),
    }
    return SearchPlan(
        (Tier(base, "no", ranked_by_words=False),) if vector_only else _tiers(meaning, filters, by_vector=by_vector),
        () if vector_only else tuple(dict.fromkeys([*_rank_terms(meaning), *example_terms])),
        meaning.findings_only,
        base if by_vector else _with(base, [TermClause(any_of=(*stated, *weak))]),
        filters,
    )


def _tiers(meaning: QueryMeaning, filters: Mapping[CountName, Filter], *, by_vector: bool) -> tuple[Tier, ...]:
    """Return the tiers of a query that asks for something: full matches, those in part, and then what else is ranked.

    Args:
        meaning: Of the words.
        filters: Those that are counted.
        by_vector: As `plan_words` has it.
    """
    base, full = filters["all"], filters["full"]
    tiers = [Tier(_with(full, _not_sure(meaning)), "full")] if meaning.is_hedged else []
    tiers += [Tier(filters["present"], "full"), Tier(full, "full")]
    tiers += [Tier(_with(base, map(TermClause, group_terms)), "part") for group_terms in meaning.terms_in_part()]
    if sure := [finding_term("present", wanted.name) for wanted in meaning.findings if not wanted.in_history]:
        tiers.append(Tier(_with(base, [TermClause(any_of=tuple(sure))]), "part"))
    if meaning.wanted:
        tiers.append(Tier(filters["stated"], "part"))
    if by_vector:
        tiers += [
            Tier(filters["unknown"], "unknown", ranked_by_words=False),
            Tier(base, "no", ranked_by_words=False),
        ]
    elif weak := _weak_terms(meaning):
        tiers.append(Tier(_with(base, [TermClause(any_of=weak)]), "no"))
    return tuple(tiers)


def _plan_denial(meaning: QueryMeaning, where: Filter, allowed: Filter) -> SearchPlan:
    """Return the plan of a query that only rules out findings.

    First come the studies that deny them, then those that do not mention them, then those without report or labels.
    """
    denials = list(dict.fromkeys(term for wanted in meaning.ruled_out for term in wanted.denial_terms))
    denying = _with(allowed, [TermClause(any_of=(term,)) for term in denials])
    read_term = _read_term(meaning)
    without_report_or_labels = _with(allowed, [TermClause(or_lacks=(read_term,))])
    with_report_or_labels = _with(allowed, [TermClause(any_of=(read_term,))])
    tiers = [Tier(denying, "full", ranked_by_words=bool(denials))] if denials else []
    tiers += [
        Tier(with_report_or_labels, "no", ranked_by_words=False),
        Tier(without_report_or_labels, "unknown", ranked_by_words=False),
    ]
    none = _with(where, [TermClause()])
    matching = denying if denials else none
    return SearchPlan(
        tuple(tiers),
        tuple(denials),
        meaning.findings_only,
        allowed,
        {
            "present": matching,
            "full": matching,
            "stated": matching,
            "unknown": without_report_or_labels,
            "all": allowed,
            "denied": none,
            "conflicting": _with(where, [TermClause(any_of=_conflict_terms(meaning))]),
        },
    )


def _read_term(meaning: QueryMeaning) -> str:
    return READ_FINDINGS_TERM if meaning.findings_only else READ_TERM


def matched_by_terms(plan: SearchPlan, terms: frozenset[str]) -> Matched:
    """Return how far a study with these terms matches a query that vectors alone rank."""
    if _holds(plan.count_filters["full"], terms):
        return "full"
    if _holds(plan.count_filters["stated"], terms):
        return "part"
    return "unknown" if _holds(plan.count_filters["unknown"], terms) else "no"


def _holds(where: Filter, terms: frozenset[str]) -> bool:
    return all(not terms.isdisjoint(clause.any_of) or not terms.issuperset(clause.or_lacks) for clause in where.clauses)


def counts(found: dict[CountName, int]) -> dict[str, int]:
    """Return the counts that a result shows, from how many images, studies or subjects pass each filter."""
    return {
        "present": found["present"],
        "possible": found["full"] - found["present"],
        "part": found["stated"] - found["full"],
        "unknown": found["unknown"],
        "silent": max(found["all"] - found["stated"] - found["unknown"], 0),
        "denied": found["denied"],
        "conflicting": found["conflicting"],
    }


def _with(where: Filter, clauses: Iterable[TermClause]) -> Filter:
    return replace(where, clauses=tuple(dict.fromkeys((*where.clauses, *clauses))))


def _clauses(meaning: QueryMeaning, kinds: Sequence[TermKind]) -> list[TermClause]:
    return [TermClause(any_of=terms) for terms in meaning.required_terms(kinds)]


def _ruled_out(meaning: QueryMeaning) -> list[TermClause]:
    """Return conditions that keep out studies that state what is ruled out, or whose report and labels disagree."""
    found = [clause for wanted in meaning.ruled_out for clause in _not_stated(wanted, _STATED)]
    found += [TermClause(or_lacks=(finding_term("conflict", wanted.name),)) for wanted in meaning.ruled_out]
    return [*found, *(TermClause(or_lacks=(stem,)) for stem in meaning.ruled_out_stems)]


def _left_out_if_all_denied(meaning: QueryMeaning) -> tuple[str, ...]:
    """Return the terms of a study that denies all the wanted findings, on the sides that are asked for, else on both.

    Empty, so that no denial leaves a study out, if a finding is wanted as resolved or in the history.
    """
    if any(one.in_history or one.is_resolved for one in meaning.findings):
        return ()
    anywhere = (finding_term("absent", name) for name in meaning.names)  # "no left, small right effusion" has none
    return tuple(dict.fromkeys([*anywhere, *(term for one in meaning.findings for term in one.denial_terms)]))


def _not_stated(wanted: WantedFinding, kinds: Sequence[TermKind]) -> list[TermClause]:
    """Return conditions that keep out studies that state a finding: each lacks one of the terms that state it.

    For "bilateral small effusion" a study lacks `0iseffusion|left|small` or lacks `0iseffusion|right|small`.
    """
    return [TermClause(or_lacks=choice) for choice in product(*wanted.required_terms(kinds))]


def _not_sure(meaning: QueryMeaning) -> list[TermClause]:
    """Return conditions that keep out studies in which a finding that is wanted as possible is present."""
    return [clause for wanted in meaning.findings if wanted.is_hedged for clause in _not_stated(wanted, _PRESENT)]


def _stated_terms(meaning: QueryMeaning) -> tuple[str, ...]:
    """Return terms of which a study has at least one if it states any part of what is wanted.

    Of words that name no finding, those that are no part of many names and no view.
    """
    if meaning.judgment:
        return tuple(term for terms in meaning.required_terms(_STATED) for term in terms)
    if not meaning.wanted:
        telling = tuple(stem for stem in meaning.word_stems if not is_general_word(stem))
        return telling if telling or meaning.unknown_words else meaning.word_stems
    found: list[str] = []
    for wanted in meaning.findings:
        names = (wanted.name, *wanted.related)
        found += (
            [finding_term("history", wanted.name)]
            if wanted.in_history
            else chain.from_iterable(map(stated_terms, names))
        )
        if wanted.is_resolved:
            found.append(finding_term("present", wanted.name, frozenset({"resolved"})))
    return tuple(dict.fromkeys(found))


def _rank_terms(meaning: QueryMeaning) -> list[str]:
    """Return the terms to rank by: the findings with their modifiers, the findings without, and the remaining words."""
    found: list[str] = []
    for wanted in meaning.findings:
        found += chain.from_iterable(wanted.required_terms(_STATED))
        names = (wanted.name, *wanted.related)
        found += [
            term for some in combinations(wanted.modifiers) for name in names for term in stated_terms(name, some)
        ]
        if not meaning.findings_only:
            found.append(wording_term(wanted.own_stems))
    return [*found, *_stated_terms(meaning), *meaning.word_stems, *_weak_terms(meaning)]


def _weak_terms(meaning: QueryMeaning) -> tuple[str, ...]:
    """Return terms that rank and never match: indication and history, and single words."""
    if meaning.findings_only:
        return () if meaning.wanted or meaning.judgment else _stated_terms(meaning)
    history = [finding_term("history", wanted.name) for wanted in meaning.findings]
    words = (
        [one for stem in _stated_terms(meaning) for one in (stem, context_term(stem))] if meaning.words_alone else []
    )
    own = [stem for wanted in meaning.findings for stem in wanted.own_stems if not is_general_word(stem)]
    return tuple(dict.fromkeys([*history, *words, *own]))


def _conflict_terms(meaning: QueryMeaning) -> tuple[str, ...]:
    names = [
        *meaning.names,
        *(wanted.name for wanted in meaning.ruled_out),
        *(["no finding"] if meaning.judgment else []),
    ]
    return tuple(finding_term("conflict", name) for name in names)
