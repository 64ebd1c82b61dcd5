"""Requests in other words than reports: what results are for, choices among a list, one side only, earlier studies."""

from __future__ import annotations

import pytest

from mcp_cxr.language import parse_query_text


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("For a talk on tuberculosis, show me effusions", ["pleural effusion"]),
        ("We are building a pneumonia classifier: give me normal chests", []),
        ("Find rib fractures. They are for our trauma project", ["rib fracture"]),
        ("I want masses as controls for our pneumonia study", ["mass"]),
        ("hilar lymphadenopathy for a lecture on sarcoidosis", ["hilar lymphadenopathy"]),
        ("find nodules; we will use them as a cancer cohort", ["nodule"]),
        ("I'm writing a paper on edema. Which images show a mass?", ["mass"]),
        ("For hard-negative mining of a pneumonia detector I need masses", ["mass"]),
        # the same words about what to find
        ("For the left lung, list masses", ["mass, left"]),
        ("patients for our pneumonia cohort", ["pneumonia"]),
        ("search for a pneumonia study with effusion", ["pneumonia", "pleural effusion"]),
        ("find effusions; they will have a chest tube", ["pleural effusion", "chest tube"]),
        ("We study pneumonia, so find it with effusion", ["pneumonia", "pleural effusion"]),
    ],
)
def test_what_results_are_for_is_not_asked_for(query: str, wanted: list[str]) -> None:
    assert [one.description for one in parse_query_text(query).findings] == wanted


@pytest.mark.parametrize(
    ("query", "groups", "ruled_out", "not_applied"),
    [
        ("any of these: edema; mass", [["pulmonary edema", "mass"]], [], ()),
        ("any of the following findings - edema, mass", [["pulmonary edema", "mass"]], [], ()),
        ("at least one of: PICC, chest tube", [["picc", "chest tube"]], [], ()),
        ("at least two of: edema, mass", [["pulmonary edema", "mass"]], [], ("at least two of",)),
        ("none of the following: edema, mass", [], ["pulmonary edema", "mass"], ()),
        ("only a mass, nothing else", [["mass"]], [], ("nothing else",)),
        ("nothing abnormal except a mass", [["mass"]], [], ("nothing abnormal except",)),
        ("WNL except for CMG", [["cardiomegaly"]], [], ()),
        (
            "unilateral upper lobe mass",
            [["mass, left, upper lobe", "mass, right, upper lobe"]],
            ["mass, bilateral"],
            (),
        ),
        ("left-only mass and edema", [["mass, left"], ["pulmonary edema"]], ["mass, right"], ()),
        ("exclusively right mass", [["mass, right"]], ["mass, left"], ()),
        ("mass in one hemithorax", [["mass, left", "mass, right"]], ["mass, bilateral"], ()),
        ("no tubes or lines", [], ["lines and tubes"], ()),
        ("support lines and tubes", [["lines and tubes"]], [], ()),
        ("kein Pneumothorax, rib fracture", [["rib fracture"]], ["pneumothorax"], ()),
        ("effusion smaller or gone", [["pleural effusion, improved", "pleural effusion, resolved"]], [], ()),
        ("atelectasis not improved or resolved", [["atelectasis, unchanged"]], [], ()),
        ("edema, nobody mentions a mass or nodule", [["pulmonary edema"]], ["mass", "nodule"], ()),
        ("edema and the report says nothing about a mass", [["pulmonary edema"]], ["mass"], ()),
        ("skip every study with edema, any mass or a big heart", [], ["pulmonary edema", "mass", "cardiomegaly"], ()),
        ("mass but not degenerative spine changes", [["mass"]], ["degenerative spine"], ()),
        (
            "mass accompanied by one other sign, namely effusion or edema",
            [["mass"], ["pleural effusion", "pulmonary edema"]],
            [],
            (),
        ),
        ("low volumes because of a mass, with no edema", [["low lung volumes"], ["mass"]], ["pulmonary edema"], ()),
        ("crowding, because volumes are low, with no edema", [["bronchovascular crowding"]], ["pulmonary edema"], ()),
        ("more than mild edema", [["pulmonary edema, moderate", "pulmonary edema, severe"]], [], ()),
        ("at least moderate effusion", [["pleural effusion, moderate", "pleural effusion, large"]], [], ()),
        ("no more than mild edema", [["pulmonary edema, mild"]], [], ()),
        ("effusion, less than severe", [["pleural effusion, small", "pleural effusion, moderate"]], [], ()),
        ("nodules 2+ cm", [["nodule"]], [], ("2+ cm",)),
    ],
)
def test_choices_and_exceptions_are_read(
    query: str, groups: list[list[str]], ruled_out: list[str], not_applied: tuple[str, ...]
) -> None:
    parsed = parse_query_text(query)
    assert [[one.description for one in group] for group in parsed.wanted] == groups
    assert [one.description for one in parsed.ruled_out] == ruled_out
    assert parsed.not_applied == not_applied


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("effusion that wasn't there on the previous radiograph", "pleural effusion, new"),
        ("mass absent on the last study", "mass, new"),
        ("pneumothorax not seen before", "pneumothorax, new"),
        ("edema seen on the earlier film, not now", "pulmonary edema, resolved"),
        ("effusion(s)", "pleural effusion"),
        ("fluid in the pleura, that is, effusion", "pleural effusion"),
        ("right hemidiaphragm higher than usual", "elevated diaphragm, right"),
        ("right hemidiaphragm riding high", "elevated diaphragm, right"),
        ("trachea pushed over to the right", "tracheal deviation, right"),
        ("fluid collecting around the left lung", "pleural effusion, left"),
        ("stomach has slid up into the chest", "hiatal hernia"),
        ("show me those in failure", "heart failure"),
        ("s/p chole", "cholecystectomy"),
        ("heart has become larger", "cardiomegaly, worse"),
        ("enlarged glands in the mediastinum", "mediastinal lymphadenopathy"),
        ("incr pulm vasc", "vascular congestion"),
        ("interval incr in L eff", "pleural effusion, left, worse"),
    ],
)
def test_changes_and_shorthand_are_read(query: str, wanted: str) -> None:
    parsed = parse_query_text(query)
    assert [one.description for one in parsed.findings] == [wanted]
    assert parsed.words == ()
