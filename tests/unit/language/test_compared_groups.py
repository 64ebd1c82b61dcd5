"""Queries of two groups of studies: alternatives if one search can find both, else the second is named."""

from __future__ import annotations

import pytest

from mcp_cxr.language.query import parse_query_text, read_text_filters

EFFUSION, EDEMA = "pleural effusion", "pulmonary edema"


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("compare nodules and masses", ["nodule", "mass"]),
        ("compare scars with granulomas", ["scar", "granuloma"]),
        ("comparison of emphysema and fibrosis", ["emphysema", "fibrosis"]),
        ("what is the difference between a nodule and a mass", ["nodule", "mass"]),
        ("the reader hedged between edema and fibrosis", [EDEMA, "fibrosis"]),
        ("scar versus nodule at the left apex", ["scar, left, apex", "nodule, left, apex"]),
        ("how to tell edema from fibrosis", [EDEMA, "fibrosis"]),
        ("small effusion versus large effusion", [f"{EFFUSION}, small", f"{EFFUSION}, large"]),
        ("left vs right effusion", [f"{EFFUSION}, left", f"{EFFUSION}, right"]),
        ("left mass compared to right mass", ["mass, left", "mass, right"]),
        ("upper vs lower lobe nodules", ["nodule, upper lobe", "nodule, lower lobe"]),
        ("films with masses and films with nodules", ["mass", "nodule"]),
        ("cases of a left mass and cases of a right mass", ["mass, left", "mass, right"]),
        ("patients with scars and those with granulomas", ["scar", "granuloma"]),
        ("one group with edema and one group with effusion", [EDEMA, EFFUSION]),
        ("two cohorts: nodules and masses", ["nodule", "mass"]),
        ("group 1: nodules; group 2: masses", ["nodule", "mass"]),
        ("show me nodules and then show me masses", ["nodule", "mass"]),
    ],
)
def test_two_groups_are_alternatives(query: str, names: list[str]) -> None:
    meaning = parse_query_text(query)
    assert [[one.description for one in group] for group in meaning.wanted] == [names]
    assert (meaning.ruled_out, meaning.words, meaning.not_applied) == ((), (), ())


@pytest.mark.parametrize(
    ("query", "wanted", "not_applied"),
    [
        ("mass with edema vs mass without edema", ["mass", EDEMA], "vs mass without edema"),
        ("compare nodules with edema to nodules without edema", ["nodule", EDEMA], "versus nodules without edema"),
        ("training set of scoliosis vs no scoliosis", ["scoliosis"], "vs no scoliosis"),
        ("mass with edema and mass without edema", ["mass", EDEMA], "versus mass without edema"),
        ("films with edema and films without edema", [EDEMA], "versus without edema"),
        ("mass present vs absent", ["mass"], "present vs absent"),
        ("presence or absence of edema", [EDEMA], "presence or absence"),
        ("positive and negative cases of fibrosis", ["fibrosis"], "positive and negative"),
    ],
)
def test_a_group_without_a_finding_is_named(query: str, wanted: list[str], not_applied: str) -> None:
    meaning = parse_query_text(query)
    assert [one.description for one in meaning.findings] == wanted
    assert (meaning.ruled_out, meaning.ruled_out_words, meaning.not_applied) == ((), (), (not_applied,))


def test_a_group_of_each_sex_is_named() -> None:
    text_filters = read_text_filters("men with masses and women with nodules")
    assert (text_filters.sex, text_filters.not_applied) == (None, ("men with masses and women with nodules",))
    assert [one.name for one in parse_query_text(text_filters.text).findings] == ["mass", "nodule"]


@pytest.mark.parametrize(
    ("query", "groups"),
    [
        ("two cases of edema and effusion", [[EDEMA], [EFFUSION]]),
        ("tell me which patients have edema and effusion", [[EDEMA], [EFFUSION]]),
        ("films with a mass and at least one of edema or effusion", [["mass"], [EDEMA, EFFUSION]]),
        ("scoliosis, edema versus pneumonia", [["scoliosis"], [EDEMA, "pneumonia"]]),
        ("masses with and without nodules", [["mass"]]),
        ("mass with versus without nodules", [["mass"]]),
        ("mass with vs without nodules", [["mass"]]),
        ("mass, larger compared with the prior film", [["mass, worse"]]),
        ("edema improved since the previous study", [[f"{EDEMA}, improved"]]),
        ("compared with the last film, new nodules", [["nodule, new"]]),
        ("opacity, not resolved since the last study", [["opacity, unchanged"]]),
        ("nodule, no different from last time", [["nodule, unchanged"]]),
        ("mass that was not there last time", [["mass, new"]]),
        ("scar and mass in the same lower lobe", [["scar, lower lobe"], ["mass, lower lobe"]]),
        ("scar with a mass at the same base", [["scar"], ["mass, base"]]),
    ],
)
def test_other_comparisons_name_no_groups(query: str, groups: list[list[str]]) -> None:
    meaning = parse_query_text(query)
    assert [[one.description for one in group] for group in meaning.wanted] == groups
    assert not meaning.ruled_out
