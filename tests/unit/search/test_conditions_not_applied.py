"""Conditions in the words that are not applied: each is named, with the reason or the next step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_cxr.errors import QueryError
from tests.support.reported import numbers, reported, study_id

if TYPE_CHECKING:
    from mcp_cxr.records import SearchResult

STUDIES = [
    "FINDINGS: Left pneumothorax.",  # 1
    "FINDINGS: Small pneumothorax.",  # 2
    "FINDINGS: Pneumothorax.",  # 3
    "FINDINGS: No pneumothorax.",  # 4
]
NAME_A_PERIOD = "name one period, as in 'in 2018', 'since 2018-03-04' or 'before March 2018'."
NAME_A_FINDING = "name a finding, a device, a view or a label."


async def found(query: str) -> SearchResult:
    async with reported(STUDIES) as archive:
        return await archive.search(query)


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("pneumothorax in women over 60", "women aged 60 or over"),
        ("pneumothorax in men", "men"),
        ("a 45 year old with pneumothorax", "patients aged 45"),
    ],
)
async def test_sex_and_age_are_named_as_not_applied(query: str, named: str) -> None:
    page = await found(query)
    assert set(numbers(page)) == {1, 2, 3}
    assert page.understood is not None
    assert named in page.understood.ignored
    assert any(named in warning and "not applied" in warning for warning in page.warnings)


async def test_dates_in_the_words_are_named_as_not_applied_without_study_dates() -> None:
    page = await found("pneumothorax in 2019")
    assert set(numbers(page)) == {1, 2, 3}
    assert page.understood is not None
    assert page.understood.ignored == ["2019-01-01 to 2019-12-31"]
    assert "The archive has no study dates: '2019-01-01 to 2019-12-31' was not applied to any study." in page.warnings


@pytest.mark.parametrize(
    ("query", "date"),
    [
        ("pneumothorax not in 2018", "not in 2018"),
        ("pneumothorax, other than in 2018", "other than in 2018"),
        ("pneumothorax never in 2018", "never in 2018"),
        ("pneumothorax in 2012 or 2014", "2012 or 2014"),
    ],
)
async def test_dates_that_are_no_filter_are_named_as_not_applied(query: str, date: str) -> None:
    page = await found(query)
    assert page.understood is not None
    assert page.understood.ignored == [date]
    assert page.warnings == [f"'{date}' was not applied: {NAME_A_PERIOD}"]


@pytest.mark.parametrize(
    ("query", "condition"),
    [
        ("no effusion unless loculated", "unless loculated"),
        ("pneumothorax, not portable", "not portable"),
        ("pneumothorax, ETT too high", "too high"),
        ("pneumothorax in middle-aged men", "middle-aged"),
    ],
)
async def test_a_condition_that_nothing_can_hold_is_named_as_not_applied(query: str, condition: str) -> None:
    page = await found(query)
    assert page.understood is not None
    assert condition in page.understood.ignored
    assert f"'{condition}' was not applied to any study: no filter can hold it." in page.warnings


async def test_not_both_is_named_as_not_applied() -> None:
    page = await found("effusion or pneumothorax but not both")
    assert (
        "'not both' was not applied: studies with both match in full; search for one without the other."
        in page.warnings
    )


@pytest.mark.parametrize(
    ("query", "warning"),
    [
        (
            "pneumothorax, not p10000002",
            (
                "'not p10000002' was not applied: to leave out a patient, give one of the patient's images as"
                " exclude_subject_of."
            ),
        ),
        (
            "PA pneumothorax or AP effusion",
            "'PA pneumothorax or AP' was not applied: search for each of these separately.",
        ),
        (
            "pneumothorax, not portable or supine",
            "'not portable or supine' was not applied to any study: no filter can hold it.",
        ),
        ("pneumothorax >5cm", "'>5cm' was not applied to any study: no filter can hold it."),
        (
            "pneumothorax or not (effusion and edema)",
            "'or not (effusion and edema)' was not applied: search for 'not (effusion and edema)' separately.",
        ),
        (
            "pneumothorax on 03/04/2018",
            "'03/04/2018' was not applied: two days are possible; write 2018-03-04 or 2018-04-03.",
        ),
        (
            "pneumothorax on 13/14/2018",
            "'13/14/2018' was not applied: that is no day; write it as YYYY-MM-DD.",
        ),
        (
            "latest pneumothorax",
            "'latest' was not applied: a search by filters alone lists the newest studies first.",
        ),
    ],
)
async def test_a_condition_that_is_not_applied_has_a_next_step_if_there_is_one(query: str, warning: str) -> None:
    assert warning in (await found(query)).warnings


async def test_several_ids_that_are_not_applied_are_named_in_one_warning() -> None:
    page = await found(", ".join(study_id(number) for number in (1, 2, 3)))
    assert page.warnings == [
        f"'{study_id(2)}' and '{study_id(3)}' were not applied: one search takes one id; search for each id separately."
    ]


@pytest.mark.parametrize(
    ("query", "reason", "next_step"),
    [
        ("show films from the autumn of 2014", "No filter can hold 'autumn of 2014'", NAME_A_PERIOD),
        (
            "women over 60",
            "Sex and age are not recorded in this archive: 'women aged 60 or over' cannot be applied",
            NAME_A_FINDING,
        ),
        (
            "in 2019",
            "The archive has no study dates: '2019-01-01 to 2019-12-31' cannot be applied",
            NAME_A_FINDING,
        ),
        (
            "middle-aged men",
            "Sex is not recorded in this archive: 'men' cannot be applied. No filter can hold 'middle-aged'",
            NAME_A_FINDING,
        ),
    ],
)
async def test_a_query_of_nothing_but_what_cannot_be_applied_says_why(query: str, reason: str, next_step: str) -> None:
    with pytest.raises(QueryError) as raised:
        await found(query)
    assert str(raised.value) == f"{reason}; {next_step}"


@pytest.mark.parametrize(
    ("query", "warning"),
    [
        (
            "pneumothorax without",
            "'without' was not applied: it names nothing; write behind it what a study must not show.",
        ),
        ("how many pneumothoraces", "'how many' was not applied: the answer gives the number of studies that match."),
        ("show 150 pneumothoraces", "'150' was not applied: a page has at most 100 results; ask for the next page."),
        (
            "pneumothorax with both PA and lateral films",
            "'both PA and lateral films' was not applied: studies with one of the two views are found, too.",
        ),
        (
            "2 patients with pneumothorax",
            "The results are 2 studies, not patients: to get one result per patient, group by subject.",
        ),
    ],
)
async def test_a_condition_is_named_with_what_follows_from_it(query: str, warning: str) -> None:
    assert warning in (await found(query)).warnings


async def test_a_denied_patient_alone_is_an_error_that_names_the_argument() -> None:
    with pytest.raises(QueryError, match="exclude_subject_of"):
        await found("not p10000002")
