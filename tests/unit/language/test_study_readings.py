"""What a whole report says of a finding: one status, by side, of all its mentions."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.demo import PhantomFinding, write_report
from mcp_cxr.language import Status, finding_of_label, read_report
from mcp_cxr.records import LABELS

if TYPE_CHECKING:
    from typing import Any

PRESENT, POSSIBLE, ABSENT = Status.PRESENT, Status.POSSIBLE, Status.ABSENT
VALUES = {PRESENT: 1, POSSIBLE: -1, ABSENT: 0}


@pytest.mark.parametrize(
    ("report", "sides"),
    [
        ("No left, small right effusion.", {"left": ABSENT, "right": PRESENT}),
        ("No right effusion. Possible left effusion.", {"left": POSSIBLE, "right": ABSENT}),
        ("Possible left effusion. Left effusion.", {"left": PRESENT}),
        ("No effusion. Left effusion.", {"left": PRESENT}),
        ("Bilateral effusions; the left has resolved.", {"left": ABSENT, "right": PRESENT}),
        ("Bilateral effusions, right resolved.", {"left": PRESENT, "right": ABSENT}),
        ("Right effusion has resolved, left is unchanged.", {"left": PRESENT, "right": ABSENT}),
        ("Effusion: left small, right none.", {"left": PRESENT, "right": ABSENT}),
        ("Both effusions, the right of which is now gone.", {"left": PRESENT, "right": ABSENT}),
        ("Effusions have cleared on the left, unchanged on the right.", {"left": ABSENT, "right": PRESENT}),
        ("Effusion has resolved on the left, no new effusion on the right.", {"left": ABSENT}),
    ],
)
def test_present_beats_possible_beats_absent_by_side(report: str, sides: dict[str, Status]) -> None:
    assert read_report(report)["pleural effusion"].sides == sides


@pytest.mark.parametrize(
    "sentence",
    [
        "Left effusion, not right.",
        "Left effusion but none on the right.",
        "Effusion on the left, not on the right side.",
    ],
)
def test_a_side_that_is_denied_after_the_finding_is_free_of_it(sentence: str) -> None:
    sides = read_report(f"FINDINGS: {sentence}")["pleural effusion"].sides
    assert sides == {"left": PRESENT, "right": ABSENT}


def test_a_denied_side_of_another_finding_is_of_that_finding() -> None:
    found = read_report("FINDINGS: Left effusion, no right pneumothorax.")
    assert (found["pleural effusion"].sides, found["pneumothorax"].sides) == ({"left": PRESENT}, {"right": ABSENT})


@pytest.mark.parametrize(
    "sentence",
    [
        "The patient has a history of tuberculosis.",
        "Family history of tuberculosis.",
        "Compared with the prior radiograph, which showed tuberculosis.",
        "Compared with June, at which time there was tuberculosis.",
        "The previous radiograph from June showed tuberculosis.",
        "FINDINGS: Given the recent pneumonia, a scar is expected.",
        "FINDINGS: In view of previous tuberculosis, CT is advised.",
        "FINDINGS: Previous pneumonia in ___.",
        "FINDINGS: Past medical history significant for pneumonia.",
        "FINDINGS: There was a pneumonia on the prior exam.",
        "FINDINGS: On the previous radiograph, a pneumonia was seen on the left.",
        "FINDINGS: A pneumonia was present on the prior exam.",
        "FINDINGS: Previously, there was a pneumonia.",
        "FINDINGS: Clear.\nPMH: tuberculosis, pneumonia.",
    ],
)
def test_history_is_no_finding_of_the_study(sentence: str) -> None:
    assert not read_report(sentence).keys() & {"tuberculosis", "pneumonia"}


def test_a_narrower_finding_affirms_the_broader_and_a_denied_one_denies_the_narrower() -> None:
    assert read_report("Right rib fracture.")["fracture"].status is PRESENT
    assert read_report("No fracture.")["rib fracture"].status is ABSENT
    assert "fracture" not in read_report("No rib fracture.")


def test_the_reports_of_the_demo_are_read_as_labeled() -> None:
    """The demo's sentences were written independently of this package, each with its labels."""
    draw = random.Random(5)  # noqa: S311  # not for security
    compared = 0
    for seed in range(150):
        written = write_report(_findings(draw), view="PA", follow_up=False, seed=seed)
        found = read_report(written.text)
        statuses: dict[str, list[Status]] = {label: [] for label in LABELS}
        for name, reading in found.items():
            for one in reading.mentions:
                if one.finding and one.name == name and one.finding.label:
                    statuses[one.finding.label].append(one.status)
        for label, value in written.labels.items():
            if label == "No Finding":  # no sentence has to say it
                continue
            entry = finding_of_label(label)
            assert entry
            name = entry.name
            read = statuses[label] or [found[name].status]
            assert next(VALUES[status] for status in VALUES if status in read) == value, (label, written.text)
            compared += 1
    assert compared > 750


def _findings(draw: random.Random) -> list[PhantomFinding]:
    kinds: list[Any] = ["effusion", "pneumothorax", "cardiomegaly", "nodule", "pacemaker", "central line"]
    grades: list[Any] = ["trace", "small", "moderate", "large"]
    sides: list[Any] = ["left", "right"]
    chosen = draw.sample(kinds, draw.randint(0, 3))
    return [
        PhantomFinding(kind, draw.choice(sides), draw.choice(grades if kind == "effusion" else grades[1:]))
        for kind in chosen
    ]
