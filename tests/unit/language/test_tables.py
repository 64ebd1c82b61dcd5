"""The tables have valid values, a source for each row, and no phrase twice."""

from __future__ import annotations

import csv
from importlib import resources

import pytest

from mcp_cxr.language import ancestors, finding_entries, finding_of_label, mentions_in
from mcp_cxr.language._vocabulary import phrases_of_cell
from mcp_cxr.language.reader._sentences import divide_sentence
from mcp_cxr.records import LABELS

STATUSES = {"absent", "normal", "resolved", "possible", "history", "unstated", "present", "end"}
SCOPES = {"after", "before", "both", "nearest", "next", "previous"}
DIMENSIONS = {"side", "place", "size", "change", "age", "pattern"}


def table(name: str) -> list[dict[str, str]]:
    text = resources.files("mcp_cxr.language").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def split(cell: str) -> list[str]:
    return [part for part in cell.split("|") if part]


@pytest.mark.parametrize(
    "name", ["findings.csv", "structures.csv", "predicates.csv", "modifiers.csv", "cues.csv", "not_findings.csv"]
)
def test_every_row_has_all_cells_in_lower_case_phrases(name: str) -> None:
    for row in table(name):
        assert None not in row, row
        assert None not in row.values(), row
        for form in split(row.get("forms") or row.get("cue") or ""):
            assert form == form.lower().strip() != "", row
        if "source" in row:
            assert row["source"], row


@pytest.mark.parametrize(
    ("name", "column"),
    [("findings.csv", "forms"), ("structures.csv", "forms"), ("cues.csv", "cue"), ("not_findings.csv", "forms")],
)
def test_no_phrase_stands_twice(name: str, column: str) -> None:
    phrases = [form for row in table(name) for form in phrases_of_cell(row[column])]
    assert sorted(phrases) == sorted(set(phrases))


def test_shorthand_stands_for_other_words_and_no_form_twice() -> None:
    forms = [form.lower().removesuffix(".") for row in table("shorthand.csv") for form in split(row["forms"])]
    assert sorted(forms) == sorted(set(forms))
    for row in table("shorthand.csv"):
        assert row["words"] == row["words"].lower().strip() not in {"", *forms}, row
        assert row["source"], row


@pytest.mark.parametrize(
    "row", [row for row in table("modifiers.csv") if row["dimension"] in ("size", "change", "age")]
)
def test_no_name_hides_a_size_change_or_age(row: dict[str, str]) -> None:
    read = {form: divide_sentence(form, is_query=False).spans[0] for form in phrases_of_cell(row["forms"])}
    assert [form for form, span in read.items() if span.dimension != row["dimension"]] == []


def test_a_slash_stands_between_alternative_words() -> None:
    assert [*phrases_of_cell("is/are not seen|gone")] == ["is not seen", "are not seen", "gone"]


def test_findings_have_valid_kinds_labels_and_broader_findings_without_a_circle() -> None:
    rows = table("findings.csv")
    names = {row["finding"] for row in rows}
    assert len(names) == len(rows)
    assert {row["label"] for row in rows} - {""} == set(LABELS)
    for row in rows:
        assert row["kind"] in {"finding", "device", "clinical"}, row
        assert (row["shares_side"] in {"", "no"}, row["sized"] in {"", "yes"}) == (True, True), row
        assert {*split(row["broader"]), *split(row.get("related", ""))} <= names, row
        assert row["finding"] not in ancestors(row["finding"]), row


def test_predicates_name_structures_findings_and_statuses() -> None:
    rows = table("predicates.csv")
    silent = {"rest of the lungs"}  # "is clear" denies nothing of it
    assert {row["structure"] for row in rows} | silent == {row["structure"] for row in table("structures.csv")}
    for row in rows:
        assert set(split(row["finding"])) <= finding_entries().keys(), row
        assert row["status"] in {"present", "possible", "absent"}, row
        assert split(row["predicates"]), row


def test_modifiers_have_a_dimension_and_one_value_belongs_to_one() -> None:
    dimensions: dict[str, str] = {}
    for row in table("modifiers.csv"):
        assert row["dimension"] in DIMENSIONS, row
        for value in row["value"].split("+"):
            assert dimensions.setdefault(value, row["dimension"]) == row["dimension"], row


def test_cues_have_a_scope_if_they_apply_to_findings() -> None:
    for row in table("cues.csv"):
        assert row["status"] in STATUSES, row
        assert row["scope"] in (SCOPES if row["status"] not in {"present", "end"} else {""}), row


@pytest.mark.parametrize("label", LABELS)
def test_the_name_of_each_label_is_a_mention_of_its_finding(label: str) -> None:
    found = [one.finding for one in mentions_in(label) if one.finding]
    assert found == [finding_of_label(label)]
    assert found[0].label == label


def test_the_name_of_each_finding_is_a_mention_of_it() -> None:
    read = {name: {one.name for one in mentions_in(name, is_query=True)} for name in finding_entries()}
    assert {name: names for name, names in read.items() if name not in names} == {}


def test_emphysema_is_related_to_obstructive_disease_and_no_kind_of_it() -> None:
    assert "chronic obstructive pulmonary disease" not in ancestors("emphysema")
    assert "emphysema" in finding_entries()["chronic obstructive pulmonary disease"].related
