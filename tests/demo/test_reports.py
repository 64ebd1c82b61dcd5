"""A report says what is drawn, in words a labeller would understand, and its labels agree."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, get_args

import pytest

from mcp_cxr.demo import PhantomFinding, write_report
from mcp_cxr.demo.phantom import DEVICES, Kind
from mcp_cxr.records import LABELS

if TYPE_CHECKING:
    from mcp_cxr.demo.phantom import View

SEEDS = range(40)
WORDS: dict[Kind, str] = {
    "effusion": r"pleural effusion",
    "pneumothorax": r"pneumothorax",
    "cardiomegaly": r"cardiomegaly|enlarged",
    "nodule": r"nodul",
    "pacemaker": r"pacemaker",
    "central line": r"internal jugular",
    "endotracheal tube": r"endotracheal tube",
}


def findings_of(report: str) -> str:
    text = re.search(r" FINDINGS: \n(.*?)(?: IMPRESSION:|\Z)", report, re.DOTALL)
    assert text
    return " ".join(text[1].split())


def denied(text: str) -> str:
    return " ".join(sentence for sentence in text.split(". ") if re.match(r"No |There is no ", sentence))


@pytest.mark.parametrize("kind", get_args(Kind))
def test_what_is_drawn_is_said_and_not_denied(kind: Kind) -> None:
    for seed in SEEDS:
        text = findings_of(write_report([PhantomFinding(kind, "left")], view="PA", follow_up=False, seed=seed).text)
        assert re.search(WORDS[kind], text, re.IGNORECASE)
        assert not re.search(WORDS[kind], denied(text), re.IGNORECASE)


def test_a_normal_study_denies_effusion_and_pneumothorax_and_is_labelled_no_finding() -> None:
    for seed in SEEDS:
        report = write_report([], view="PA", follow_up=False, seed=seed)
        assert re.search("pleural effusion", denied(findings_of(report.text)))
        assert re.search("pneumothorax", denied(findings_of(report.text)))
        assert report.labels["No Finding"] == 1
        assert {report.labels[label] for label in ("Pleural Effusion", "Pneumothorax", "Cardiomegaly")} == {0}


@pytest.mark.parametrize("kind", DEVICES)
def test_a_device_alone_is_no_finding_but_a_support_device(kind: Kind) -> None:
    labels = write_report([PhantomFinding(kind)], view="AP", follow_up=False, seed=1).labels
    assert (labels["Support Devices"], labels["No Finding"]) == (1, 1)


def test_a_trace_effusion_is_uncertain_in_words_and_label() -> None:
    for seed in SEEDS:
        report = write_report([PhantomFinding("effusion", "right", "trace")], view="PA", follow_up=False, seed=seed)
        assert report.labels["Pleural Effusion"] == -1
        assert re.search(r"may reflect|cannot be excluded|possible", findings_of(report.text))
        assert "No Finding" not in report.labels


def test_side_size_and_zone_are_those_that_are_drawn() -> None:
    nodule = PhantomFinding("nodule", "left", diameter_mm=17, zone="lower")
    for seed in SEEDS:
        text = findings_of(write_report([nodule], view="PA", follow_up=False, seed=seed).text)
        assert re.search(r"1\.7 cm", text)
        assert re.search(r"left lower", text)
        assert "right" not in text


def test_effusions_of_two_sides_are_one_sentence_with_both_sizes() -> None:
    both = [PhantomFinding("effusion", "left", "large"), PhantomFinding("effusion", "right", "small")]
    text = findings_of(write_report(both, view="PA", follow_up=False, seed=2).text)
    assert "bilateral pleural effusions, large on the left and small on the right" in text


def test_every_report_says_that_it_is_a_phantom_and_hides_what_a_real_one_hides() -> None:
    views: tuple[View, ...] = ("PA", "AP")
    for view in views:
        text = write_report([], view=view, follow_up=True, seed=3).text
        assert text.lstrip().startswith("FINAL REPORT")
        assert re.search(r"^ EXAMINATION:  CHEST .*computer-drawn phantom", text, re.MULTILINE)
        assert re.search(r"^ INDICATION:  ___", text, re.MULTILINE)
        assert re.search(r"^ COMPARISON:  .*___", text, re.MULTILINE)


def test_words_vary_and_most_reports_have_an_impression() -> None:
    reports = [
        write_report([PhantomFinding("pneumothorax", "left")], view="PA", follow_up=False, seed=s).text for s in SEEDS
    ]
    assert len({findings_of(report) for report in reports}) > 10
    assert len(SEEDS) // 2 < sum("IMPRESSION:" in report for report in reports) < len(SEEDS)


def test_labels_are_chexperts_own() -> None:
    everything = [PhantomFinding(kind, "left", "large") for kind in get_args(Kind)]
    for seed in SEEDS:
        labels = write_report(everything, view="PA", follow_up=False, seed=seed).labels
        assert set(labels) <= set(LABELS)
        assert set(labels.values()) <= {1, 0, -1}
