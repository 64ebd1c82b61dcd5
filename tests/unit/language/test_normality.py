"""A study is normal if nothing is present or possible, normality is stated, and no word says otherwise."""

from __future__ import annotations

import pytest

from mcp_cxr.language import is_normal


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
