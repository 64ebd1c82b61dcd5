"""The status of mentions: what cues deny, doubt or affirm, and where their scope ends."""

from __future__ import annotations

import pytest

from mcp_cxr.language import Status, mentions_in

PRESENT, POSSIBLE, ABSENT = Status.PRESENT, Status.POSSIBLE, Status.ABSENT


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("No change in the left effusion, but no pneumothorax.", {"pleural effusion": PRESENT, "pneumothorax": ABSENT}),
        ("Pneumothorax excluded. Effusion not excluded.", {"pneumothorax": ABSENT, "pleural effusion": POSSIBLE}),
        ("There isn't a pneumothorax.", {"pneumothorax": ABSENT}),
        ("The lungs lack consolidation.", {"consolidation": ABSENT}),
        ("The nodule is not visualised.", {"nodule": ABSENT}),
        ("No opacity to suggest pneumonia.", {"opacity": ABSENT, "pneumonia": ABSENT}),
        ("No pneumothorax and a small effusion.", {"pneumothorax": ABSENT, "pleural effusion": PRESENT}),
        ("No pneumothorax but small effusion.", {"pneumothorax": ABSENT, "pleural effusion": PRESENT}),
        ("Edema has resolved, with persistent effusion.", {"pulmonary edema": ABSENT, "pleural effusion": PRESENT}),
        ("Pneumothorax is ruled out.", {"pneumothorax": ABSENT}),
        ("No findings to suggest pneumonia.", {"pneumonia": ABSENT}),
        ("Nothing to suggest pneumonia.", {"pneumonia": ABSENT}),
        ("Pneumothorax: none.", {"pneumothorax": ABSENT}),
        ("A consolidation cannot be identified.", {"consolidation": ABSENT}),
        ("Near complete resolution of the pneumothorax.", {"pneumothorax": PRESENT}),
        ("No pneumothorax status post thoracentesis.", {"pneumothorax": ABSENT, "thoracentesis": PRESENT}),
        ("No new pneumonia.", {}),
        ("No evidence of new pneumonia.", {}),
        ("No worsening edema.", {}),
        ("Without evidence of enlarging effusion.", {}),
        ("No significant interval worsening in the edema.", {}),
        ("No appreciable increase in right effusion.", {}),
        ("No sign of improvement in the edema.", {}),
        ("No effusion or new pneumothorax.", {"pleural effusion": ABSENT}),
        ("No increased markings.", {"increased markings": ABSENT}),
        ("No evidence of: edema or mass.", {"pulmonary edema": ABSENT, "mass": ABSENT}),
        ("None of the following: edema, scar.", {"pulmonary edema": ABSENT, "scar": ABSENT}),
        ("Possible: edema.", {"pulmonary edema": POSSIBLE}),
        ("Resolved: edema.", {"pulmonary edema": ABSENT}),
        ("Edema was present at the left base but has resolved.", {"pulmonary edema": ABSENT}),
        ("An effusion was noted in May but is not seen now.", {"pleural effusion": ABSENT}),
        ("The tube is coiled and has not been removed.", {"tube": PRESENT}),
        ("An effusion was present on the earlier film but has cleared.", {"pleural effusion": ABSENT}),
        ("An effusion was present, but edema has cleared.", {"pleural effusion": PRESENT, "pulmonary edema": ABSENT}),
        ("The feeding tube is no longer in the trachea.", {"enteric tube": PRESENT}),
        ("Left jugular line no longer crosses the midline.", {"central venous catheter": PRESENT}),
        ("The PICC is no longer kinked.", {"picc": PRESENT}),
        ("The feeding tube is no longer in place.", {"enteric tube": ABSENT}),
        ("L2 compression deformity, not seen on the study of ___.", {"compression deformity": PRESENT}),
        ("Right basal opacity was not present in 2011.", {"opacity": PRESENT}),
        ("A left nodule not visible on ___ measures 9 mm.", {"nodule": PRESENT}),
        ("New opacity, not seen yesterday.", {"opacity": PRESENT}),
        ("The opacity is not seen on today's film.", {"opacity": ABSENT}),
        ("The opacity is not seen in the left lung.", {"opacity": ABSENT}),
        ("No effusion post pacemaker insertion.", {"pleural effusion": ABSENT, "pacemaker": PRESENT}),
        ("No pneumothorax post left thoracentesis.", {"pneumothorax": ABSENT, "thoracentesis": PRESENT}),
        ("No pneumothorax post chest tube removal.", {"pneumothorax": ABSENT, "chest tube": ABSENT}),
        ("No post-obstructive pneumonia.", {"pneumonia": ABSENT}),
        ("No change in the nodule nor in the effusion.", {"nodule": PRESENT, "pleural effusion": PRESENT}),
        ("No improvement in edema nor effusion.", {"pulmonary edema": PRESENT, "pleural effusion": PRESENT}),
        ("Neither the nodule nor the scar has changed.", {"nodule": PRESENT, "scar": PRESENT}),
        ("Neither effusion has increased.", {"pleural effusion": PRESENT}),
        ("No nodule nor effusion.", {"nodule": ABSENT, "pleural effusion": ABSENT}),
        ("Left chest tube is out.", {"chest tube": ABSENT}),
        ("Chest tubes out, no pneumothorax.", {"chest tube": ABSENT, "pneumothorax": ABSENT}),
        ("Enteric tube out of view.", {"enteric tube": PRESENT}),
        ("The PICC has replaced the chest tube.", {"picc": PRESENT, "chest tube": ABSENT}),
        ("Dialysis catheter replacing the PICC.", {"dialysis catheter": PRESENT, "picc": ABSENT}),
        ("The pneumonia has not cleared.", {"pneumonia": PRESENT}),
        ("Edema [x] yes [ ] no", {"pulmonary edema": PRESENT}),
        ("Edema [ ] yes [x] no", {"pulmonary edema": ABSENT}),
        ("[ ] Pleural effusion", {}),
        ("[x] Pleural effusion", {"pleural effusion": PRESENT}),
        ("Edema: N", {"pulmonary edema": ABSENT}),
        ("Edema: (-)", {"pulmonary edema": ABSENT}),
        ("Edema (-), effusion (+)", {"pulmonary edema": ABSENT, "pleural effusion": PRESENT}),
        ("Edema: Y", {"pulmonary edema": PRESENT}),
        ("Edema: N/A", {}),
        ("Scar: -", {"scar": ABSENT}),
        ("Scar: neg.", {"scar": ABSENT}),
        ("Scar: - right apex", {"scar": PRESENT}),
        ("The edema has not entirely resolved.", {"pulmonary edema": PRESENT}),
        ("Right effusion stable, pneumothorax gone.", {"pleural effusion": PRESENT, "pneumothorax": ABSENT}),
        ("PICC cannot be seen beyond the axilla.", {"picc": PRESENT}),
        ("Recommend removal of the feeding tube.", {"enteric tube": PRESENT}),
        (
            "Prior to removal of the chest tube there was no pneumothorax.",
            {"chest tube": PRESENT, "pneumothorax": ABSENT},
        ),
        ("Awaiting PICC placement.", {}),
        ("Chest tube placement is recommended.", {}),
        ("Recommend placement of a feeding tube.", {}),
        ("Unsuccessful left PICC insertion, no pneumothorax.", {"pneumothorax": ABSENT}),
        ("Edema cannot be distinguished from pneumonia.", {"pulmonary edema": POSSIBLE, "pneumonia": POSSIBLE}),
        ("Cannot differentiate scar from a nodule.", {"scar": POSSIBLE, "nodule": POSSIBLE}),
        ("Too early to call pneumonia.", {"pneumonia": POSSIBLE}),
        ("The right upper lobe collapse has re-expanded.", {"atelectasis": ABSENT}),
        ("Atelectasis has partially re-expanded.", {"atelectasis": PRESENT}),
        ("No effusion, PICC in good position.", {"pleural effusion": ABSENT, "picc": PRESENT}),
        ("No edema, feeding tube tip in the stomach.", {"pulmonary edema": ABSENT, "enteric tube": PRESENT}),
        ("No scar, sternal wires intact.", {"scar": ABSENT, "sternal wires": PRESENT}),
        (
            "No scar, chest tube in place, or effusion.",
            {"scar": ABSENT, "chest tube": ABSENT, "pleural effusion": ABSENT},
        ),
        ("no edema chronic scarring is noted", {"pulmonary edema": ABSENT, "scar": PRESENT}),
        ("Removal of the PICC and placement of a chest tube.", {"picc": ABSENT, "chest tube": PRESENT}),
        ("Removal of the PICC with interval insertion of a stent.", {"picc": ABSENT, "stent": PRESENT}),
        ("One of two left chest tubes has been removed.", {"chest tube": PRESENT}),
        ("One of the chest tubes is out.", {"chest tube": PRESENT}),
        ("Tubes: ETT removed.", {"endotracheal tube": ABSENT}),
        ("Lines and tubes: PICC.", {"picc": PRESENT}),
        ("Lines and tubes: unchanged.", {"lines and tubes": PRESENT}),
        ("Apical pneumothorax is no longer seen, the basal component persists.", {"pneumothorax": PRESENT}),
        ("The pneumothorax has not disappeared.", {"pneumothorax": PRESENT}),
        ("The opacity is not completely gone.", {"opacity": PRESENT}),
        ("What appeared to be a nodule is a rib end.", {"nodule": ABSENT}),
        ("What was thought to be pneumonia represents atelectasis.", {"pneumonia": ABSENT, "atelectasis": PRESENT}),
        ("What was thought to be pneumonia is unchanged.", {"pneumonia": POSSIBLE}),
        ("A small effusion might be hidden.", {"pleural effusion": POSSIBLE}),
        ("Effusion could be masked by the breasts.", {"pleural effusion": POSSIBLE}),
        ("Patient at risk for aspiration.", {}),
        ("High risk of pneumothorax.", {}),
        ("no effusion the heart is enlarged", {"pleural effusion": ABSENT, "cardiomegaly": PRESENT}),
        ("no effusion heart is enlarged", {"pleural effusion": ABSENT, "cardiomegaly": PRESENT}),
        ("no scar aorta is tortuous", {"scar": ABSENT, "tortuous aorta": PRESENT}),
        ("no scar the right base shows atelectasis", {"scar": ABSENT, "atelectasis": PRESENT}),
        ("no mass seen mild cardiomegaly noted", {"mass": ABSENT, "cardiomegaly": PRESENT}),
        ("no effusion support devices unchanged", {"pleural effusion": ABSENT, "support device": PRESENT}),
        ("no longer a mass on that side a scar is still seen", {"mass": ABSENT, "scar": PRESENT}),
        ("no mass or scar cardiomegaly is stable", {"mass": ABSENT, "scar": ABSENT, "cardiomegaly": PRESENT}),
        ("no mass effusion or scar is seen", {"mass": ABSENT, "pleural effusion": ABSENT, "scar": ABSENT}),
        ("no pneumothorax pleural effusion is seen", {"pneumothorax": ABSENT, "pleural effusion": ABSENT}),
        ("No increase in heart size.", {}),
        ("No interval increase in pulmonary vascularity.", {}),
        ("No recurrent pneumothorax.", {"pneumothorax": ABSENT}),
        ("It is unlikely that this represents edema.", {"pulmonary edema": POSSIBLE}),
        ("It is doubtful that there is a scar.", {"scar": POSSIBLE}),
        ("Edema seems improbable.", {"pulmonary edema": POSSIBLE}),
        ("Findings argue against edema.", {"pulmonary edema": ABSENT}),
        ("No evidence that the pneumothorax has recurred.", {"pneumothorax": ABSENT}),
        ("No evidence that the effusion has increased.", {}),
        ("An effusion was described and is now absent.", {"pleural effusion": ABSENT}),
        ("Near-total clearing of the edema.", {"pulmonary edema": PRESENT}),
        ("Resolution of edema, effusion persists.", {"pulmonary edema": ABSENT, "pleural effusion": PRESENT}),
        ("No pneumothorax, edema is present.", {"pneumothorax": ABSENT, "pulmonary edema": PRESENT}),
        ("No effusion, the heart is enlarged.", {"pleural effusion": ABSENT, "cardiomegaly": PRESENT}),
        ("No edema, right apical scar unchanged.", {"pulmonary edema": ABSENT, "scar": PRESENT}),
        ("No edema, bibasilar scars noted.", {"pulmonary edema": ABSENT, "scar": PRESENT}),
        ("No edema, effusion is identified.", {"pulmonary edema": ABSENT, "pleural effusion": ABSENT}),
        (
            "No edema, mass or effusion is present.",
            dict.fromkeys(("pulmonary edema", "mass", "pleural effusion"), ABSENT),
        ),
        (
            "No edema, mass, effusion is present.",
            dict.fromkeys(("pulmonary edema", "mass", "pleural effusion"), ABSENT),
        ),
        ("Small effusion, pneumothorax not seen.", {"pleural effusion": PRESENT, "pneumothorax": ABSENT}),
        ("Pleura: No effusion or edema.", {"pleural effusion": ABSENT, "pulmonary edema": ABSENT}),
        ("Effusion: no, edema: mild.", {"pleural effusion": ABSENT, "pulmonary edema": PRESENT}),
        ("Evaluation for edema is limited, although none is seen.", {"pulmonary edema": ABSENT}),
        ("No opacity to explain the fever.", {"opacity": ABSENT, "fever": PRESENT}),
        ("The hemothorax has been evacuated.", {"hemothorax": ABSENT}),
        ("The prior CT from May showed edema, which has resolved.", {"pulmonary edema": ABSENT}),
        ("Leads are in place, the previously noted nodule is not seen.", {"nodule": ABSENT}),
        ("No new effusion, no pneumothorax.", {"pneumothorax": ABSENT}),
        ("No infection in the known cavity.", {"infection": ABSENT, "cavity": PRESENT}),
        ("Insufficient evidence to diagnose pneumonia.", {"pneumonia": ABSENT}),
        ("The right effusion was drained.", {"pleural effusion": ABSENT}),
        ("No hemothorax or mediastinal haematoma.", {"hemothorax": ABSENT, "hematoma": ABSENT}),
        ("The pneumothorax is not visible.", {"pneumothorax": ABSENT}),
        (
            "The effusion has not reaccumulated; edema did not recur.",
            {"pleural effusion": ABSENT, "pulmonary edema": ABSENT},
        ),
        ("Effusion: nil.", {"pleural effusion": ABSENT}),
        ("Completely resolved pneumonia.", {"pneumonia": ABSENT}),
        ("No definite change in the pneumothorax.", {"pneumothorax": PRESENT}),
        ("Consolidation in the RUL/RML.", {"consolidation": PRESENT}),
        ("Absent pneumothorax.", {"pneumothorax": ABSENT}),
        ("Free from consolidation, and no features of failure.", {"consolidation": ABSENT, "heart failure": ABSENT}),
        ("", {}),
    ],
)
def test_a_denial_or_removal_makes_its_findings_absent_and_no_others(
    sentence: str, expected: dict[str, Status]
) -> None:
    assert {one.name: one.status for one in mentions_in(sentence) if one.finding} == expected


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Difficult to fully exclude some underlying airway infection.", {"infection": POSSIBLE}),
        ("It is difficult to completely exclude pneumonia.", {"pneumonia": POSSIBLE}),
        ("Pneumothorax is not definitively ruled out.", {"pneumothorax": POSSIBLE}),
        ("Atelectasis; infection cannot be excluded.", {"atelectasis": PRESENT, "infection": POSSIBLE}),
        ("The earlier nodule is not well seen today.", {"nodule": POSSIBLE}),
        (
            "The nodule is not clearly seen; effusion poorly visualised.",
            {"nodule": POSSIBLE, "pleural effusion": POSSIBLE},
        ),
        ("Opacity may represent pneumonia.", {"opacity": PRESENT, "pneumonia": POSSIBLE}),
        ("Atelectasis is possible; pneumonia is unlikely.", {"atelectasis": POSSIBLE, "pneumonia": POSSIBLE}),
        ("Rule out pneumothorax.", {"pneumothorax": POSSIBLE}),
        ("Pericardial effusion is not excluded.", {"pericardial effusion": POSSIBLE}),
        ("Opacity may be due to pneumonia.", {"opacity": PRESENT, "pneumonia": POSSIBLE}),
        (
            "Opacity compatible with atelectasis or pneumonia.",
            {"opacity": PRESENT, "atelectasis": POSSIBLE, "pneumonia": POSSIBLE},
        ),
        ("Question of a nodule.", {"nodule": POSSIBLE}),
        ("Pneumonia?", {"pneumonia": POSSIBLE}),
        ("Differential includes pneumonia.", {"pneumonia": POSSIBLE}),
        ("Correlate for pneumonia.", {"pneumonia": POSSIBLE}),
        ("Evaluation for pleural effusion is limited.", {"pleural effusion": POSSIBLE}),
        ("A small pneumothorax may not be demonstrated on a supine film.", {"pneumothorax": POSSIBLE}),
        ("Rib fractures may not be visible on this film.", {"rib fracture": POSSIBLE}),
        ("Small effusions may be missed.", {"pleural effusion": POSSIBLE}),
        ("Doubt pneumonia.", {"pneumonia": POSSIBLE}),
        ("Pneumonia is less likely.", {"pneumonia": POSSIBLE}),
        ("Pneumothorax, if present, is small.", {"pneumothorax": POSSIBLE}),
        ("Opacities, pneumonia in the right clinical setting.", {"opacity": PRESENT, "pneumonia": POSSIBLE}),
        ("Edema with superimposed infection not excluded.", {"pulmonary edema": PRESENT, "infection": POSSIBLE}),
        ("Can't rule out pneumonia. Could not exclude edema.", {"pneumonia": POSSIBLE, "pulmonary edema": POSSIBLE}),
        (
            "Widened mediastinum, dissection cannot be excluded.",
            {"widened mediastinum": PRESENT, "aortic dissection": POSSIBLE},
        ),
        ("Nodule not seen on the prior study, may be a granuloma.", {"nodule": PRESENT, "granuloma": POSSIBLE}),
        ("The opacity is likely atelectasis.", {"opacity": PRESENT, "atelectasis": POSSIBLE}),
        ("No consolidation, likely bronchiolitis.", {"consolidation": ABSENT, "bronchiolitis": POSSIBLE}),
        ("Evaluation for edema is limited by effusions.", {"pulmonary edema": POSSIBLE, "pleural effusion": PRESENT}),
        ("It is difficult to exclude a nodule.", {"nodule": POSSIBLE}),
        ("A nodule is difficult to exclude.", {"nodule": POSSIBLE}),
        ("CT may be obtained for further evaluation of the mass.", {"lung mass": PRESENT}),
        ("CT to exclude malignancy in the apical opacity.", {"cancer": POSSIBLE, "opacity": PRESENT}),
        ("Bulky hila, ?sarcoid.", {"hilar enlargement": PRESENT, "sarcoidosis": POSSIBLE}),
        (
            "Effusions persist, and superimposed pneumonia is possible.",
            {"pleural effusion": PRESENT, "pneumonia": POSSIBLE},
        ),
        ("The nodule is not seen on the lateral view.", {"nodule": POSSIBLE}),
        ("I doubt that there is an effusion.", {"pleural effusion": POSSIBLE}),
        ("It is unclear whether there is an effusion.", {"pleural effusion": POSSIBLE}),
        (
            "Edema, although infection could have a similar appearance.",
            {"pulmonary edema": PRESENT, "infection": POSSIBLE},
        ),
        ("If there is concern for rib fracture, dedicated views are advised.", {}),
        ("Nodule, but malignancy should be excluded.", {"nodule": PRESENT, "cancer": POSSIBLE}),
        ("Radiographs are insensitive for rib fracture.", {}),
        ("Repeat radiographs to document clearing of the pneumonia.", {}),
        ("The effusion is likely chronic.", {"pleural effusion": PRESENT}),
        ("Aspiration is favored over pneumonia.", {"aspiration": POSSIBLE, "pneumonia": POSSIBLE}),
        ("Leads limit evaluation for edema.", {"pulmonary edema": POSSIBLE}),
        ("Limited assessment for pneumothorax.", {"pneumothorax": POSSIBLE}),
        (
            "Septal lines, lymphangitis carcinomatosa to be considered.",
            {"septal lines": PRESENT, "lymphangitic carcinomatosis": POSSIBLE},
        ),
        ("Atypical infection could be considered in the differential.", {"infection": POSSIBLE}),
        ("The leading consideration is pneumonia.", {"pneumonia": POSSIBLE}),
        ("Tuberculosis should be kept in mind.", {"tuberculosis": POSSIBLE}),
        ("Differential: pneumonia, edema.", {"pneumonia": POSSIBLE, "pulmonary edema": POSSIBLE}),
        ("Pneumonia can neither be confirmed nor excluded.", {"pneumonia": POSSIBLE}),
        ("Pneumonia cannot be confirmed or excluded.", {"pneumonia": POSSIBLE}),
        ("Opacity is believed to represent atelectasis.", {"opacity": PRESENT, "atelectasis": POSSIBLE}),
        ("Aspiration is the most likely cause.", {"aspiration": POSSIBLE}),
        ("It is unclear if the opacity represents pneumonia.", {"opacity": PRESENT, "pneumonia": POSSIBLE}),
        ("Unclear whether there is an effusion.", {"pleural effusion": POSSIBLE}),
        ("Edema would be favoured over pneumonia.", {"pulmonary edema": POSSIBLE, "pneumonia": POSSIBLE}),
        ("Suggestive but not diagnostic of sarcoidosis.", {"sarcoidosis": POSSIBLE}),
        ("Pneumonia seems less likely given the blunted angle.", {"pneumonia": POSSIBLE}),
        ("A small effusion is probably present.", {"pleural effusion": POSSIBLE}),
        ("Features suspicious of lymphoma.", {"lymphoma": POSSIBLE}),
        ("A small pneumothorax may persist.", {"pneumothorax": POSSIBLE}),
        ("Consolidation, unlikely atelectasis.", {"consolidation": PRESENT, "atelectasis": POSSIBLE}),
        ("Opacity in the right base is likely early pneumonia.", {"opacity": PRESENT, "pneumonia": POSSIBLE}),
        (
            "Nodules persist, differential diagnosis reactive lymphadenopathy.",
            {"nodule": PRESENT, "lymphadenopathy": POSSIBLE},
        ),
        ("Concerning for, but not definitive of, pneumothorax.", {"pneumothorax": POSSIBLE}),
        (
            "An opacity obscures the hemidiaphragm and may represent effusion and atelectasis.",
            {"opacity": PRESENT, "pleural effusion": POSSIBLE, "atelectasis": POSSIBLE},
        ),
    ],
)
def test_a_doubt_makes_its_findings_possible_and_no_others(sentence: str, expected: dict[str, Status]) -> None:
    assert {one.name: one.status for one in mentions_in(sentence) if one.finding} == expected


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("The effusion is small, pneumothorax is not seen.", {"pleural effusion": "present", "pneumothorax": "absent"}),
        ("Edema is stable and pneumonia cannot be excluded.", {"pulmonary edema": "present", "pneumonia": "possible"}),
        (
            "Mild edema has developed, effusion has resolved.",
            {"pulmonary edema": "present", "pleural effusion": "absent"},
        ),
        ("NG tube and ET tube have been removed.", {"nasogastric tube": "absent", "endotracheal tube": "absent"}),
    ],
)
def test_a_cue_after_the_last_of_several_statements_concerns_that_one(sentence: str, expected: dict[str, str]) -> None:
    assert {one.name: one.status for one in mentions_in(sentence) if one.finding} == expected


@pytest.mark.parametrize(
    ("sentence", "present"),
    [
        ("No consolidation, small effusion.", {"pleural effusion"}),
        ("No consolidation or pneumothorax, and small effusions are seen.", {"pleural effusion"}),
        ("No pneumothorax with stable effusion.", {"pleural effusion"}),
        ("No effusion, only mild atelectasis.", {"atelectasis"}),
        ("Removal of the chest tube with new small pneumothorax.", {"pneumothorax"}),
        ("No prior films for comparison, small effusion.", {"pleural effusion"}),
        ("No more than a small effusion.", {"pleural effusion"}),
        ("No effusion seen, left hilar calcifications and a nodule are stable.", {"calcification", "nodule"}),
        ("A skin fold mimics pneumothorax, and a nodule is seen.", {"nodule"}),
        ("A bulla simulating pneumothorax.", {"bulla"}),
        ("Opacity, likely atelectasis, and small effusion.", {"opacity", "pleural effusion"}),
        ("Opacity may be atelectasis, mild edema or effusion.", {"opacity"}),
        ("Breast shadows overlie a nodule.", {"nodule"}),
        ("No pneumothorax, rib fractures are better seen on CT.", {"rib fracture"}),
        ("No displaced fracture is identified, the left hemidiaphragm is elevated.", {"elevated diaphragm"}),
        ("No bone lesion, old clavicle fracture.", {"clavicle fracture"}),
        ("No acute disease, old granulomatous changes are seen.", {"granulomatous disease"}),
        ("No new nodule, the known mass measures 3 cm.", {"lung mass"}),
        ("Most suggestive of artifact, healed rib fracture noted.", {"rib fracture"}),
        ("Probable effusion with mild atelectasis.", {"atelectasis"}),
        ("No pneumothorax, effusion is identified.", set()),
        ("No consolidation, large effusion or pneumothorax.", set()),
        ("Pneumothorax is not definitely seen.", set()),
        ("Pneumothorax is seen on neither side.", set()),
        ("Follow-up to document resolution of pneumonia.", set()),
        ("No evidence that the tube has moved.", set()),
        ("No evidence that there is pneumonia.", set()),
        ("No pneumothorax and only a trace effusion.", {"pleural effusion"}),
    ],
)
def test_a_denial_ends_where_something_new_is_said(sentence: str, present: set[str]) -> None:
    assert {one.name for one in mentions_in(sentence) if one.finding and one.status is Status.PRESENT} == present


def test_what_was_removed_before_is_gone_not_denied() -> None:
    found = {one.name: one for one in mentions_in("No pneumothorax after chest tube removal.") if one.finding}
    assert found["pneumothorax"].modifiers == frozenset()
    assert (found["chest tube"].status, found["chest tube"].modifiers) == (ABSENT, {"resolved"})


def test_resolved_is_absent_and_says_so() -> None:
    (one,) = (each for each in mentions_in("Right pneumothorax has resolved.") if each.finding)
    assert (one.status, one.modifiers) == (ABSENT, {"right", "resolved"})


@pytest.mark.parametrize(
    ("sentence", "absent"),
    [
        ("No evidence that there is pneumonia.", {"pneumonia"}),
        ("No evidence that the patient has pneumonia.", {"pneumonia"}),
        ("No evidence that the tube has moved.", set()),
        ("The findings argue against edema and in favor of pneumonia.", {"pulmonary edema"}),
    ],
)
def test_what_no_evidence_or_an_argument_denies(sentence: str, absent: set[str]) -> None:
    assert {one.name for one in mentions_in(sentence) if one.finding and one.status is ABSENT} == absent


@pytest.mark.parametrize(
    ("sentence", "is_history"),
    [
        ("A pneumothorax was seen on the prior exam.", True),
        ("The pneumothorax is larger than it was on the prior study.", False),
        ("The pneumothorax was small on the prior, now large.", False),
    ],
)
def test_what_is_compared_with_another_examination_is_there(sentence: str, *, is_history: bool) -> None:
    assert [one.is_history for one in mentions_in(sentence) if one.finding] == [is_history]
