"""Reports in the style of MIMIC-CXR's, by section and sentence; none of them is a real one."""

from __future__ import annotations

import pytest

from mcp_cxr.language import main_text, sections, sentences

USUAL = """                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)

 INDICATION:  ___ with cough.

 FINDINGS:

 Lungs are clear.  No pleural
 effusion or pneumothorax.

 IMPRESSION:

 1. No acute process.
 2. Stable device.
"""
WET_READ = """ WET READ: ___ ___ 9:14 PM
  Small effusion.
 ______________________________________________________________________________
                                 FINAL REPORT
 FINDINGS AND IMPRESSION:  Small left effusion.
"""


def test_sections_keep_their_order_and_white_space_is_collapsed() -> None:
    assert sections(USUAL) == {
        "EXAMINATION": "CHEST (PA AND LAT)",
        "INDICATION": "___ with cough.",
        "FINDINGS": "Lungs are clear. No pleural effusion or pneumothorax.",
        "IMPRESSION": "1. No acute process. 2. Stable device.",
    }


def test_a_wet_read_is_a_section_without_the_line_below_it() -> None:
    found = sections(WET_READ)
    assert found["WET READ"].endswith("Small effusion.")
    assert "____" not in found["WET READ"]
    assert found["FINDINGS AND IMPRESSION"] == "Small left effusion."


def test_sections_with_the_same_heading_are_joined() -> None:
    assert sections("IMPRESSION: Edema.\nADDENDUM: Called.\nIMPRESSION: No edema.") == {
        "IMPRESSION": "Edema. No edema.",
        "ADDENDUM": "Called.",
    }


@pytest.mark.parametrize(
    ("report", "first"),
    [
        (USUAL, "1. No acute process. 2. Stable device."),
        (WET_READ, "Small left effusion."),
        ("FINDINGS: Clear.\nNOTIFICATION: Nobody.", "Clear."),
        ("INDICATION: Cough.\nTECHNIQUE: Portable.", "Portable."),
        ("No headings at all, edema.", "No headings at all, edema."),
        ("", ""),
    ],
)
def test_main_text_is_the_impression_else_findings_else_last_section(report: str, first: str) -> None:
    assert main_text(report) == first


def test_sentences_of_a_numbered_list_keep_their_numbers() -> None:
    assert sentences("1. No edema. 2. Heart of 3.5 cm more. Seen by Dr. Who.") == [
        "1. No edema.",
        "2. Heart of 3.5 cm more.",
        "Seen by Dr. Who.",
    ]
