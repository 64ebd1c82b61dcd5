"""What a study says without its words: findings, status and modifiers."""

from __future__ import annotations

import pytest

from mcp_cxr.language import (
    document_terms,
    imaging_readings,
    is_normal_by_findings,
    is_public_label,
    label_term,
    public_labels,
    read_report,
)
from mcp_cxr.language.query import parse_query_text
from mcp_cxr.layouts.adapters import ADAPTERS
from mcp_cxr.records import LABELS, Study, StudyId, SubjectId


def study(report: str | None, **labels: int) -> Study:
    return Study(StudyId("s1"), SubjectId("p1"), report=report, labels=labels)


def test_reports_that_read_to_the_same_findings_give_the_same_whatever_their_words():
    one = imaging_readings(
        study(
            "INDICATION: HIV. FINDINGS: Small left effusion. Chronic pain. "
            "IMPRESSION: No pneumothorax. Small left effusion."
        )
    )
    other = imaging_readings(
        study("REPORT: Mr Quill, born 1961. There is no pneumothorax. Small left pleural effusion is seen.")
    )
    assert one == other
    assert list(one) == sorted(one)
    assert {mention.text for reading in one.values() for mention in reading.mentions} == {""}


@pytest.mark.parametrize(
    "report", ["HIV positive.", "Known lung cancer.", "INDICATION: Pneumothorax?", "HISTORY: CHF."]
)
def test_clinical_terms_and_context_are_not_among_them(report: str):
    assert imaging_readings(study(report)) == {}


def test_a_clinical_term_that_is_a_kind_of_a_finding_names_the_finding():
    reading = imaging_readings(study("FINDINGS: Pneumocystis pneumonia."))["pneumonia"]
    assert [mention.name for mention in reading.mentions] == ["pneumonia"]


@pytest.mark.parametrize(
    ("report", "normal"),
    [
        ("The heart is normal in size. The lungs are clear.", True),
        ("No cardiomegaly, no pneumothorax.", True),
        ("The lungs are clear. No consolidation.", False),
        ("No pneumothorax. Everything is normal.", False),
        ("The heart is normal in size. The lungs are clear. A small nodule is seen.", False),
        ("The heart is normal in size. The lungs are clear. Pacemaker in place.", None),
    ],
)
def test_a_study_is_normal_by_findings_if_two_of_heart_lungs_and_pleura_are(report: str, normal: bool | None):
    readings = read_report(report)
    assert is_normal_by_findings(readings) is (normal is not False)
    assert is_normal_by_findings(readings, with_devices=False) is (normal is True)


def test_every_label_of_the_layouts_is_public_and_a_word_of_ones_own_is_not():
    names = [*LABELS, *(name for adapter in ADAPTERS for name in adapter.label_names)]
    assert [name for name in names if not is_public_label(name)] == []
    assert public_labels({"Edema": 1, "Quill trial": 1, "HIV": 0, "edema ": 1}) == {"Edema": 1}


def test_a_query_is_left_with_what_is_seen_in_images():
    meaning, left_out = parse_query_text("HIV and left effusion with sponge, without cancer").imaging_only()
    assert [one.description for one in meaning.findings] == ["pleural effusion, left"]
    assert (meaning.words, meaning.ruled_out) == ((), ())
    assert set(left_out) == {"hiv", "sponge", "cancer"}


def test_words_of_labels_are_kept():
    meaning, left_out = parse_query_text("gynecomastia with sponge").imaging_only(["gynecomastia"])
    assert (meaning.words, meaning.unknown_words, left_out) == (("gynecomastia",), ("sponge",), ("sponge",))
    terms = document_terms(study(None, gynecomastia=1, sponge=1), [("PA", {})])
    assert set(meaning.word_stems) <= set(terms)
    assert label_term("spong") not in terms


def test_what_is_asked_for_in_the_history_is_left_out():
    meaning, left_out = parse_query_text("history of pneumothorax").imaging_only()
    assert meaning.is_empty
    assert left_out == ("history of pneumothorax",)
