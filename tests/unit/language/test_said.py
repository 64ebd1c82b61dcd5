"""What a sentence says of each finding; reports of the demo say what their labels say."""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from importlib import resources
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.demo._reports import write_report
from mcp_cxr.demo.phantom._patient import Finding
from mcp_cxr.language import Status, said, statements, terms_of, understood
from mcp_cxr.records import LABELS

if TYPE_CHECKING:
    from typing import Any

PRESENT, UNSURE, ABSENT = Status.PRESENT, Status.UNSURE, Status.ABSENT
VALUES = {PRESENT: 1, UNSURE: -1, ABSENT: 0}


def table(name: str) -> list[dict[str, str]]:
    text = resources.files("mcp_cxr.language").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("No change in the left effusion, but no pneumothorax.", {"pleural effusion": PRESENT, "pneumothorax": ABSENT}),
        ("Opacity may represent pneumonia.", {"opacity": PRESENT, "pneumonia": UNSURE}),
        ("No opacity to suggest pneumonia.", {"opacity": ABSENT, "pneumonia": ABSENT}),
        ("No pneumothorax and a small effusion.", {"pneumothorax": ABSENT, "pleural effusion": PRESENT}),
        ("Atelectasis is possible; pneumonia is unlikely.", {"atelectasis": UNSURE, "pneumonia": UNSURE}),
        ("Edema has resolved, with persistent effusion.", {"pulmonary edema": ABSENT, "pleural effusion": PRESENT}),
        ("Pneumothorax is ruled out.", {"pneumothorax": ABSENT}),
        ("Rule out pneumothorax.", {"pneumothorax": UNSURE}),
        ("The ETT has been removed.", {"endotracheal tube": ABSENT}),
        ("Pericardial effusion is not excluded.", {"pericardial effusion": UNSURE}),
        ("Air-space disease.", {"opacity": PRESENT}),
        ("No acute cardiopulmonary process.", {"no finding": PRESENT}),
        ("Heart size is normal.", {"cardiomegaly": ABSENT}),
        ("PNEUMOTHORACES", {"pneumothorax": PRESENT}),
        ("", {}),
    ],
)
def test_each_finding_of_a_sentence_is_meant_as_it_is_meant(sentence: str, expected: dict[str, Status]) -> None:
    assert {one.name: one.status for one in said(sentence) if one.finding} == expected


def test_reports_of_the_demo_say_what_their_labels_say() -> None:
    """The demo's sentences were written without this room, each with the labels it stands for."""
    draw = random.Random(5)  # noqa: S311  # not for security
    compared = 0
    for seed in range(300):
        written = write_report(_findings(draw), view="PA", follow_up=False, seed=seed)
        by_label: dict[str, set[Status]] = defaultdict(set)
        for _, meant in statements(written.text):
            for one in meant:
                if one.finding:
                    by_label[one.finding.label or one.name].add(one.status)
        for label, value in written.labels.items():
            if label == "No Finding":  # which no sentence need say
                continue
            read = by_label[label] | by_label[_DENIED_NAMES.get(label, "")]
            assert next((VALUES[status] for status in VALUES if status in read), None) == value, written.text
            compared += 1
    assert compared > 1500


_DENIED_NAMES = {"Cardiomegaly": "cardiomegaly", "Enlarged Cardiomediastinum": "widened mediastinum"}


def _findings(draw: random.Random) -> list[Finding]:
    kinds: list[Any] = ["effusion", "pneumothorax", "cardiomegaly", "nodule", "pacemaker", "central line"]
    grades: list[Any] = ["trace", "small", "moderate", "large"]
    sides: list[Any] = ["left", "right"]
    chosen = draw.sample(kinds, draw.randint(0, 3))
    return [
        Finding(kind, draw.choice(sides), draw.choice(grades if kind == "effusion" else grades[1:])) for kind in chosen
    ]


def test_the_tables_hold_what_the_code_reads() -> None:
    for row in table("cues.csv"):
        assert row["status"] in {"absent", "unsure", "present", "end"}, row
        assert row["reach"] in ({"after", "before", "both"} if row["status"] in {"absent", "unsure"} else {""}), row
        assert row["source"], row
    findings = table("findings.csv")
    assert {row["label"] for row in findings} - {""} == set(LABELS)
    assert all(row["source"] and row["forms"] for row in findings)
    for name in ("cues.csv", "findings.csv"):
        phrases = [form for row in table(name) for form in row.get("forms", row.get("cue", "")).split("|")]
        assert sorted(phrases) == sorted(set(phrases))


@pytest.mark.parametrize("label", LABELS)
def test_each_label_is_a_finding_by_its_name(label: str) -> None:
    (one,) = said(label)
    assert one.finding
    assert one.finding.label == label


def test_a_finding_that_may_be_there_shares_a_term_with_one_that_is() -> None:
    is_there, may_be, is_not = (set(terms_of("pleural effusion", status)) for status in (PRESENT, UNSURE, ABSENT))
    assert is_there & may_be
    assert not is_not & (is_there | may_be)


@pytest.mark.parametrize("question", ["edema without support devices", "no lines and tubes"])
def test_a_label_s_name_rules_out_all_it_takes_in(question: str) -> None:
    absent = understood(question).absent
    for device in ("endotracheal tube", "pacemaker", "support device"):
        assert set(absent) & set(terms_of(device, PRESENT))


@pytest.mark.parametrize("question", ["no large effusion", "effusion without left pneumothorax", "no rib notching"])
def test_what_is_denied_with_more_than_its_name_rules_nothing_out(question: str) -> None:
    meaning = understood(question)
    assert (meaning.absent, len(meaning.qualified)) == ((), 1)


def test_one_word_that_names_no_finding_can_be_ruled_out() -> None:
    assert understood("effusion, no clips").absent == ("clip",)


def test_what_is_left_of_a_question_is_what_is_embedded() -> None:
    assert understood("small left effusion").text == "small left effusion"
    meaning = understood("small left effusion but no pneumothorax or edema")
    assert (meaning.text, meaning.avoided) == ("small left effusion", ("pneumothorax", "pulmonary edema"))
    assert understood("no effusion").text == ""
