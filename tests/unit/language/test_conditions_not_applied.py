"""Conditions in a query that contradict each other, and those that findings and filters cannot hold."""

from __future__ import annotations

import pytest

from mcp_cxr.language.query import parse_query_text


@pytest.mark.parametrize(
    ("query", "contradictions"),
    [
        ("no mass and mass", ["mass"]),
        ("no mass, mass", ["mass"]),
        ("without a scar, but with a scar", ["scar"]),
        ("no left mass, left mass", ["mass, left"]),
        ("normal heart size and cardiomegaly", ["cardiomegaly"]),
        ("cardiomegaly with a normal heart", ["cardiomegaly"]),
        ("hilar enlargement with normal hila", ["hilar enlargement"]),
        ("rib fracture, ribs intact", ["rib fracture"]),
        ("small mass but not small", ["mass, small"]),
        ("severe edema, not severe", ["pulmonary edema, severe"]),
        ("mass and mass absent", ["mass"]),
        ("mass present but mass absent", ["mass"]),
        ("heart was normal, now cardiomegaly", []),
        ("normal heart size or mild cardiomegaly", []),
        ("tortuous aorta, otherwise normal aorta", []),
        ("bones intact but an old fracture", []),
        ("large mass, not small", []),
        ("cardiomegaly or normal heart size", []),
        ("effusion despite sharp costophrenic angles", []),
    ],
)
def test_a_finding_both_wanted_and_denied_is_a_contradiction_in_any_order(
    query: str, contradictions: list[str]
) -> None:
    assert [one.description for one in parse_query_text(query).contradictions] == contradictions


@pytest.mark.parametrize("query", ["mass present scar absent", "scar absent mass present", "mass yes scar no"])
def test_a_status_ends_a_finding_without_a_comma(query: str) -> None:
    parsed = parse_query_text(query)
    assert [one.name for one in parsed.findings] == ["mass"]
    assert [one.name for one in parsed.ruled_out] == ["scar"]


@pytest.mark.parametrize(
    ("query", "not_applied"),
    [
        ("mass without", "without"),
        ("mass but not", "but not"),
        ("mass, excluding", "excluding"),
        ("mass excluding:", "excluding"),
        ("mass with no.", "with no"),
        ("cardiomegaly or normal heart size", "or normal heart size"),
    ],
)
def test_a_finding_before_an_unfinished_denial_is_wanted(query: str, not_applied: str) -> None:
    parsed = parse_query_text(query)
    assert len(parsed.wanted) == 1
    assert parsed.ruled_out == ()
    assert parsed.not_applied == (not_applied,)


@pytest.mark.parametrize(
    ("query", "finding", "not_applied"),
    [
        ("confirmed scar", "scar", ("confirmed",)),
        ("clear-cut consolidation", "consolidation", ("clear-cut",)),
        ("scar for certain", "scar", ("for certain",)),
        ("certain patients with a scar", "scar", ()),
        ("certain mass, not merely suspected", "mass", ("certain", "not merely suspected")),
        ("possible or definite scar", "scar", ()),
        ("2 masses", "mass, multiple", ()),
        ("masses, at least four", "mass, multiple", ()),
        ("2-3 cavities", "cavity, multiple", ()),
        ("between 2 and 5 masses", "mass", ("between 2 and 5",)),
        ("mass 2", "mass", ("2",)),
        ("mass, just one", "mass", ("just one",)),
        ("only one mass", "mass", ("only one",)),
        ("rib fracture, other ribs intact", "rib fracture", ("other ribs intact",)),
        ("cardiomegaly, otherwise normal heart", "cardiomegaly", ("otherwise normal heart",)),
        ("normal heart size or mass", "mass", ("normal heart size or",)),
        ("under four masses", "mass", ("under four",)),
        ("over four masses", "mass, multiple", ()),
        ("pacemaker x2", "pacemaker", ("x2",)),
        ("mass since the first film", "mass", ("since the first film",)),
        ("mass, not both scar and edema", "mass", ("not both scar and edema",)),
        ("3 pacemakers", "pacemaker", ("3",)),
        ("at least two pneumothoraces", "pneumothorax", ("at least two",)),
        ("multiple pacemakers", "pacemaker", ("multiple",)),
        ("only hydropneumothorax", "hydropneumothorax", ("only",)),
        ("hydropneumothorax only", "hydropneumothorax", ("only",)),
        ("large masses only", "mass, large", ()),
        ("show only masses", "mass", ()),
        ("pneumothorax bigger than 40%", "pneumothorax", ("bigger than 40%",)),
        ("pneumothorax under 15 percent", "pneumothorax", ("under 15 percent",)),
        ("cardiothoracic ratio above 0.65", "cardiomegaly", ("above 0.65",)),
        ("cardiothoracic ratio above 50%", "cardiomegaly", ()),
        ("mass on the next film", "mass", ("on the next film",)),
        ("mass in two or more studies", "mass", ("in two or more studies",)),
        ("mass without any priors", "mass", ("without any priors",)),
        ("most recent film of each patient with a mass", "mass", ("most recent film of each patient",)),
        ("mass, one per patient", "mass", ("one per patient",)),
        ("mass, sorted by age", "mass", ("sorted by age",)),
        ("mass, oldest first", "mass", ("oldest first",)),
        ("how many studies show a mass", "mass", ("how many",)),
        ("clearest films of a mass", "mass", ("clearest films",)),
    ],
)
def test_what_findings_cannot_hold_is_named_and_else_applied(
    query: str, finding: str, not_applied: tuple[str, ...]
) -> None:
    parsed = parse_query_text(query)
    assert [one.description for one in parsed.findings] == [finding]
    assert parsed.ruled_out == ()
    assert parsed.words == ()
    assert parsed.not_applied == not_applied


@pytest.mark.parametrize("query", ["only left mass", "patients with only left-sided mass", "left-sided only mass"])
def test_only_before_a_side_rules_out_the_other(query: str) -> None:
    parsed = parse_query_text(query)
    assert [one.description for one in parsed.findings] == ["mass, left"]
    assert [one.description for one in parsed.ruled_out] == ["mass, right"]


@pytest.mark.parametrize(
    ("query", "not_applied"), [("abnormal and normal films", ("normal",)), ("abnormal, not normal", ())]
)
def test_normal_beside_abnormal_is_named(query: str, not_applied: tuple[str, ...]) -> None:
    parsed = parse_query_text(query)
    assert parsed.judgment == "abnormal"
    assert parsed.not_applied == not_applied


@pytest.mark.parametrize("query", ["mass not large", "mass is not large", "mass, not large"])
def test_a_size_is_ruled_out_behind_its_finding(query: str) -> None:
    parsed = parse_query_text(query)
    assert [one.description for one in parsed.findings] == ["mass"]
    assert [one.description for one in parsed.ruled_out] == ["mass, large"]


@pytest.mark.parametrize("query", ["not sure whether there is a mass", "mass not definite", "not certain if mass"])
def test_what_is_not_certain_is_possible(query: str) -> None:
    parsed = parse_query_text(query)
    assert [(one.name, one.is_hedged) for one in parsed.findings] == [("mass", True)]
    assert parsed.ruled_out == ()


def test_a_side_is_ruled_out_once() -> None:
    parsed = parse_query_text("scar only on the left, exclude those with a scar on the right")
    assert [one.description for one in parsed.ruled_out] == ["scar, right"]
