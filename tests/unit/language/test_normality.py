"""A study is normal if nothing is present or possible, normality is stated, and no word says otherwise."""

from __future__ import annotations

import pytest

from mcp_cxr.language import denies_anything_acute, is_normal, says_abnormal


@pytest.mark.parametrize(
    "report",
    [
        "Normal chest.",
        "Lungs are clear. No acute process.",
        "The lungs appear clear. No effusion or pneumothorax.",
        "Heart size is normal. No effusion, pneumothorax or consolidation.",
        "Unremarkable examination.",
        "INDICATION: Pneumonia.\nFINDINGS: Normal heart size. Clear lungs.",
        "History of COPD. Normal chest.",
        "Normal heart size. No abnormal calcified foci, no acute bony changes.",
    ],
)
def test_stated_normality_without_a_finding_is_normal(report: str) -> None:
    assert is_normal(report)
    assert is_normal(report, with_devices=False)


@pytest.mark.parametrize(
    "report",
    [
        "No acute cardiopulmonary process.",
        "No acute cardiopulmonary process. No effusion or pneumothorax.",
        "No effusion.",
        "Lungs are clear. Mild cardiomegaly.",
        "Normal heart. Possible pneumonia.",
        "Normal heart. Chronic deformity of the shoulder.",
        "The chest is not normal.",
        "INDICATION: Normal chest last year.\nFINDINGS: Portable film.",
        "",
    ],
)
def test_anything_else_is_not_normal(report: str) -> None:
    assert not is_normal(report)


def test_a_device_is_allowed_by_the_label_no_finding_and_not_by_a_normal_chest() -> None:
    report = "Left PICC tip in the low SVC. The lungs are clear."
    assert (is_normal(report), is_normal(report, with_devices=False)) == (True, False)


@pytest.mark.parametrize(
    ("text", "is_denied"),
    [
        ("No acute cardiopulmonary disease.", True),
        ("No evidence of an acute intrathoracic process. Old granuloma.", True),
        ("There is nothing acute.", True),
        ("No active or acute pulmonary process.", True),
        ("No acute fracture.", False),
        ("No acute osseous abnormality.", False),
        ("Acute process cannot be excluded.", False),
        ("Clear.\nINDICATION: No acute process.", False),
    ],
)
def test_a_report_that_denies_anything_acute_may_state_old_findings(text: str, *, is_denied: bool) -> None:
    assert denies_anything_acute(f"FINDINGS: {text}") is is_denied


@pytest.mark.parametrize(
    ("text", "is_said"),
    [
        ("The chest is not normal.", True),
        ("Abnormal study.", True),
        ("No abnormal chest.", False),
        ("The chest is normal.", False),
        ("The heart is not normal in size.", False),
    ],
)
def test_a_report_may_say_that_the_chest_is_not_normal(text: str, *, is_said: bool) -> None:
    assert says_abnormal(f"FINDINGS: {text}") is is_said
