"""The mentions of sentences, reports and queries; the mentions of the demo's reports agree with their labels."""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from importlib import resources
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.demo import PhantomFinding, write_report
from mcp_cxr.language import Status, finding_terms, mentions_by_sentence, mentions_in, parse_query_text
from mcp_cxr.records import LABELS

if TYPE_CHECKING:
    from typing import Any

PRESENT, POSSIBLE, ABSENT = Status.PRESENT, Status.POSSIBLE, Status.ABSENT
VALUES = {PRESENT: 1, POSSIBLE: -1, ABSENT: 0}


def table(name: str) -> list[dict[str, str]]:
    text = resources.files("mcp_cxr.language").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("No change in the left effusion, but no pneumothorax.", {"pleural effusion": PRESENT, "pneumothorax": ABSENT}),
        ("Opacity may represent pneumonia.", {"opacity": PRESENT, "pneumonia": POSSIBLE}),
        ("No opacity to suggest pneumonia.", {"opacity": ABSENT, "pneumonia": ABSENT}),
        ("No pneumothorax and a small effusion.", {"pneumothorax": ABSENT, "pleural effusion": PRESENT}),
        ("Atelectasis is possible; pneumonia is unlikely.", {"atelectasis": POSSIBLE, "pneumonia": POSSIBLE}),
        ("Edema has resolved, with persistent effusion.", {"pulmonary edema": ABSENT, "pleural effusion": PRESENT}),
        ("Pneumothorax is ruled out.", {"pneumothorax": ABSENT}),
        ("Rule out pneumothorax.", {"pneumothorax": POSSIBLE}),
        ("The ETT has been removed.", {"endotracheal tube": ABSENT}),
        ("Pericardial effusion is not excluded.", {"pericardial effusion": POSSIBLE}),
        ("Air-space disease.", {"opacity": PRESENT}),
        ("No acute cardiopulmonary process.", {"no finding": PRESENT}),
        ("Heart size is normal.", {"cardiomegaly": ABSENT}),
        ("PNEUMOTHORACES", {"pneumothorax": PRESENT}),
        ("", {}),
    ],
)
def test_each_finding_of_a_sentence_has_its_status(sentence: str, expected: dict[str, Status]) -> None:
    assert {one.name: one.status for one in mentions_in(sentence) if one.finding} == expected


def test_mentions_in_the_reports_of_the_demo_agree_with_their_labels() -> None:
    """The demo's sentences were written independently of this package, each with its labels."""
    draw = random.Random(5)  # noqa: S311  # not for security
    compared = 0
    for seed in range(300):
        written = write_report(_findings(draw), view="PA", follow_up=False, seed=seed)
        by_label: dict[str, set[Status]] = defaultdict(set)
        for _, mentions in mentions_by_sentence(written.text):
            for one in mentions:
                if one.finding:
                    by_label[one.finding.label or one.name].add(one.status)
        for label, value in written.labels.items():
            if label == "No Finding":  # no sentence has to say it
                continue
            read = by_label[label] | by_label[_DENIED_NAMES.get(label, "")]
            assert next((VALUES[status] for status in VALUES if status in read), None) == value, written.text
            compared += 1
    assert compared > 1500


_DENIED_NAMES = {"Cardiomegaly": "cardiomegaly", "Enlarged Cardiomediastinum": "widened mediastinum"}


def _findings(draw: random.Random) -> list[PhantomFinding]:
    kinds: list[Any] = ["effusion", "pneumothorax", "cardiomegaly", "nodule", "pacemaker", "central line"]
    grades: list[Any] = ["trace", "small", "moderate", "large"]
    sides: list[Any] = ["left", "right"]
    chosen = draw.sample(kinds, draw.randint(0, 3))
    return [
        PhantomFinding(kind, draw.choice(sides), draw.choice(grades if kind == "effusion" else grades[1:]))
        for kind in chosen
    ]


def test_the_tables_have_valid_values_sources_and_distinct_phrases() -> None:
    for row in table("cues.csv"):
        assert row["status"] in {"absent", "possible", "present", "end"}, row
        assert row["scope"] in ({"after", "before", "both"} if row["status"] in {"absent", "possible"} else {""}), row
        assert row["source"], row
    findings = table("findings.csv")
    assert {row["label"] for row in findings} - {""} == set(LABELS)
    assert all(row["source"] and row["forms"] for row in findings)
    for name in ("cues.csv", "findings.csv"):
        phrases = [form for row in table(name) for form in row.get("forms", row.get("cue", "")).split("|")]
        assert sorted(phrases) == sorted(set(phrases))


@pytest.mark.parametrize("label", LABELS)
def test_the_name_of_each_label_is_a_mention_of_it(label: str) -> None:
    (one,) = mentions_in(label)
    assert one.finding
    assert one.finding.label == label


def test_a_possible_finding_shares_a_term_with_a_present_one() -> None:
    present, possible, absent = (
        set(finding_terms("pleural effusion", status)) for status in (PRESENT, POSSIBLE, ABSENT)
    )
    assert present & possible
    assert not absent & (present | possible)


@pytest.mark.parametrize("query", ["edema without support devices", "no lines and tubes"])
def test_denying_a_label_excludes_all_its_findings(query: str) -> None:
    excluded = parse_query_text(query).excluded_terms
    for device in ("endotracheal tube", "pacemaker", "support device"):
        assert set(excluded) & set(finding_terms(device, PRESENT))


@pytest.mark.parametrize("query", ["no large effusion", "effusion without left pneumothorax", "no rib notching"])
def test_denying_a_qualified_finding_excludes_nothing(query: str) -> None:
    parsed = parse_query_text(query)
    assert (parsed.excluded_terms, len(parsed.qualified_denials)) == ((), 1)


def test_denying_a_single_word_excludes_it() -> None:
    assert parse_query_text("effusion, no clips").excluded_terms == ("clip",)


def test_only_the_affirmed_part_of_a_query_is_embedded() -> None:
    assert parse_query_text("small left effusion").text_to_embed == "small left effusion"
    parsed = parse_query_text("small left effusion but no pneumothorax or edema")
    assert (parsed.text_to_embed, parsed.denied_texts) == ("small left effusion", ("pneumothorax", "pulmonary edema"))
    assert parse_query_text("no effusion").text_to_embed == ""
