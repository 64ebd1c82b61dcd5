"""Mentions of devices: tubes, lines, leads, clips and hardware."""

from __future__ import annotations

import pytest

from mcp_cxr.language import Status, mentions_in

PRESENT, ABSENT = Status.PRESENT, Status.ABSENT


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("The ETT has been removed.", {"endotracheal tube": ABSENT}),
        ("Removal of the chest tube without pneumothorax.", {"chest tube": ABSENT, "pneumothorax": ABSENT}),
        ("The patient has been extubated.", {"endotracheal tube": ABSENT}),
        ("Cervical fusion hardware.", {"spinal hardware": PRESENT}),
        ("Leads overlie the chest, and an NG tube is seen.", {"nasogastric tube": PRESENT}),
        ("The tip of the PICC is not clearly seen.", {"picc": PRESENT}),
        ("The chest tube should be removed.", {"chest tube": PRESENT}),
        ("The PICC is not seen beyond the axilla.", {"picc": PRESENT}),
        ("Its tip is at the cavoatrial junction.", {"central venous catheter": PRESENT}),
        ("Right atrial and ventricular leads.", {"pacemaker": PRESENT}),
        (
            "Leads project over the right ventricle, ECG leads over the right atrium.",
            {"pacemaker": PRESENT, "monitoring leads": PRESENT},
        ),
        ("Swan-Ganz catheter with its tip in the right ventricle.", {"swan-ganz catheter": PRESENT}),
        ("Clips project over the right upper quadrant.", {"cholecystectomy clips": PRESENT}),
        ("Clips project over the left upper quadrant.", {"surgical clips": PRESENT}),
        ("CABG clips.", {"coronary bypass clips": PRESENT}),
        ("The tubes have been pulled back.", {"tube": PRESENT}),
        ("Fractured sternal wires; no hardware loosening.", {"sternal wires": PRESENT, "orthopedic hardware": PRESENT}),
        ("No fracture of the right ventricular lead.", {"pacemaker": PRESENT}),
        ("Pacemaker in place, a lead appears fractured.", {"pacemaker": PRESENT}),
        ("Left IJ terminates in the SVC.", {"central venous catheter": PRESENT}),
        ("Thrombus in the right IJ.", {}),
        ("Aortic and mitral valve prostheses.", {"heart valve prosthesis": PRESENT}),
    ],
)
def test_each_device_of_a_sentence_has_its_status(sentence: str, expected: dict[str, Status]) -> None:
    assert {one.name: one.status for one in mentions_in(sentence) if one.finding} == expected


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Right PICC and small effusion.", [("picc", {"right"}), ("pleural effusion", {"small"})]),
        ("Right chest tube and small pneumothorax.", [("chest tube", {"right"}), ("pneumothorax", {"small", "right"})]),
        ("The tube is coiled in the stomach.", [("tube", set())]),
        ("Chest tube has been removed, no effusion.", [("chest tube", {"resolved"}), ("pleural effusion", set())]),
        ("The tip of the endotracheal tube is at T4.", [("endotracheal tube", set())]),
        ("RIJ CVL in the SVC.", [("central venous catheter", {"right"})]),
        ("Left ventricular assist device.", [("ventricular assist device", set())]),
        ("Left pneumothorax despite an apical drain.", [("pneumothorax", {"left"}), ("tube", {"apex"})]),
        ("The chest tube was slightly withdrawn.", [("chest tube", set())]),
        ("The nasogastric tube has been advanced.", [("nasogastric tube", set())]),
        ("Monitoring and support devices are in constant position.", [("support device", {"unchanged"})]),
        ("CABG clips.", [("coronary bypass clips", {"mediastinum"})]),
        ("The left PICC has migrated into the right jugular vein.", [("picc", {"left"})]),
        ("A left chest tube and another on the right.", [("chest tube", {"left", "right"})]),
        ("Swan-Ganz catheter in the right pulmonary artery.", [("swan-ganz catheter", set())]),
        ("The introducer sheath was left in place.", [("central venous catheter", set())]),
    ],
)
def test_a_device_has_its_own_side_and_place(sentence: str, expected: list[tuple[str, set[str]]]) -> None:
    assert [(one.name, set(one.modifiers)) for one in mentions_in(sentence) if one.finding] == expected


@pytest.mark.parametrize(
    "sentence",
    ["NG tube courses below the diaphragm, tip not seen.", "The tip of the nasogastric tube is not visualized."],
)
def test_a_device_whose_tip_is_out_of_sight_is_present(sentence: str) -> None:
    assert [(one.name, one.status) for one in mentions_in(sentence) if one.finding] == [("nasogastric tube", "present")]
