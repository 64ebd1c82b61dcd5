"""Positions and types of devices, which no finding holds: they are named, and rule out or demand nothing."""

from __future__ import annotations

import pytest

from mcp_cxr.language.query import parse_query_text


@pytest.mark.parametrize(
    ("query", "wanted", "not_applied"),
    [
        ("ETT too low", ["endotracheal tube"], "too low"),
        ("ETT low and pneumothorax", ["endotracheal tube", "pneumothorax"], "low"),
        ("high-riding tracheal tube", ["endotracheal tube"], "high-riding"),
        ("ETT position too deep", ["endotracheal tube"], "position too deep"),
        ("misplaced orogastric tube", ["enteric tube"], "misplaced"),
        ("malposition of a PICC", ["picc"], "malposition"),
        ("OG tube looped in the esophagus", ["enteric tube"], "looped in the esophagus"),
        ("feeding tube tip in the duodenum", ["enteric tube"], "tip in the duodenum"),
        ("feeding tube that does not reach the stomach", ["enteric tube"], "that does not reach the stomach"),
        ("breathing tube 3 cm above the carina", ["endotracheal tube"], "3 cm above the carina"),
        ("ETT at T3", ["endotracheal tube"], "at T3"),
        ("chest tube kinked", ["chest tube"], "kinked"),
        ("IVC filter migrated", ["inferior vena cava filter"], "migrated"),
        ("correctly placed PICC", ["picc"], "correctly placed"),
        ("line in bad position", ["catheter"], "in bad position"),
        ("misplaced lines", ["catheter"], "misplaced"),
        ("catheter in the SVC", ["central venous catheter"], "in the SVC"),
        ("tube in the trachea", ["endotracheal tube"], "in the trachea"),
        ("two-lead pacemaker", ["pacemaker"], "two-lead"),
        ("ICD, dual chamber", ["implantable cardioverter defibrillator"], "dual chamber"),
        ("biventricular pacer", ["pacemaker"], "biventricular"),
        ("tunnelled dialysis catheter", ["dialysis catheter"], "tunnelled"),
        ("pneumothorax with pigtail catheter", ["pneumothorax", "chest tube"], "pigtail"),
        ("pacemaker lead fracture", ["pacemaker"], "lead fracture"),
        ("ETT in left mainstem", ["endotracheal tube"], "in left mainstem"),
        ("left main stem intubation", ["endotracheal tube"], "left main stem"),
        ("feeding tube in the left lower lobe bronchus", ["enteric tube"], "in the left lower lobe bronchus"),
        ("left PICC with tip in right atrium", ["picc, left"], "with tip in right atrium"),
        ("PICC tip in the right brachiocephalic vein", ["picc"], "tip in the right brachiocephalic vein"),
        ("chest tube in the right major fissure", ["chest tube, right"], "in the right major fissure"),
    ],
)
def test_a_position_or_type_of_a_device_is_named_as_not_applied(
    query: str, wanted: list[str], not_applied: str
) -> None:
    parsed = parse_query_text(query)
    assert [one.description for one in parsed.findings] == wanted
    assert parsed.not_applied == (not_applied,)
    assert parsed.ruled_out == parsed.ruled_out_words == ()


@pytest.mark.parametrize(
    ("query", "wanted", "ruled_out", "not_applied"),
    [
        ("edema without misplaced tube", ["pulmonary edema"], [], "without misplaced tube"),
        ("edema, no ETT in the left mainstem", ["pulmonary edema"], [], "no ETT in the left mainstem"),
        ("exclude patients with kinked chest tubes, mass", ["mass"], [], "exclude patients with kinked chest tubes"),
        ("mass without edema or coiled PICC", ["mass"], ["pulmonary edema"], "or coiled PICC"),
        ("no edema, PICC in good position", [], ["pulmonary edema"], "PICC in good position"),
        ("ETT not too high", ["endotracheal tube"], [], "not too high"),
        ("skip effusion, show misplaced PICC", ["picc"], ["pleural effusion"], "misplaced"),
    ],
)
def test_a_device_that_is_denied_at_a_position_is_not_ruled_out(
    query: str, wanted: list[str], ruled_out: list[str], not_applied: str
) -> None:
    parsed = parse_query_text(query)
    assert [one.description for one in parsed.findings] == wanted
    assert [one.description for one in parsed.ruled_out] == ruled_out
    assert parsed.ruled_out_words == ()
    assert parsed.not_applied == (not_applied,)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("displaced rib fracture with pacemaker", ["rib fracture", "pacemaker"]),
        ("low lung volumes, ETT", ["low lung volumes", "endotracheal tube"]),
        ("PICC in heart failure", ["picc", "heart failure"]),
        ("mass near the carina", ["mass"]),
        ("port on the right", ["implanted port, right"]),
        ("left subclavian line", ["central venous catheter, left"]),
        ("pacemaker in the left chest", ["pacemaker, left"]),
        ("portable film, ETT, supine position", ["endotracheal tube"]),
        ("mass, no pigtail drain", ["mass"]),
        ("chest tube in place", ["chest tube"]),
    ],
)
def test_what_is_no_position_of_a_device_stays(query: str, wanted: list[str]) -> None:
    parsed = parse_query_text(query)
    assert [one.description for one in parsed.findings] == wanted
    assert parsed.not_applied == ()


def test_words_of_a_position_rank() -> None:
    assert parse_query_text("NG tube in the stomach").words == ("stomach",)
