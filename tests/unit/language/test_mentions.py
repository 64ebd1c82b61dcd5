"""The mentions of sentences: which finding, with which status, side, place, size and change."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.demo import PhantomFinding, write_report
from mcp_cxr.language import Status, finding_of_label, mentions_in, read_report
from mcp_cxr.records import LABELS

if TYPE_CHECKING:
    from typing import Any

PRESENT, POSSIBLE, ABSENT = Status.PRESENT, Status.POSSIBLE, Status.ABSENT
VALUES = {PRESENT: 1, POSSIBLE: -1, ABSENT: 0}


CLEAR_LUNGS = dict.fromkeys(("opacity", "consolidation", "infiltrate", "airspace disease"), ABSENT)


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("No change in the left effusion, but no pneumothorax.", {"pleural effusion": PRESENT, "pneumothorax": ABSENT}),
        ("Difficult to fully exclude some underlying airway infection.", {"infection": POSSIBLE}),
        ("It is difficult to completely exclude pneumonia.", {"pneumonia": POSSIBLE}),
        ("Pneumothorax is not definitively ruled out.", {"pneumothorax": POSSIBLE}),
        ("Pneumothorax excluded. Effusion not excluded.", {"pneumothorax": ABSENT, "pleural effusion": POSSIBLE}),
        ("There isn't a pneumothorax.", {"pneumothorax": ABSENT}),
        ("The lungs lack consolidation.", {"consolidation": ABSENT}),
        ("Atelectasis; infection cannot be excluded.", {"atelectasis": PRESENT, "infection": POSSIBLE}),
        ("The earlier nodule is not well seen today.", {"nodule": POSSIBLE}),
        (
            "The nodule is not clearly seen; effusion poorly visualised.",
            {"nodule": POSSIBLE, "pleural effusion": POSSIBLE},
        ),
        ("The nodule is not visualised.", {"nodule": ABSENT}),
        ("Opacity may represent pneumonia.", {"opacity": PRESENT, "pneumonia": POSSIBLE}),
        ("No opacity to suggest pneumonia.", {"opacity": ABSENT, "pneumonia": ABSENT}),
        ("No pneumothorax and a small effusion.", {"pneumothorax": ABSENT, "pleural effusion": PRESENT}),
        ("No pneumothorax but small effusion.", {"pneumothorax": ABSENT, "pleural effusion": PRESENT}),
        ("Atelectasis is possible; pneumonia is unlikely.", {"atelectasis": POSSIBLE, "pneumonia": POSSIBLE}),
        ("Edema has resolved, with persistent effusion.", {"pulmonary edema": ABSENT, "pleural effusion": PRESENT}),
        ("Pneumothorax is ruled out.", {"pneumothorax": ABSENT}),
        ("Rule out pneumothorax.", {"pneumothorax": POSSIBLE}),
        ("The ETT has been removed.", {"endotracheal tube": ABSENT}),
        ("Pericardial effusion is not excluded.", {"pericardial effusion": POSSIBLE}),
        ("No findings to suggest pneumonia.", {"pneumonia": ABSENT}),
        ("Nothing to suggest pneumonia.", {"pneumonia": ABSENT}),
        ("Pneumothorax: none.", {"pneumothorax": ABSENT}),
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
        ("A consolidation cannot be identified.", {"consolidation": ABSENT}),
        ("Doubt pneumonia.", {"pneumonia": POSSIBLE}),
        ("Pneumonia is less likely.", {"pneumonia": POSSIBLE}),
        ("Near complete resolution of the pneumothorax.", {"pneumothorax": PRESENT}),
        ("Removal of the chest tube without pneumothorax.", {"chest tube": ABSENT, "pneumothorax": ABSENT}),
        ("No pneumothorax status post thoracentesis.", {"pneumothorax": ABSENT, "thoracentesis": PRESENT}),
        ("Pneumothorax, if present, is small.", {"pneumothorax": POSSIBLE}),
        ("Opacities, pneumonia in the right clinical setting.", {"opacity": PRESENT, "pneumonia": POSSIBLE}),
        ("No new pneumonia.", {}),
        ("No evidence of new pneumonia.", {}),
        ("Edema with superimposed infection not excluded.", {"pulmonary edema": PRESENT, "infection": POSSIBLE}),
        ("Both CP angles are free.", {"pleural effusion": ABSENT, "blunted costophrenic angle": ABSENT}),
        ("The lungs are clear except for right base atelectasis.", CLEAR_LUNGS | {"atelectasis": PRESENT}),
        ("Can't rule out pneumonia. Could not exclude edema.", {"pneumonia": POSSIBLE, "pulmonary edema": POSSIBLE}),
        ("No pleural collections.", {"pleural effusion": ABSENT}),
        ("Cardiothoracic ratio is increased.", {"cardiomegaly": PRESENT}),
        ("No worsening edema.", {}),
        ("Air-space disease.", {"airspace disease": PRESENT}),
        ("PNEUMOTHORACES", {"pneumothorax": PRESENT}),
        ("Thoracic cavity and bone density are normal.", {}),
        (
            "Widened mediastinum, dissection cannot be excluded.",
            {"widened mediastinum": PRESENT, "aortic dissection": POSSIBLE},
        ),
        ("Small effusion, pneumothorax not seen.", {"pleural effusion": PRESENT, "pneumothorax": ABSENT}),
        ("The heart may be enlarged.", {"cardiomegaly": POSSIBLE}),
        ("The rib is possibly fractured.", {"rib fracture": POSSIBLE}),
        ("Rib deformity, possibly a healing or old fracture.", {"bone deformity": PRESENT, "rib fracture": POSSIBLE}),
        ("The patient has been extubated.", {"endotracheal tube": ABSENT}),
        ("Nodule not seen on the prior study, may be a granuloma.", {"nodule": PRESENT, "granuloma": POSSIBLE}),
        ("The aorta is tortuous and calcified.", {"tortuous aorta": PRESENT, "aortic calcification": PRESENT}),
        ("Atherosclerotic calcifications are seen in the aortic arch.", {"aortic atherosclerosis": PRESENT}),
        ("Calcified granuloma in the right hilum.", {"calcified granuloma": PRESENT}),
        ("Minimal fibrosis at the right apex.", {"pulmonary fibrosis": PRESENT}),
        ("Chronic interstitial markings.", {"interstitial lung disease": PRESENT}),
        ("Lungs are hyperinflated but clear.", CLEAR_LUNGS | {"hyperinflation": PRESENT}),
        ("Healed rib fractures, no acute fracture.", {"rib fracture": PRESENT, "fracture": ABSENT}),
        ("Cervical fusion hardware.", {"spinal hardware": PRESENT}),
        ("The opacity is likely atelectasis.", {"opacity": PRESENT, "atelectasis": POSSIBLE}),
        ("No consolidation, likely bronchiolitis.", {"consolidation": ABSENT, "bronchiolitis": POSSIBLE}),
        ("Leads overlie the chest, and an NG tube is seen.", {"nasogastric tube": PRESENT}),
        ("Faint opacity.", {"opacity": PRESENT}),
        ("Pleura: No effusion or edema.", {"pleural effusion": ABSENT, "pulmonary edema": ABSENT}),
        ("Effusion: no, edema: mild.", {"pleural effusion": ABSENT, "pulmonary edema": PRESENT}),
        ("Evaluation for edema is limited by effusions.", {"pulmonary edema": POSSIBLE, "pleural effusion": PRESENT}),
        ("Evaluation for edema is limited, although none is seen.", {"pulmonary edema": ABSENT}),
        ("It is difficult to exclude a nodule.", {"nodule": POSSIBLE}),
        ("A nodule is difficult to exclude.", {"nodule": POSSIBLE}),
        ("CT may be obtained for further evaluation of the mass.", {"lung mass": PRESENT}),
        ("CT to exclude malignancy in the apical opacity.", {"cancer": POSSIBLE, "opacity": PRESENT}),
        ("Bulky hila, ?sarcoid.", {"hilar enlargement": PRESENT, "sarcoidosis": POSSIBLE}),
        ("No opacity to explain the fever.", {"opacity": ABSENT, "fever": PRESENT}),
        ("The hemothorax has been evacuated.", {"hemothorax": ABSENT}),
        (
            "Effusions persist, and superimposed pneumonia is possible.",
            {"pleural effusion": PRESENT, "pneumonia": POSSIBLE},
        ),
        ("The tip of the PICC is not clearly seen.", {"picc": PRESENT}),
        ("The prior CT from May showed edema, which has resolved.", {"pulmonary edema": ABSENT}),
        ("The nodule is not seen on the lateral view.", {"nodule": POSSIBLE}),
        ("I doubt that there is an effusion.", {"pleural effusion": POSSIBLE}),
        ("It is unclear whether there is an effusion.", {"pleural effusion": POSSIBLE}),
        (
            "Edema, although infection could have a similar appearance.",
            {"pulmonary edema": PRESENT, "infection": POSSIBLE},
        ),
        ("If there is concern for rib fracture, dedicated views are advised.", {}),
        ("Heart size is top normal, increased since May.", {"cardiomegaly": ABSENT}),
        ("Nodule, but malignancy should be excluded.", {"nodule": PRESENT, "cancer": POSSIBLE}),
        ("Both lungs are clear.", CLEAR_LUNGS),
        ("Radiographs are insensitive for rib fracture.", {}),
        ("The effusion is likely chronic.", {"pleural effusion": PRESENT}),
        ("Aspiration is favored over pneumonia.", {"aspiration": POSSIBLE, "pneumonia": POSSIBLE}),
        ("Leads limit evaluation for edema.", {"pulmonary edema": POSSIBLE}),
        ("Leads are in place, the previously noted nodule is not seen.", {"nodule": ABSENT}),
        ("No new effusion, no pneumothorax.", {"pneumothorax": ABSENT}),
        ("The chest tube should be removed.", {"chest tube": PRESENT}),
        ("The PICC is not seen beyond the axilla.", {"picc": PRESENT}),
        ("No infection in the known cavity.", {"infection": ABSENT, "cavity": PRESENT}),
        ("Calcified ectatic aorta.", {"aortic calcification": PRESENT, "ectatic aorta": PRESENT}),
        ("Aortic ectasia/tortuosity.", {"ectatic aorta": PRESENT, "tortuous aorta": PRESENT}),
        ("Enlarged cardiomediastinal silhouette.", {"enlarged cardiomediastinum": PRESENT, "cardiomegaly": POSSIBLE}),
        ("Fractures of the scapula and clavicle.", {"scapula fracture": PRESENT, "clavicle fracture": PRESENT}),
        ("Arthritic changes throughout the spine.", {"spinal arthritis": PRESENT}),
        ("Its tip is at the cavoatrial junction.", {"central venous catheter": PRESENT}),
        ("Right atrial and ventricular leads.", {"pacemaker": PRESENT}),
        (
            "Leads project over the right ventricle, ECG leads over the right atrium.",
            {"pacemaker": PRESENT, "monitoring leads": PRESENT},
        ),
        ("Swan-Ganz catheter with its tip in the right ventricle.", {"swan-ganz catheter": PRESENT}),
        ("Clips project over the right upper quadrant.", {"cholecystectomy clips": PRESENT}),
        ("Clips project over the left upper quadrant.", {"surgical clips": PRESENT}),
        ("Scoliosis, convex to the left.", {"levoscoliosis": PRESENT}),
        (
            "Retraction of both hila, tenting of the diaphragm.",
            {"hilar retraction": PRESENT, "tented diaphragm": PRESENT},
        ),
        ("Previous resection of the right fifth rib.", {"rib resection": PRESENT}),
        ("Normal thoracic kyphosis.", {}),
        ("Calcified plaque in the aortic arch.", {"aortic atherosclerosis": PRESENT}),
        ("Callus about the right sixth rib.", {"rib fracture": PRESENT}),
        (
            "Mass in the right upper lobe; soft tissue mass of the axilla.",
            {"lung mass": PRESENT, "chest wall mass": PRESENT},
        ),
        ("No mass.", {"mass": ABSENT}),
        ("Mass in the left side of the neck.", {"mass": PRESENT}),
        ("Heart and mediastinum are normal.", {"cardiomegaly": ABSENT, "enlarged cardiomediastinum": ABSENT}),
        ("CABG clips.", {"coronary bypass clips": PRESENT}),
        (
            "Cardiac, mediastinal, and hilar contours are unremarkable.",
            {"cardiomegaly": ABSENT, "enlarged cardiomediastinum": ABSENT, "hilar enlargement": ABSENT},
        ),
        ("Postsurgical changes of the left breast.", {"postoperative change": PRESENT}),
        (
            "The heart is small, ascending and descending aorta are unfolded.",
            {"small heart": PRESENT, "tortuous aorta": PRESENT},
        ),
        ("Resection of the right upper lobe.", {"lobectomy": PRESENT}),
        ("Limited assessment for pneumothorax.", {"pneumothorax": POSSIBLE}),
        ("The patient is rotated to the left.", {"limited image quality": PRESENT}),
        ("The tubes have been pulled back.", {"tube": PRESENT}),
        ("No edema or congestion.", {"pulmonary edema": ABSENT, "vascular congestion": ABSENT}),
        ("Normal cardiothymic silhouette.", {"cardiomegaly": ABSENT, "enlarged cardiomediastinum": ABSENT}),
        ("", {}),
    ],
)
def test_each_finding_of_a_sentence_has_its_status(sentence: str, expected: dict[str, Status]) -> None:
    assert {one.name: one.status for one in mentions_in(sentence) if one.finding} == expected


@pytest.mark.parametrize(
    ("sentence", "status"),
    [
        ("Heart size is normal.", ABSENT),
        ("The heart is, in size, within normal limits.", ABSENT),
        ("Heart size at the upper limits of normal.", ABSENT),
        ("The heart is not enlarged.", ABSENT),
        ("The heart and mediastinum are normal.", ABSENT),
        ("Heart size is enlarged.", PRESENT),
        ("The heart is large.", PRESENT),
        ("Borderline cardiomegaly.", PRESENT),
        ("Enlarged cardiac silhouette.", PRESENT),
    ],
)
def test_what_is_said_of_the_heart_states_or_denies_cardiomegaly(sentence: str, status: Status) -> None:
    assert [one.status for one in mentions_in(sentence) if one.name == "cardiomegaly"] == [status]


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        (
            "The lungs are clear except for right base atelectasis.",
            [*((name, set[str]()) for name in CLEAR_LUNGS), ("atelectasis", {"right", "base"})],
        ),
        ("Small left pleural effusion.", [("pleural effusion", {"small", "left"})]),
        ("Loculated right effusion.", [("loculated pleural effusion", {"right"})]),
        ("Calcified left hilar nodes.", [("calcified lymph node", {"calcified", "left", "hilum", "multiple"})]),
        ("Dextroscoliosis.", [("dextroscoliosis", {"right"})]),
        ("Degenerative changes of the spine.", [("degenerative spine", {"thoracic spine"})]),
        ("Compression deformity.", [("compression deformity", {"thoracic spine"})]),
        ("No compression deformity of the spine.", [("compression deformity", set[str]())]),
        ("Spondylosis of the lumbar spine.", [("spondylosis", {"lumbar spine"})]),
        (
            "Degenerative disc disease of T8 with osteophytes.",
            [("degenerative disc disease", {"thoracic spine"}), ("osteophyte", {"thoracic spine", "multiple"})],
        ),
        ("Osteophytes of the humeral necks.", [("osteophyte", {"humerus", "multiple"})]),
        ("The heart is slightly large.", [("cardiomegaly", {"small"})]),
        ("Mild cardiomegaly, stable mediastinal contours.", [("cardiomegaly", {"small", "unchanged"})]),
        ("Right PICC and small effusion.", [("picc", {"right"}), ("pleural effusion", {"small"})]),
        ("Right chest tube and small pneumothorax.", [("chest tube", {"right"}), ("pneumothorax", {"small", "right"})]),
        (
            "Advanced degenerative changes of both glenohumeral joints.",
            [("osteoarthritis", {"large", "left", "right", "shoulder"})],
        ),
        (
            "Fractures of the left clavicle and right scapula.",
            [("clavicle fracture", {"left", "clavicle"}), ("scapula fracture", {"right", "scapula"})],
        ),
        (
            "Clips, mediastinal and left hilar calcifications.",
            [("surgical clips", set[str]()), ("calcification", {"mediastinum", "left", "hilum"})],
        ),
        (
            "The diaphragm is elevated, there are small left and right effusions.",
            [("elevated diaphragm", set[str]()), ("pleural effusion", {"small", "left", "right"})],
        ),
        (
            "Calcified mediastinal and left hilar lymph node.",
            [("calcified lymph node", {"calcified", "mediastinum", "left", "hilum"})],
        ),
        (
            "Degenerative changes of the spine and AC joints.",
            [("osteoarthritis", {"shoulder"}), ("degenerative spine", {"thoracic spine"})],
        ),
        ("CABG clips.", [("coronary bypass clips", {"mediastinum"})]),
        ("Degenerative arthritis of the cervical spine.", [("spinal arthritis", {"cervical spine"})]),
        ("Prior ACDF.", [("spinal hardware", {"cervical spine", "previous"})]),
        ("Spondylosis of the thoracolumbar spine.", [("spondylosis", {"thoracic spine", "lumbar spine"})]),
        ("Trachea displaced to the right by a goiter.", [("tracheal deviation", {"right"}), ("goiter", set[str]())]),
        ("Levo-scoliosis.", [("levoscoliosis", {"left"})]),
        (
            "Multiple nodules, one mass, no granulomas.",
            [("nodule", {"multiple"}), ("lung mass", set()), ("granuloma", set())],
        ),
        ("Markings are crowded.", [("bronchovascular crowding", set())]),
        ("Two bullae and small effusions.", [("bulla", {"multiple"}), ("pleural effusion", {"small"})]),
        ("Enlarged left hilar lymph nodes.", [("hilar lymphadenopathy", {"left", "hilum"})]),
        (
            "Healed fractures of both clavicles.",
            [("clavicle fracture", {"left", "right", "old", "clavicle", "multiple"})],
        ),
        ("Marked improvement in edema.", [("pulmonary edema", {"improved"})]),
        ("Mild worsening of edema.", [("pulmonary edema", {"worse"})]),
        ("Significant reduction in edema.", [("pulmonary edema", {"improved"})]),
        ("Substantial clearing of the pneumonia.", [("pneumonia", {"improved"})]),
        ("Opacities in both lower lobes.", [("opacity", {"left", "right", "lower lobe"})]),
        ("Fracture of left clavicle.", [("clavicle fracture", {"left", "clavicle"})]),
        ("The tube is coiled in the stomach.", [("tube", set())]),
        ("Slightly larger right effusion.", [("pleural effusion", {"right", "worse"})]),
        ("Minimal interval increase in moderate effusion.", [("pleural effusion", {"moderate", "worse"})]),
        ("Mild improving edema.", [("pulmonary edema", {"small", "improved"})]),
        ("Small unchanged effusion.", [("pleural effusion", {"small", "unchanged"})]),
        ("Age-indeterminate rib fracture.", [("rib fracture", {"rib"})]),
        ("Tiny effusion on the right.", [("pleural effusion", {"small", "right"})]),
        ("Bilateral effusions.", [("pleural effusion", {"left", "right"})]),
        ("RLL consolidation.", [("consolidation", {"right", "lower lobe"})]),
        ("Biapical pleural thickening.", [("pleural thickening", {"left", "right", "apex"})]),
        ("Severe edema, worse.", [("pulmonary edema", {"large", "worse"})]),
        ("Right basilar atelectasis has improved.", [("atelectasis", {"right", "base", "improved"})]),
        ("Pneumothorax has nearly resolved.", [("pneumothorax", {"improved"})]),
        ("Stable cardiomegaly.", [("cardiomegaly", {"unchanged"})]),
        ("New left basilar opacity.", [("opacity", {"new", "left", "base"})]),
        ("Fractures of the left sixth and seventh ribs.", [("rib fracture", {"left", "rib", "multiple"})]),
        (
            "Moderate left effusion and cardiomegaly.",
            [("pleural effusion", {"moderate", "left"}), ("cardiomegaly", set())],
        ),
        ("Left effusion and atelectasis.", [("pleural effusion", {"left"}), ("atelectasis", {"left"})]),
        (
            "Effusions are large on the right and small on the left.",
            [("pleural effusion", {"large", "right"}), ("pleural effusion", {"small", "left"})],
        ),
        (
            "Left upper lobe and right lower lobe opacities are unchanged.",
            [("opacity", {"left", "upper lobe", "unchanged"}), ("opacity", {"right", "lower lobe", "unchanged"})],
        ),
        ("Little change in the left effusion.", [("pleural effusion", {"left", "unchanged"})]),
        ("Bilateral effusions, left greater than right.", [("pleural effusion", {"left", "right"})]),
        ("Right middle and lower lobe opacity.", [("opacity", {"right", "middle lobe", "lower lobe"})]),
        ("Chest tube has been removed, no effusion.", [("chest tube", {"resolved"}), ("pleural effusion", set())]),
        ("Small left and right effusions.", [("pleural effusion", {"small", "left", "right"})]),
        (
            "The left costophrenic angle is blunted by a moderate effusion.",
            [("blunted costophrenic angle", {"left"}), ("pleural effusion", {"moderate", "left"})],
        ),
        ("Thoracic spine compression fracture.", [("compression fracture", {"thoracic spine"})]),
        ("Compression deformity of the thoracic spine.", [("compression deformity", {"thoracic spine"})]),
        ("Anterior wedging of T11.", [("vertebral wedging", {"thoracic spine"})]),
        ("Mild height loss of a midthoracic vertebral body.", [("vertebral wedging", {"small", "thoracic spine"})]),
        ("Stable deformity of L2.", [("vertebral wedging", {"unchanged", "lumbar spine"})]),
        (
            "Thoracic spondylosis and a tortuous thoracic aorta.",
            [("spondylosis", {"thoracic spine"}), ("tortuous aorta", set())],
        ),
        ("The tip of the endotracheal tube is at T4.", [("endotracheal tube", set())]),
        ("Opacity in the lower left lung.", [("opacity", {"left", "base"})]),
        ("Emphysema without acute disease.", [("emphysema", set())]),
        ("Hyperinflation with left basilar opacity.", [("hyperinflation", set()), ("opacity", {"left", "base"})]),
        ("The pneumonia has nearly cleared.", [("pneumonia", {"improved"})]),
        ("Left ventricular assist device.", [("ventricular assist device", set())]),
        ("Nodule reflecting old granulomatous disease.", [("nodule", set()), ("granulomatous disease", {"old"})]),
        ("No acute injury, old left rib fracture.", [("rib fracture", {"old", "left", "rib"})]),
        ("Consolidation with a left apical nodule.", [("consolidation", set()), ("nodule", {"left", "apex"})]),
        ("Bilateral bullae, left larger than right.", [("bulla", {"left", "right", "multiple"})]),
        ("Left pneumothorax despite an apical drain.", [("pneumothorax", {"left"}), ("tube", {"apex"})]),
        (
            "No acute fracture, old deformity of the right clavicle.",
            [("fracture", {"acute"}), ("bone deformity", {"old", "right", "clavicle"})],
        ),
        ("The chest tube was slightly withdrawn.", [("chest tube", set())]),
        ("Fluid in the minor fissure.", [("pleural effusion", set())]),
        (
            "Bilateral effusions, large on the right and small on the left.",
            [("pleural effusion", {"large", "right"}), ("pleural effusion", {"small", "left"})],
        ),
        (
            "No pneumonia, left atelectasis has cleared.",
            [("pneumonia", set()), ("atelectasis", {"left", "resolved"})],
        ),
        ("No rib fracture or pneumothorax.", [("rib fracture", {"rib"}), ("pneumothorax", set())]),
        ("Calcified 4 mm granuloma.", [("calcified granuloma", {"calcified"})]),
        ("The heart is grossly normal.", [("cardiomegaly", set())]),
        (
            "No change in moderate left and small right effusions.",
            [
                ("pleural effusion", {"moderate", "left", "unchanged"}),
                ("pleural effusion", {"small", "right", "unchanged"}),
            ],
        ),
        ("The effusion was previously large, now small.", [("pleural effusion", {"small"})]),
        (
            "Left effusion, none on the right.",
            [("pleural effusion", {"left"}), ("pleural effusion", {"right"})],
        ),
        (
            "Right effusion and left opacity are unchanged.",
            [("pleural effusion", {"right", "unchanged"}), ("opacity", {"left", "unchanged"})],
        ),
        ("Edema has improved slightly.", [("pulmonary edema", {"improved"})]),
        ("Small effusion and improved right basal aeration.", [("pleural effusion", {"small"})]),
        (
            "Opacity, which may be scar, edema or both.",
            [("opacity", set()), ("scar", set()), ("pulmonary edema", set())],
        ),
        ("No edema, though the left diaphragm is obscured.", [("pulmonary edema", set())]),
        ("No large effusion, but a small one.", [("pleural effusion", {"large"}), ("pleural effusion", {"small"})]),
        ("The nasogastric tube has been advanced.", [("nasogastric tube", set())]),
        (
            "Right effusion is smaller, whereas the left is larger.",
            [("pleural effusion", {"right", "improved"}), ("pleural effusion", {"left", "worse"})],
        ),
        (
            "Right opacities are stable while those on the left have worsened.",
            [("opacity", {"right", "unchanged"}), ("opacity", {"left", "worse"})],
        ),
        ("Known lymphoma, the effusions are smaller.", [("lymphoma", set()), ("pleural effusion", {"improved"})]),
        ("Continued left effusion.", [("pleural effusion", {"left", "unchanged"})]),
        ("Edema is more severe than before.", [("pulmonary edema", {"worse"})]),
        ("No growth of the nodule.", [("nodule", {"unchanged"})]),
        ("Right upper lobectomy.", [("lobectomy", {"right", "upper lobe"})]),
        (
            "Lung volumes are decreased, with increased markings.",
            [("low lung volumes", set()), ("increased markings", set())],
        ),
        ("Effusion unchanged from the prior study.", [("pleural effusion", {"unchanged"})]),
        ("Monitoring and support devices are in constant position.", [("support device", {"unchanged"})]),
        (
            "No pneumothorax, left rib fractures are stable.",
            [("pneumothorax", set()), ("rib fracture", {"left", "rib", "unchanged", "multiple"})],
        ),
        (
            "Cardiomegaly, small right and moderate left effusions.",
            [
                ("cardiomegaly", set()),
                ("pleural effusion", {"small", "right"}),
                ("pleural effusion", {"moderate", "left"}),
            ],
        ),
        (
            "Edema with small but enlarging effusion.",
            [("pulmonary edema", set()), ("pleural effusion", {"small", "worse"})],
        ),
        (
            "Emphysema with mild bibasilar, left greater than right, scarring.",
            [("emphysema", set()), ("scar", {"small", "base", "left", "right"})],
        ),
        (
            "Low volume examination shows a trace amount of left pleural fluid.",
            [("low lung volumes", set()), ("pleural effusion", {"small", "left"})],
        ),
        ("Bilateral effusions, larger on the left.", [("pleural effusion", {"left", "right"})]),
        (
            "Patchy right upper and left lower lobe opacities.",
            [("opacity", {"patchy", "right", "upper lobe"}), ("opacity", {"patchy", "left", "lower lobe"})],
        ),
        (
            "Right basal opacity, which could represent pneumonia.",
            [("opacity", {"right", "base"}), ("pneumonia", {"right", "base"})],
        ),
        (
            "Emphysema with mild bibasilar, right greater than left consolidation.",
            [("emphysema", set()), ("consolidation", {"small", "base", "left", "right"})],
        ),
        ("The nodule in the right base is densely calcified.", [("calcified nodule", {"right", "base", "calcified"})]),
        ("The nodule is not calcified.", [("nodule", set()), ("calcification", {"calcified"})]),
        (
            "No change in the left effusion and right basal opacity.",
            [("pleural effusion", {"left", "unchanged"}), ("opacity", {"right", "base", "unchanged"})],
        ),
        ("Small effusion or scarring.", [("pleural effusion", {"small"}), ("scar", set())]),
        ("Mucous plugging in the right lower lobe.", [("mucoid impaction", {"right", "lower lobe"})]),
        (
            "Left effusion and left basal atelectasis, both slightly increased.",
            [("pleural effusion", {"left"}), ("atelectasis", {"left", "base", "worse"})],
        ),
        ("A density projects over the right base.", [("opacity", {"right", "base"})]),
        ("Left perihilar mass-like opacity.", [("masslike opacity", {"left", "hilum"})]),
        ("Mild interstitial pattern.", [("increased markings", {"small", "interstitial"})]),
        (
            "Consolidation involves the right middle and both lower lobes.",
            [("consolidation", {"right", "middle lobe"}), ("consolidation", {"left", "right", "lower lobe"})],
        ),
        ("Thickening of the left major fissure.", [("pleural thickening", {"left"})]),
        ("Traction bronchiectasis in the lower lobes.", [("bronchiectasis", {"lower lobe", "left", "right"})]),
        (
            "Left effusion, with adjacent atelectasis.",
            [("pleural effusion", {"left"}), ("atelectasis", {"left"})],
        ),
        ("Left effusion, with pneumonia.", [("pleural effusion", {"left"}), ("pneumonia", set())]),
        (
            "Infiltrates in the right apex and left base have improved.",
            [("infiltrate", {"right", "apex", "improved"}), ("infiltrate", {"left", "base", "improved"})],
        ),
        ("Left effusion, which obscures the heart; pneumonia.", [("pleural effusion", {"left"}), ("pneumonia", set())]),
        ("Bilateral infiltrates, more pronounced on the left.", [("infiltrate", {"left", "right"})]),
        ("The nodule may be exaggerated by overlap.", [("nodule", set())]),
        ("A somewhat oblong opacity.", [("opacity", set())]),
        ("Infiltrates in the left mid and lower lung zones.", [("infiltrate", {"left", "mid lung", "base"})]),
        ("Opacities at the lung bases.", [("opacity", {"base", "left", "right"})]),
        ("A nodule in one of the lung bases.", [("nodule", {"base"})]),
        ("No opacity at the bases.", [("opacity", {"base"})]),
        ("Both angles are sharp; the hemidiaphragms are elevated.", [("elevated diaphragm", {"left", "right"})]),
        ("Granulomata in the right lung.", [("granuloma", {"right", "multiple"})]),
        ("Bullous disease without nodules.", [("bulla", set()), ("nodule", set())]),
        (
            "Crowding and bibasilar opacity.",
            [("bronchovascular crowding", set()), ("opacity", {"base", "left", "right"})],
        ),
        ("Minimal atelectasis or scar on the left.", [("atelectasis", {"small", "left"}), ("scar", {"small", "left"})]),
        ("Lung volumes are slightly decreased.", [("low lung volumes", {"small"})]),
        ("Opacity at the right base compared with the left.", [("opacity", {"right", "base"})]),
        ("A nodule that is not well appreciated on the prior.", [("nodule", {"new"})]),
        (
            "Normal heart size, abnormal interstitial pattern.",
            [("cardiomegaly", set()), ("increased markings", {"interstitial"})],
        ),
        (
            "Calcified small left apical granuloma and calcified right lung nodule.",
            [
                ("calcified granuloma", {"calcified", "small", "left", "apex"}),
                ("calcified nodule", {"calcified", "right"}),
            ],
        ),
        ("Calcified left hilar granuloma.", [("calcified granuloma", {"calcified", "left", "hilum"})]),
        ("Normal heart and hila.", [("cardiomegaly", set())]),
        (
            "Right effusion persists, and pneumonia is possible.",
            [("pleural effusion", {"right", "unchanged"}), ("pneumonia", set())],
        ),
        (
            "No right and small left effusion.",
            [("pleural effusion", {"right"}), ("pleural effusion", {"small", "left"})],
        ),
    ],
)
def test_modifiers_belong_to_their_finding(sentence: str, expected: list[tuple[str, set[str]]]) -> None:
    assert [(one.name, set(one.modifiers)) for one in mentions_in(sentence) if one.finding] == expected


@pytest.mark.parametrize(
    ("report", "sides"),
    [
        ("No left, small right effusion.", {"left": ABSENT, "right": PRESENT}),
        ("No right effusion. Possible left effusion.", {"left": POSSIBLE, "right": ABSENT}),
        ("Possible left effusion. Left effusion.", {"left": PRESENT}),
        ("No effusion. Left effusion.", {"left": PRESENT}),
    ],
)
def test_present_beats_possible_beats_absent_by_side(report: str, sides: dict[str, Status]) -> None:
    assert read_report(report)["pleural effusion"].sides == sides


@pytest.mark.parametrize(
    ("sentence", "side"),
    [("The right lung is clear.", "right"), ("Clear left lung.", "left"), ("Left hemithorax is clear.", "left")],
)
def test_a_clear_lung_denies_what_would_cloud_it_on_its_side(sentence: str, side: str) -> None:
    found = {one.name: one for one in mentions_in(sentence) if one.finding}
    assert {"opacity", "consolidation", "infiltrate", "airspace disease"} <= found.keys()
    assert all((one.status, one.modifiers) == (ABSENT, {side}) for one in found.values())


@pytest.mark.parametrize(
    "sentence",
    [
        "Left effusion, not right.",
        "Left effusion but none on the right.",
        "Effusion on the left, not on the right side.",
    ],
)
def test_a_side_that_is_denied_after_the_finding_is_free_of_it(sentence: str) -> None:
    sides = read_report(f"FINDINGS: {sentence}")["pleural effusion"].sides
    assert sides == {"left": PRESENT, "right": ABSENT}


def test_a_denied_side_of_another_finding_is_of_that_finding() -> None:
    found = read_report("FINDINGS: Left effusion, no right pneumothorax.")
    assert (found["pleural effusion"].sides, found["pneumothorax"].sides) == ({"left": PRESENT}, {"right": ABSENT})


def test_alternatives_share_the_place_named_after_them() -> None:
    found = [one for one in mentions_in("Atelectasis or scarring at the bases.") if one.finding]
    assert [(one.name, one.modifiers) for one in found] == [
        (name, {"base", "left", "right"}) for name in ("atelectasis", "scar")
    ]


def test_what_was_removed_before_is_gone_not_denied() -> None:
    found = {one.name: one for one in mentions_in("No pneumothorax after chest tube removal.") if one.finding}
    assert found["pneumothorax"].modifiers == frozenset()
    assert (found["chest tube"].status, found["chest tube"].modifiers) == (ABSENT, {"resolved"})


def test_resolved_is_absent_and_says_so() -> None:
    (one,) = (each for each in mentions_in("Right pneumothorax has resolved.") if each.finding)
    assert (one.status, one.modifiers) == (ABSENT, {"right", "resolved"})


@pytest.mark.parametrize(
    "sentence",
    [
        "The patient has a history of tuberculosis.",
        "Family history of tuberculosis.",
        "Compared with the prior radiograph, which showed tuberculosis.",
        "Compared with June, at which time there was tuberculosis.",
        "The previous radiograph from June showed tuberculosis.",
        "FINDINGS: Previous pneumonia in ___.",
    ],
)
def test_history_is_no_finding_of_the_study(sentence: str) -> None:
    assert not read_report(sentence).keys() & {"tuberculosis", "pneumonia"}


def test_a_narrower_finding_affirms_the_broader_and_a_denied_one_denies_the_narrower() -> None:
    assert read_report("Right rib fracture.")["fracture"].status is PRESENT
    assert read_report("No fracture.")["rib fracture"].status is ABSENT
    assert "fracture" not in read_report("No rib fracture.")


def test_the_reports_of_the_demo_are_read_as_labeled() -> None:
    """The demo's sentences were written independently of this package, each with its labels."""
    draw = random.Random(5)  # noqa: S311  # not for security
    compared = 0
    for seed in range(150):
        written = write_report(_findings(draw), view="PA", follow_up=False, seed=seed)
        found = read_report(written.text)
        statuses: dict[str, list[Status]] = {label: [] for label in LABELS}
        for name, reading in found.items():
            for one in reading.mentions:
                if one.finding and one.name == name and one.finding.label:
                    statuses[one.finding.label].append(one.status)
        for label, value in written.labels.items():
            if label == "No Finding":  # no sentence has to say it
                continue
            entry = finding_of_label(label)
            assert entry
            name = entry.name
            read = statuses[label] or [found[name].status]
            assert next(VALUES[status] for status in VALUES if status in read) == value, (label, written.text)
            compared += 1
    assert compared > 750


def _findings(draw: random.Random) -> list[PhantomFinding]:
    kinds: list[Any] = ["effusion", "pneumothorax", "cardiomegaly", "nodule", "pacemaker", "central line"]
    grades: list[Any] = ["trace", "small", "moderate", "large"]
    sides: list[Any] = ["left", "right"]
    chosen = draw.sample(kinds, draw.randint(0, 3))
    return [
        PhantomFinding(kind, draw.choice(sides), draw.choice(grades if kind == "effusion" else grades[1:]))
        for kind in chosen
    ]


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
    ],
)
def test_a_denial_ends_where_something_new_is_said(sentence: str, present: set[str]) -> None:
    assert {one.name for one in mentions_in(sentence) if one.finding and one.status is Status.PRESENT} == present


@pytest.mark.parametrize(
    "sentence",
    ["NG tube courses below the diaphragm, tip not seen.", "The tip of the nasogastric tube is not visualized."],
)
def test_a_device_whose_tip_is_out_of_sight_is_present(sentence: str) -> None:
    assert [(one.name, one.status) for one in mentions_in(sentence) if one.finding] == [("nasogastric tube", "present")]


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("The lungs are not clear.", set()),
        ("The heart is not normal in size.", set()),
        ("No normal heart size.", set()),
        ("Hilar prominence within normal limits.", {("hilar enlargement", "absent")}),
        ("The aorta is not tortuous.", {("tortuous aorta", "absent")}),
        ("The mediastinum is not significantly widened.", {("widened mediastinum", "absent")}),
    ],
)
def test_a_denied_predicate_of_a_structure_is_not_taken_for_the_predicate(
    sentence: str, said: set[tuple[str, str]]
) -> None:
    assert {(one.name, str(one.status)) for one in mentions_in(sentence) if one.finding} == said


def test_a_side_before_but_no_takes_the_finding_after_it() -> None:
    found = [(one.status, set(one.modifiers)) for one in mentions_in("A left but no right effusion.") if one.finding]
    assert found == [("present", {"left"}), ("absent", {"right"})]


@pytest.mark.parametrize("sentence", ["The effusion is not increased.", "No significant increase in the effusion."])
def test_a_denied_increase_is_no_change(sentence: str) -> None:
    found = [(one.status, set(one.modifiers)) for one in mentions_in(sentence) if one.finding]
    assert found == [("present", {"unchanged"})]
