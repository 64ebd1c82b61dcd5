"""Reports in the forms of MIMIC-CXR and other archives, by section and statement; none of them is a real one."""

from __future__ import annotations

import pytest

from mcp_cxr.language import SectionKind, Status, main_text, read_report, report_statements, sections, statements

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
BODY = "Moderate pneumothorax on the right."


def of_body(report: str) -> list[str]:
    return [one.text for one in report_statements(report) if one.kind is SectionKind.BODY]


def test_sections_keep_their_order_and_white_space_is_collapsed() -> None:
    assert sections(USUAL) == {
        "EXAMINATION": "CHEST (PA AND LAT)",
        "INDICATION": "___ with cough.",
        "FINDINGS": "Lungs are clear. No pleural effusion or pneumothorax.",
        "IMPRESSION": "1. No acute process. 2. Stable device.",
    }


@pytest.mark.parametrize(
    "report",
    [
        "INDICATION: Edema? FINDINGS: Clear lungs. IMPRESSION: No effusion.",
        "Indication: Edema? Findings: Clear lungs. Impression: No effusion.",
        "Clinical details: Edema? Report: Clear lungs. Opinion: No effusion.",
        "Clinical history - Edema? CXR: Clear lungs. Comment: No effusion.",
        "INDICATION: Edema? REPORT: Clear lungs. CONCLUSION: No effusion.",
        "Indication - Edema? Chest X-ray: Clear lungs. Result: No effusion.",
    ],
)
def test_headings_within_one_line_begin_sections_of_their_own(report: str) -> None:
    assert list(sections(report).values()) == ["Edema?", "Clear lungs.", "No effusion."]
    assert "pulmonary edema" not in read_report(report)


def test_a_wet_read_is_a_section_without_the_line_below_it() -> None:
    found = sections(WET_READ)
    assert found["WET READ"].endswith("Small effusion.")
    assert "____" not in found["WET READ"]
    assert found["FINDINGS AND IMPRESSION"] == "Small left effusion."


def test_a_wet_read_counts_only_without_another_body() -> None:
    assert of_body(WET_READ) == ["Small left effusion."]
    assert read_report("WET READ: ___\n Small effusion.\n")["pleural effusion"].status is Status.PRESENT


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
        ("Impression: Edema.\nNotification: Nobody.", "Edema."),
        ("INDICATION: Cough.\nTECHNIQUE: Portable.", "Portable."),
        ("No headings at all, edema.", "No headings at all, edema."),
        ("", ""),
    ],
)
def test_main_text_is_the_impression_else_findings_else_last_section(report: str, first: str) -> None:
    assert main_text(report) == first


@pytest.mark.parametrize(
    "report",
    [
        f"FINAL REPORT\n FINDINGS:  {BODY}\n",
        f"FINAL REPORT\n Findings:\n {BODY}\n",
        f"Findings\n{BODY}\n",
        f"IMPRESSION {BODY}\n",
        f"Impression {BODY}\n",
        f"FINDINGS AND IMPRESSION: {BODY}\n",
        f"FINDINGS/IMPRESSION: {BODY}\n",
        f"IMPRESSION (preliminary): {BODY}\n",
        f"INDICATION: Cough.\r\nFINDINGS: {BODY}\r\n",
        f" FINAL REPORT\n INDICATION:  Cough.\n\n CHEST, 2 VIEWS:  {BODY}\n",
        f" FINAL REPORT\n CHEST, PA AND LATERAL:  {BODY}\n",
        f" FINAL REPORT\n PORTABLE CHEST AT 7:30 A.M.:  {BODY}\n",
        f" FINAL REPORT\n COMPARISON:  ___.\n\n {BODY} Heart size is normal.\n",
        f" FINAL REPORT\n HISTORY:  Cough.\n\n {BODY}\n",
        f" FINAL REPORT\n REASON FOR EXAMINATION:  Cough.\n\n PA and lateral radiographs were reviewed.\n\n {BODY}\n",
        f" FINAL REPORT\n REASON FOR EXAM:  Cough.\n\n {BODY}\n\n IMPRESSION: No pneumonia.\n",
        f" FINAL REPORT\n ADDENDUM:  {BODY}\n",
        f"Clinical details: Cough.\n{BODY}\n",
        f"{BODY}\n",
    ],
)
def test_the_body_is_found_under_every_form_of_heading(report: str) -> None:
    (one,) = [each for each in report_statements(report) if each.text == BODY]
    assert one.kind is SectionKind.BODY
    found = read_report(report)["pneumothorax"]
    assert (found.status, found.sides) == (Status.PRESENT, {"right": Status.PRESENT})


@pytest.mark.parametrize(
    "heading",
    [
        *("INDICATION", "Indication", "HISTORY", "CLINICAL HISTORY", "CLINICAL INFORMATION", "REASON FOR EXAM"),
        *("REASON FOR EXAMINATION", "REASON FOR THIS EXAMINATION", "COMPARISON", "COMPARISONS", "TECHNIQUE", "EXAM"),
        *("Clinical details", "Clinical notes", "Presenting complaint", "Request"),
    ],
)
def test_what_is_asked_or_remembered_is_no_finding(heading: str) -> None:
    assert read_report(f"{heading}: Pneumothorax.\nFINDINGS: Clear lungs.").keys() >= {"opacity"}
    assert "pneumothorax" not in read_report(f"{heading}: Pneumothorax.\nFINDINGS: Clear lungs.")


@pytest.mark.parametrize("other", ["kyphosis", "pacemaker", "cardiomegaly", "granuloma"])
def test_a_line_behind_a_denial_is_denied_only_if_such_findings_are_listed(other: str) -> None:
    found = read_report(f"FINDINGS:\nno pneumonia\n{other}\nedema")
    assert found["pneumonia"].status is Status.ABSENT
    assert found[other].status is Status.PRESENT


@pytest.mark.parametrize("heading", ["History", "Family history", "Comparison", "Indication", "Technique"])
def test_a_remark_within_the_findings_ends_with_its_sentence(heading: str) -> None:
    found = read_report(f"FINDINGS:\nClear lungs.\n{heading}: Edema. Large mass.\nIMPRESSION: Scar.")
    assert "pulmonary edema" not in found
    assert found["mass"].status is Status.PRESENT


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (" FINDINGS:  Pneumothorax: none. Pleural effusion: none.\n", [Status.ABSENT, Status.ABSENT]),
        (" FINDINGS:\n Pneumothorax: No\n Pleural effusion: No\n", [Status.ABSENT, Status.ABSENT]),
        (" FINDINGS:\n PNEUMOTHORAX: None.\n PLEURAL EFFUSION: Small.\n", [Status.ABSENT, Status.PRESENT]),
        (" FINDINGS:  Pneumothorax: No. Small pleural effusion.\n", [Status.ABSENT, Status.PRESENT]),
        (" FINDINGS:\n No effusion\n Large pneumothorax\n Normal heart\n", [Status.PRESENT, Status.ABSENT]),
        (" FINDINGS:  There is no pleural effusion or\n pneumothorax.\n", [Status.ABSENT, Status.ABSENT]),
        (" FINDINGS:\n no pneumothorax\n small effusion\n normal heart\n", [Status.ABSENT, Status.PRESENT]),
        (" FINDINGS:\n No pneumothorax or\n small effusion.\n", [Status.ABSENT, Status.ABSENT]),
        (" FINDINGS:\n no evidence of:\n pneumothorax\n pleural effusion\n", [Status.ABSENT, Status.ABSENT]),
        (" FINDINGS:\n There is no\n - pneumothorax\n - effusion\n", [Status.ABSENT, Status.ABSENT]),
        (" FINDINGS:\n free of\n pneumothorax\n effusion\n\n Scar\n", [Status.ABSENT, Status.ABSENT]),
        (" FINDINGS:\n no pneumothorax\n effusion left side\n", [Status.ABSENT, Status.PRESENT]),
        (" FINDINGS:\n no evidence of any\n pneumothorax\n edema\n pleural effusion\n", [Status.ABSENT, Status.ABSENT]),
        (" FINDINGS:\n No pneumothorax, no right\n effusion.\n", [Status.ABSENT, Status.ABSENT]),
        (" FINDINGS:\n There is no pneumothorax ___\n effusion.\n", [Status.ABSENT, Status.ABSENT]),
        (" IMPRESSION: 1. No pneumothorax. 2. Small effusion.\n", [Status.ABSENT, Status.PRESENT]),
        (" IMPRESSION: 1) No pneumothorax 2) Small effusion\n", [Status.ABSENT, Status.PRESENT]),
        (" IMPRESSION:\n - No pneumothorax\n - Small effusion\n", [Status.ABSENT, Status.PRESENT]),
    ],
)
def test_templates_lines_and_points_are_statements_of_their_own(body: str, expected: list[Status]) -> None:
    found = read_report(f" FINAL REPORT\n{body}")
    assert [found[name].status for name in ("pneumothorax", "pleural effusion")] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "1. No edema. 2. Heart of 3.5 cm more. Seen by Dr. Who.",
            ["No edema.", "Heart of 3.5 cm more.", "Seen by Dr. Who."],
        ),
        ("Tip 4.5 cm above the carina. Edema.", ["Tip 4.5 cm above the carina.", "Edema."]),
        ("Pneumonia? Edema.", ["Pneumonia?", "Edema."]),
        ("there is no pleural\neffusion\nheart enlarged", ["there is no pleural effusion", "heart enlarged"]),
        ("A wrapped line of a report that goes on and on until it is full to the\nbrim. Next.", None),
        ("No effusion\n___\n___", ["No effusion", "___", "___"]),
        ("=====\n-----\nheart enlarged", ["=====", "----- heart enlarged"]),
        ("", []),
        (" \n . \n", []),
    ],
)
def test_statements_are_sentences_points_and_lines(text: str, expected: list[str] | None) -> None:
    wrapped = ["A wrapped line of a report that goes on and on until it is full to the brim.", "Next."]
    assert statements(text) == (wrapped if expected is None else expected)
