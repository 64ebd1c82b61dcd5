"""Which denied words rule studies out, and what is named to the user instead."""

from __future__ import annotations

import pytest

from mcp_cxr.language.query import parse_query_text


@pytest.mark.parametrize(
    ("query", "ruled_out"),
    [
        ("effusion but no pigtail drain has been placed", ["chest tube"]),
        ("nodule, no central line was inserted", ["central venous catheter"]),
        ("atelectasis and no tube has been put in", ["tube"]),
        ("edema, no pacemaker implanted", ["pacemaker"]),
        ("mass without a drain having been placed yet", ["tube"]),
        ("scar, no fracture was requested", ["fracture"]),
        ("effusion, pigtail drain not placed", ["chest tube"]),
        ("scar where a pacemaker was never implanted", ["pacemaker"]),
        ("edema; a port has not been inserted yet", ["implanted port"]),
        ("without edema this time", ["pulmonary edema"]),
        ("this time without nodules", ["nodule"]),
        ("again but without edema", ["pulmonary edema"]),
        ("fibrosis, no nodule has appeared", ["nodule"]),
        ("scoliosis without degenerative spine disease", ["degenerative spine"]),
        ("scar without an effusion alongside it", ["pleural effusion"]),
    ],
)
def test_words_around_a_denied_finding_rule_nothing_out(query: str, ruled_out: list[str]) -> None:
    meaning = parse_query_text(query)
    assert [one.description for one in meaning.ruled_out] == ruled_out
    assert (meaning.ruled_out_words, meaning.words, meaning.not_applied) == ((), (), ())


@pytest.mark.parametrize(
    ("query", "not_applied"),
    [
        ("granulomatous disease, no active disease", ["no active disease"]),
        ("scar without active process", ["no active process"]),
        ("fibrosis with no ongoing disease", ["no disease"]),
        ("edema, no symptoms", ["no symptoms"]),
        ("nodule, no follow-up needed", ["no follow"]),
        ("edema without treatment", ["no treatment"]),
        ("nodule without sharp margins", ["no sharp margins"]),
        ("nodule with no other abnormality", ["no other abnormality"]),
        ("effusion, no drain that needs flushing", ["flushing"]),
        ("mass -disease", ["no disease"]),
        ("abnormal studies, no active disease", ["no active disease"]),
        ("mass without a heart", ["no heart"]),
        ("mass not (abnormality)", ["no abnormality"]),
    ],
)
def test_a_general_word_rules_nothing_out_and_is_named(query: str, not_applied: list[str]) -> None:
    meaning = parse_query_text(query)
    assert not meaning.ruled_out_words
    assert [*meaning.not_applied] == not_applied


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("mass, no biopsy was done", ("biopsy",)),
        ("mass without spiculation or zebra", ("spiculation", "zebra")),
        ("effusion -zebra", ("zebra",)),
        ("no zebra zebra", ("zebra",)),
    ],
)
def test_a_denied_word_that_names_a_thing_rules_out(query: str, words: tuple[str, ...]) -> None:
    assert parse_query_text(query).ruled_out_words == words


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("no, I meant masses", ["mass"]),
        ("No, only edema", ["pulmonary edema"]),
        ("sorry, I wanted nodules on the left", ["nodule, left"]),
        ("No I meant scoliosis", ["scoliosis"]),
        ("no masses", []),
        ("no - edema", []),
    ],
)
def test_a_no_that_answers_denies_nothing(query: str, wanted: list[str]) -> None:
    meaning = parse_query_text(query)
    assert [one.description for one in meaning.findings] == wanted
    assert bool(meaning.ruled_out) is not bool(wanted)
    assert (meaning.ruled_out_words, meaning.words, meaning.not_applied) == ((), (), ())


@pytest.mark.parametrize(
    "query", ["mass, forget the nodules", "mass; forget about nodules", "mass, never mind the nodules"]
)
def test_what_is_to_be_forgotten_is_neither_wanted_nor_ruled_out(query: str) -> None:
    meaning = parse_query_text(query)
    assert [one.name for one in meaning.findings] == ["mass"]
    assert not meaning.ruled_out


@pytest.mark.parametrize("query", ["mass, ignore nodules", "mass, ignoring nodules", "mass, disregard nodules"])
def test_what_is_to_be_ignored_is_ruled_out(query: str) -> None:
    meaning = parse_query_text(query)
    assert [one.name for one in meaning.findings] == ["mass"]
    assert [one.name for one in meaning.ruled_out] == ["nodule"]


def test_what_must_not_be_forgotten_is_wanted() -> None:
    assert [one.name for one in parse_query_text("mass, don't forget the nodules").findings] == ["mass", "nodule"]


_LUNGS = ["opacity", "consolidation", "infiltrate", "airspace disease"]


@pytest.mark.parametrize(
    ("query", "ruled_out"),
    [
        ("normal heart and lungs", [*_LUNGS, "cardiomegaly"]),
        ("the lungs and the heart are unremarkable", [*_LUNGS, "cardiomegaly"]),
        ("heart and lungs within normal limits", [*_LUNGS, "cardiomegaly"]),
        ("healthy lungs and heart", [*_LUNGS, "cardiomegaly"]),
        ("heart, lungs and bones all normal", [*_LUNGS, "cardiomegaly", "fracture"]),
        ("unremarkable heart, lungs and mediastinum", [*_LUNGS, "cardiomegaly", "enlarged cardiomediastinum"]),
        ("lungs and pleura normal", [*_LUNGS, "pleural effusion", "pneumothorax"]),
        ("normal heart and bones", ["cardiomegaly", "fracture"]),
        ("lungs ok", _LUNGS),
        ("healthy lungs", _LUNGS),
    ],
)
def test_each_of_several_structures_is_normal(query: str, ruled_out: list[str]) -> None:
    meaning = parse_query_text(query)
    assert [one.description for one in meaning.ruled_out] == ruled_out
    assert (meaning.words, meaning.wanted) == ((), ())
