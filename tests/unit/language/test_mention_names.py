"""Which finding a mention names: by a name, by what is said of a structure, or by its place."""

from __future__ import annotations

import pytest

from mcp_cxr.language import Status, mentions_in

PRESENT, POSSIBLE, ABSENT = Status.PRESENT, Status.POSSIBLE, Status.ABSENT
CLEAR_LUNGS = dict.fromkeys(("opacity", "consolidation", "infiltrate", "airspace disease"), ABSENT)


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("No pleural collections.", {"pleural effusion": ABSENT}),
        ("Elevated pulmonary venous pressures.", {"vascular congestion": PRESENT}),
        ("A torturous aorta.", {"tortuous aorta": PRESENT}),
        ("Low lung volumes exaggerate the bronchovascular markings.", {"low lung volumes": PRESENT}),
        ("Air-space disease.", {"airspace disease": PRESENT}),
        ("PNEUMOTHORACES", {"pneumothorax": PRESENT}),
        ("Atherosclerotic calcifications are seen in the aortic arch.", {"aortic atherosclerosis": PRESENT}),
        ("Calcified granuloma in the right hilum.", {"calcified granuloma": PRESENT}),
        ("Minimal fibrosis at the right apex.", {"pulmonary fibrosis": PRESENT}),
        ("Chronic interstitial markings.", {"interstitial lung disease": PRESENT}),
        ("Faint opacity.", {"opacity": PRESENT}),
        ("Calcified plaque in the aortic arch.", {"aortic atherosclerosis": PRESENT}),
        (
            "Mass in the right upper lobe; soft tissue mass of the axilla.",
            {"lung mass": PRESENT, "chest wall mass": PRESENT},
        ),
        ("No mass.", {"mass": ABSENT}),
        ("Mass in the left side of the neck.", {"mass": PRESENT}),
        ("Postsurgical changes of the left breast.", {"postoperative change": PRESENT}),
        ("Resection of the right upper lobe.", {"lobectomy": PRESENT}),
        ("The patient is rotated to the left.", {"limited image quality": PRESENT}),
        ("No edema or congestion.", {"pulmonary edema": ABSENT, "vascular congestion": ABSENT}),
        (
            "Anaemia, dyspnoea and interstitial pulmonary oedema.",
            {"anemia": PRESENT, "dyspnea": PRESENT, "interstitial edema": PRESENT},
        ),
        ("Normal thymic shadow. Supine trauma film of a 60-year-old.", {}),
        ("Collapse-consolidation of the RLZ.", {"atelectasis": PRESENT, "consolidation": PRESENT}),
        (
            "Both CP angles and domes of diaphragm are normal.",
            {"blunted costophrenic angle": ABSENT, "pleural effusion": ABSENT, "elevated diaphragm": ABSENT},
        ),
        ("Lesion in the left upper lobe; right rib lesion.", {"lung lesion": PRESENT, "bone lesion": PRESENT}),
        ("Sequelae of Koch's. Calcified aortic knuckle.", {"tuberculosis": PRESENT, "aortic calcification": PRESENT}),
    ],
)
def test_a_finding_is_named_by_its_names(sentence: str, expected: dict[str, Status]) -> None:
    assert {one.name: one.status for one in mentions_in(sentence) if one.finding} == expected


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Both CP angles are free.", {"pleural effusion": ABSENT, "blunted costophrenic angle": ABSENT}),
        ("The lungs are clear except for right base atelectasis.", CLEAR_LUNGS | {"atelectasis": PRESENT}),
        ("Cardiothoracic ratio is increased.", {"cardiomegaly": PRESENT}),
        ("Thoracic cavity and bone density are normal.", {}),
        ("The heart may be enlarged.", {"cardiomegaly": POSSIBLE}),
        ("The aorta is tortuous and calcified.", {"tortuous aorta": PRESENT, "aortic calcification": PRESENT}),
        ("Lungs are hyperinflated but clear.", CLEAR_LUNGS | {"hyperinflation": PRESENT}),
        ("Heart size is top normal, increased since May.", {"cardiomegaly": ABSENT}),
        ("Both lungs are clear.", CLEAR_LUNGS),
        ("Calcified ectatic aorta.", {"aortic calcification": PRESENT, "ectatic aorta": PRESENT}),
        ("Aortic ectasia/tortuosity.", {"ectatic aorta": PRESENT, "tortuous aorta": PRESENT}),
        ("Enlarged cardiomediastinal silhouette.", {"enlarged cardiomediastinum": PRESENT, "cardiomegaly": POSSIBLE}),
        (
            "Retraction of both hila, tenting of the diaphragm.",
            {"hilar retraction": PRESENT, "tented diaphragm": PRESENT},
        ),
        ("Heart and mediastinum are normal.", {"cardiomegaly": ABSENT, "enlarged cardiomediastinum": ABSENT}),
        (
            "Cardiac, mediastinal, and hilar contours are unremarkable.",
            {"cardiomegaly": ABSENT, "enlarged cardiomediastinum": ABSENT, "hilar enlargement": ABSENT},
        ),
        (
            "The heart is small, ascending and descending aorta are unfolded.",
            {"small heart": PRESENT, "tortuous aorta": PRESENT},
        ),
        ("Normal cardiothymic silhouette.", {"cardiomegaly": ABSENT, "enlarged cardiomediastinum": ABSENT}),
    ],
)
def test_what_is_said_of_a_structure_names_a_finding(sentence: str, expected: dict[str, Status]) -> None:
    assert {one.name: one.status for one in mentions_in(sentence) if one.finding} == expected


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("The rib is possibly fractured.", {"rib fracture": POSSIBLE}),
        ("Rib deformity, possibly a healing or old fracture.", {"bone deformity": PRESENT, "rib fracture": POSSIBLE}),
        ("Healed rib fractures, no acute fracture.", {"rib fracture": PRESENT, "fracture": ABSENT}),
        ("Fractures of the scapula and clavicle.", {"scapula fracture": PRESENT, "clavicle fracture": PRESENT}),
        ("Arthritic changes throughout the spine.", {"spinal arthritis": PRESENT}),
        ("Scoliosis, convex to the left.", {"levoscoliosis": PRESENT}),
        ("Previous resection of the right fifth rib.", {"rib resection": PRESENT}),
        ("Normal thoracic kyphosis.", {}),
        ("Callus about the right sixth rib.", {"rib fracture": PRESENT}),
    ],
)
def test_a_finding_of_a_bone_is_named_by_the_bone(sentence: str, expected: dict[str, Status]) -> None:
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
