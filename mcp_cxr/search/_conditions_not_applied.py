"""Says which conditions in the words of a query are not applied, why, and what to do instead."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from mcp_cxr.language.query import TextFilters, read_text_filters
from mcp_cxr.search._check_arguments import MAX_LIMIT, positions_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mcp_cxr.language.query import QueryMeaning
    from mcp_cxr.records import Filter
    from mcp_cxr.search._check_arguments import Query

_MONTHS = 12
_NAME_A_PERIOD = "name one period, as in 'in 2018', 'since 2018-03-04' or 'before March 2018'"
_NAME_A_FINDING = "name a finding, a device, a view or a label"
_DENIED_PATIENT = re.compile(r"^.*\sp\d{8}$", re.IGNORECASE)
_NEXT_STEPS = (
    (re.compile(r"^not both$", re.IGNORECASE), "studies with both match in full; search for one without the other"),
    (
        re.compile(
            r"^(?:(?:vs|versus)\b|(?:present|presence|positive) \w+\.? (?:absent|absence|negative))", re.IGNORECASE
        ),
        "search for each group separately",
    ),
    (_DENIED_PATIENT, "to leave out a patient, give one of the patient's images as exclude_subject_of"),
    (
        re.compile(
            r"\b(?:without|no|not|any|minus|excluding|except(?: for)?|(?:other|rather) than|(?:apart|aside) from"
            r"|instead of)$",
            re.IGNORECASE,
        ),
        "it names nothing; write behind it what a study must not show",
    ),
    (re.compile(r"^how many", re.IGNORECASE), "the answer gives the number of studies that match"),
    (re.compile(r"^both ", re.IGNORECASE), "studies with one of the two views are found, too"),
)
"""What follows from conditions that are not applied, or what to do instead."""
_NEWEST = ("latest", "newest", "most recent")
_TWO_DAYS = re.compile(r"(\d\d?)[/.-](\d\d?)[/.-](\d{4})")
"""A date that two countries read differently."""
_DENIED_ALTERNATIVE = re.compile(r"or ((?:no|not|without)\b.*)", re.IGNORECASE)


def not_applied(meaning: QueryMeaning, text_filters: TextFilters) -> tuple[str, ...]:
    """Return the conditions in the words that no filter can hold."""
    return (
        *text_filters.unread_dates,
        *text_filters.other_ids,
        *meaning.not_applied,
        *text_filters.not_applied,
    )


def overridden(named: TextFilters, given: Filter) -> Iterator[str]:
    """Yield which filters that the words name are not applied, because an argument gives another value."""
    if is_other_view(named, given):
        yield f"'{' or '.join(named.view_positions)}' was not applied: the argument view is given."
    if named.sex and given.sex and named.sex != given.sex:
        sex = replace(named, age_from=None, age_to=None).patient_words
        yield f"'{sex}' was not applied: the argument sex is given."
    ages, dates = (named.age_from, named.age_to), (named.date_from, named.date_to)
    if any(age is not None for age in ages) and (given.age_from, given.age_to) not in (ages, (None, None)):
        age = replace(named, sex=None).patient_words
        yield f"'{age}' was not applied: the argument age_from or age_to is given."
    if any(dates) and (given.date_from, given.date_to) not in (dates, (None, None)):
        yield f"'{named.date_words}' was not applied: the argument date_from or date_to is given."


def limit_of_patients(named: TextFilters, query: Query) -> Iterator[str]:
    """Yield that a number of patients in the words limits studies."""
    if named.counts_patients and query.limit == named.limit != 1 and query.group == "study":
        yield f"The results are {named.limit} studies, not patients: to get one result per patient, group by subject."


def is_other_view(named: TextFilters, given: Filter) -> bool:
    """Return whether the words name a view, and an argument names another."""
    return bool(named.view_positions and given.view) and {*positions_of(named.view_positions)} != {*given.view}


def warnings_of_filters(text_filters: TextFilters, conditions: Sequence[str]) -> Iterator[str]:
    """Yield which conditions in the words are not applied: those that the archive or no filter can hold.

    Args:
        text_filters: What of the words is left: dates, sex and age that the archive does not record.
        conditions: Others that no filter can hold.
    """
    for reason, words in _not_recorded(text_filters):
        yield f"{reason}: '{words}' was not applied to any study."
    if ids := text_filters.other_ids:
        yield f"{_not_applied(ids)}: one search takes one id; search for each id separately."
    for condition in (*conditions, *text_filters.not_applied):
        yield f"{_not_applied([condition])}{_next_step(condition) or ' to any study: no filter can hold it'}."
    if dates := text_filters.unread_dates:
        yield f"{_not_applied(dates)}: {_other_date(dates)}."


def nothing_but_conditions(meaning: QueryMeaning, text_filters: TextFilters) -> str | None:
    """Return the error for words that name only conditions that cannot be applied; None if they name none."""
    reasons = [f"{reason}: '{words}' cannot be applied" for reason, words in _not_recorded(text_filters)]
    conditions = not_applied(meaning, text_filters)
    if len(conditions) == 1 and _DENIED_PATIENT.fullmatch(conditions[0]):
        return f"{_not_applied(conditions)}{_next_step(conditions[0])}."
    if conditions:
        reasons.append(f"No filter can hold {_quoted(conditions)}")
    is_date = bool(conditions) and conditions == text_filters.unread_dates
    return f"{'. '.join(reasons)}; {_other_date(conditions) if is_date else _NAME_A_FINDING}." if reasons else None


def _not_recorded(text_filters: TextFilters) -> Iterator[tuple[str, str]]:
    """Yield what the archive does not record, and what the words say of it."""
    if text_filters.date_words:
        yield "The archive has no study dates", text_filters.date_words
    if text_filters.patient_words:
        has_age = text_filters.age_from is not None or text_filters.age_to is not None
        facts = ("Sex and age are" if text_filters.sex else "Age is") if has_age else "Sex is"
        yield f"{facts} not recorded in this archive", text_filters.patient_words


def _other_date(dates: Sequence[str]) -> str:
    """Return what to write instead of dates that are no period."""
    if len(dates) == 1 and dates[0].lower() in _NEWEST:
        return "a search by filters alone lists the newest studies first"
    found = _TWO_DAYS.fullmatch(dates[0]) if len(dates) == 1 else None
    if found is None:
        return _NAME_A_PERIOD
    one, other, year = (int(number) for number in found.groups())
    if max(one, other) > _MONTHS or not min(one, other):
        return "that is no day; write it as YYYY-MM-DD"
    return f"two days are possible; write {year}-{one:02}-{other:02} or {year}-{other:02}-{one:02}"


def _next_step(condition: str) -> str:
    """Return what follows from a condition that is not applied, or what to do instead; empty if nothing does."""
    if condition.isdigit() and int(condition) > MAX_LIMIT:
        return f": a page has at most {MAX_LIMIT} results; ask for the next page"
    for pattern, step in _NEXT_STEPS:
        if pattern.search(condition):
            return f": {step}"
    alternatives = re.split(r"\s+or\s+", condition)
    if len(alternatives) > 1 and all(map(_is_filter, alternatives)):
        return ": search for each of these separately"
    if found := _DENIED_ALTERNATIVE.fullmatch(condition):
        return f": search for '{found[1]}' separately"
    return ""


def _is_filter(words: str) -> bool:
    """Whether words name a view, sex or age that a search can be limited to."""
    found = read_text_filters(words)
    return bool(found.view_positions or found.patient_words) and not found.not_applied


def _not_applied(conditions: Sequence[str]) -> str:
    return f"{_quoted(conditions)} {'was' if len(conditions) == 1 else 'were'} not applied"


def _quoted(names: Sequence[str]) -> str:
    return " and ".join(f"'{name}'" for name in names)
