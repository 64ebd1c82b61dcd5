"""The sides and places of mentions, and which findings of a list share them."""

from __future__ import annotations

import pytest

from mcp_cxr.language import Status, mentions_in

ABSENT = Status.ABSENT
CLEAR_LUNGS = ("opacity", "consolidation", "infiltrate", "airspace disease")


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Small left pleural effusion.", [("pleural effusion", {"small", "left"})]),
        ("Loculated right effusion.", [("loculated pleural effusion", {"right"})]),
        ("Calcified left hilar nodes.", [("calcified lymph node", {"calcified", "left", "hilum", "multiple"})]),
        ("Markings are crowded.", [("bronchovascular crowding", set())]),
        ("Enlarged left hilar lymph nodes.", [("hilar lymphadenopathy", {"left", "hilum"})]),
        ("Opacities in both lower lobes.", [("opacity", {"left", "right", "lower lobe"})]),
        ("Tiny effusion on the right.", [("pleural effusion", {"small", "right"})]),
        ("Bilateral effusions.", [("pleural effusion", {"left", "right"})]),
        ("RLL consolidation.", [("consolidation", {"right", "lower lobe"})]),
        ("Biapical pleural thickening.", [("pleural thickening", {"left", "right", "apex"})]),
        (
            "Effusions are large on the right and small on the left.",
            [("pleural effusion", {"large", "right"}), ("pleural effusion", {"small", "left"})],
        ),
        ("Bilateral effusions, left greater than right.", [("pleural effusion", {"left", "right"})]),
        ("Right middle and lower lobe opacity.", [("opacity", {"right", "middle lobe", "lower lobe"})]),
        ("Small left and right effusions.", [("pleural effusion", {"small", "left", "right"})]),
        ("Opacity in the lower left lung.", [("opacity", {"left", "base"})]),
        ("Bilateral bullae, left larger than right.", [("bulla", {"left", "right", "multiple"})]),
        ("Fluid in the minor fissure.", [("pleural effusion", set())]),
        (
            "Bilateral effusions, large on the right and small on the left.",
            [("pleural effusion", {"large", "right"}), ("pleural effusion", {"small", "left"})],
        ),
        ("Calcified 4 mm granuloma.", [("calcified granuloma", {"calcified"})]),
        (
            "Left effusion, none on the right.",
            [("pleural effusion", {"left"}), ("pleural effusion", {"right"})],
        ),
        ("Right upper lobectomy.", [("lobectomy", {"right", "upper lobe"})]),
        ("Bilateral effusions, larger on the left.", [("pleural effusion", {"left", "right"})]),
        ("The nodule in the right base is densely calcified.", [("calcified nodule", {"right", "base", "calcified"})]),
        ("The nodule is not calcified.", [("nodule", set()), ("calcification", {"calcified"})]),
        ("Mucous plugging in the right lower lobe.", [("mucoid impaction", {"right", "lower lobe"})]),
        ("A density projects over the right base.", [("opacity", {"right", "base"})]),
        ("Left perihilar mass-like opacity.", [("masslike opacity", {"left", "hilum"})]),
        ("Thickening of the left major fissure.", [("pleural thickening", {"left"})]),
        ("Traction bronchiectasis in the lower lobes.", [("bronchiectasis", {"lower lobe", "left", "right"})]),
        ("Infiltrates in the left mid and lower lung zones.", [("infiltrate", {"left", "mid lung", "base"})]),
        ("Opacities at the lung bases.", [("opacity", {"base", "left", "right"})]),
        ("A nodule in one of the lung bases.", [("nodule", {"base"})]),
        ("No opacity at the bases.", [("opacity", {"base"})]),
        ("Lingular nodule.", [("nodule", {"left", "lingula"})]),
        ("Nodule in the middle lobe.", [("nodule", {"right", "middle lobe"})]),
        ("Granulomata in the right lung.", [("granuloma", {"right", "multiple"})]),
        ("Calcified left hilar granuloma.", [("calcified granuloma", {"calcified", "left", "hilum"})]),
    ],
)
def test_a_finding_has_the_sides_and_places_of_its_phrase(sentence: str, expected: list[tuple[str, set[str]]]) -> None:
    assert [(one.name, set(one.modifiers)) for one in mentions_in(sentence) if one.finding] == expected


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        (
            "The lungs are clear except for right base atelectasis.",
            [*((name, set[str]()) for name in CLEAR_LUNGS), ("atelectasis", {"right", "base"})],
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
        ("Trachea displaced to the right by a goiter.", [("tracheal deviation", {"right"}), ("goiter", set[str]())]),
        (
            "Moderate left effusion and cardiomegaly.",
            [("pleural effusion", {"moderate", "left"}), ("cardiomegaly", set())],
        ),
        ("Left effusion and atelectasis.", [("pleural effusion", {"left"}), ("atelectasis", {"left"})]),
        (
            "The left costophrenic angle is blunted by a moderate effusion.",
            [("blunted costophrenic angle", {"left"}), ("pleural effusion", {"moderate", "left"})],
        ),
        ("Hyperinflation with left basilar opacity.", [("hyperinflation", set()), ("opacity", {"left", "base"})]),
        ("Consolidation with a left apical nodule.", [("consolidation", set()), ("nodule", {"left", "apex"})]),
        (
            "Opacity, which may be scar, edema or both.",
            [("opacity", set()), ("scar", set()), ("pulmonary edema", set())],
        ),
        ("No edema, though the left diaphragm is obscured.", [("pulmonary edema", set())]),
        (
            "Cardiomegaly, small right and moderate left effusions.",
            [
                ("cardiomegaly", set()),
                ("pleural effusion", {"small", "right"}),
                ("pleural effusion", {"moderate", "left"}),
            ],
        ),
        (
            "Emphysema with mild bibasilar, left greater than right, scarring.",
            [("emphysema", set()), ("scar", {"small", "base", "left", "right"})],
        ),
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
        (
            "Consolidation involves the right middle and both lower lobes.",
            [("consolidation", {"right", "middle lobe"}), ("consolidation", {"left", "right", "lower lobe"})],
        ),
        (
            "Left effusion, with adjacent atelectasis.",
            [("pleural effusion", {"left"}), ("atelectasis", {"left"})],
        ),
        ("Left effusion, with pneumonia.", [("pleural effusion", {"left"}), ("pneumonia", set())]),
        ("Left effusion, which obscures the heart; pneumonia.", [("pleural effusion", {"left"}), ("pneumonia", set())]),
        ("Both angles are sharp; the hemidiaphragms are elevated.", [("elevated diaphragm", {"left", "right"})]),
        ("Bullous disease without nodules.", [("bulla", set()), ("nodule", set())]),
        (
            "Crowding and bibasilar opacity.",
            [("bronchovascular crowding", set()), ("opacity", {"base", "left", "right"})],
        ),
        ("Opacity at the right base compared with the left.", [("opacity", {"right", "base"})]),
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
        ("Normal heart and hila.", [("cardiomegaly", set())]),
        (
            "No right and small left effusion.",
            [("pleural effusion", {"right"}), ("pleural effusion", {"small", "left"})],
        ),
    ],
)
def test_findings_of_a_sentence_share_a_side_or_place_only_as_a_list(
    sentence: str, expected: list[tuple[str, set[str]]]
) -> None:
    assert [(one.name, set(one.modifiers)) for one in mentions_in(sentence) if one.finding] == expected


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
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
        (
            "Advanced degenerative changes of both glenohumeral joints.",
            [("osteoarthritis", {"large", "left", "right", "shoulder"})],
        ),
        (
            "Fractures of the left clavicle and right scapula.",
            [("clavicle fracture", {"left", "clavicle"}), ("scapula fracture", {"right", "scapula"})],
        ),
        (
            "Degenerative changes of the spine and AC joints.",
            [("osteoarthritis", {"shoulder"}), ("degenerative spine", {"thoracic spine"})],
        ),
        ("Degenerative arthritis of the cervical spine.", [("spinal arthritis", {"cervical spine"})]),
        ("Prior ACDF.", [("spinal hardware", {"cervical spine", "previous"})]),
        ("Spondylosis of the thoracolumbar spine.", [("spondylosis", {"thoracic spine", "lumbar spine"})]),
        ("Levo-scoliosis.", [("levoscoliosis", {"left"})]),
        (
            "Healed fractures of both clavicles.",
            [("clavicle fracture", {"left", "right", "old", "clavicle", "multiple"})],
        ),
        ("Fracture of left clavicle.", [("clavicle fracture", {"left", "clavicle"})]),
        ("Fractures of the left sixth and seventh ribs.", [("rib fracture", {"left", "rib", "multiple"})]),
        ("Thoracic spine compression fracture.", [("compression fracture", {"thoracic spine"})]),
        ("Compression deformity of the thoracic spine.", [("compression deformity", {"thoracic spine"})]),
        ("Anterior wedging of T11.", [("vertebral wedging", {"thoracic spine"})]),
        ("Mild height loss of a midthoracic vertebral body.", [("vertebral wedging", {"small", "thoracic spine"})]),
        ("Stable deformity of L2.", [("vertebral wedging", {"unchanged", "lumbar spine"})]),
        (
            "Thoracic spondylosis and a tortuous thoracic aorta.",
            [("spondylosis", {"thoracic spine"}), ("tortuous aorta", set())],
        ),
        ("No rib fracture or pneumothorax.", [("rib fracture", {"rib"}), ("pneumothorax", set())]),
    ],
)
def test_a_finding_of_a_bone_is_at_its_part_of_the_skeleton(
    sentence: str, expected: list[tuple[str, set[str]]]
) -> None:
    assert [(one.name, set(one.modifiers)) for one in mentions_in(sentence) if one.finding] == expected


@pytest.mark.parametrize(
    ("sentence", "side"),
    [("The right lung is clear.", "right"), ("Clear left lung.", "left"), ("Left hemithorax is clear.", "left")],
)
def test_a_clear_lung_denies_what_would_cloud_it_on_its_side(sentence: str, side: str) -> None:
    found = {one.name: one for one in mentions_in(sentence) if one.finding}
    assert {"opacity", "consolidation", "infiltrate", "airspace disease"} <= found.keys()
    assert all((one.status, one.modifiers) == (ABSENT, {side}) for one in found.values())


@pytest.mark.parametrize(
    ("sentence", "finding"),
    [
        ("The right costophrenic angle is blunted, with a small effusion; the left is clear.", "pleural effusion"),
        ("The right hemidiaphragm is elevated, the left is normal.", "elevated diaphragm"),
        ("The right lung shows consolidation, the left is clear.", "consolidation"),
    ],
)
def test_a_normal_left_is_no_side_of_the_finding_on_the_right(sentence: str, finding: str) -> None:
    found = [(one.status, one.modifiers_of("side")) for one in mentions_in(sentence) if one.name == finding]
    assert (ABSENT, {"left"}) in found
    assert all(sides != {"left", "right"} for _, sides in found)


@pytest.mark.parametrize(
    ("sentence", "finding", "sides"),
    [
        ("Right lower lobe consolidation is less dense, the left lower lobe is clear.", "consolidation", {"right"}),
        ("Right upper lobe mass, left lung normal.", "lung mass", {"right"}),
        ("Right upper lobe mass; left upper lobe is unremarkable.", "lung mass", {"right"}),
        ("Left basal atelectasis and the right base is normal.", "atelectasis", {"left"}),
        ("Right nodule, left apex within normal limits.", "nodule", {"right"}),
        ("The left base is clear; right apical scar.", "scar", {"right"}),
        ("The left lung is well aerated, right lung shows a scar.", "scar", {"right"}),
        ("Left IJ removed; new right PICC.", "picc", {"right"}),
        ("The left lung is well aerated without effusion.", "pleural effusion", {"left"}),
        ("Left base unchanged; right effusion is larger.", "pleural effusion", {"right"}),
        ("Left line has been withdrawn; new right PICC ends in the SVC.", "picc", {"right"}),
        ("Blunting of the right costophrenic angle, left is sharp.", "blunted costophrenic angle", {"right"}),
        ("The nasogastric tube ends below the left hemidiaphragm.", "nasogastric tube", set()),
        ("On the right, there is a scar; on the left, a nodule.", "nodule", {"left"}),
        ("On the right, there is a scar; on the left, a nodule.", "scar", {"right"}),
        ("Small effusions, larger on left.", "pleural effusion", {"left"}),
        ("The left upper lobe is clear of consolidation.", "consolidation", {"left"}),
        ("Right (small) effusion.", "pleural effusion", {"right"}),
    ],
)
def test_a_side_of_what_is_normal_or_of_another_clause_is_none_of_the_finding(
    sentence: str, finding: str, sides: set[str]
) -> None:
    found = [one.modifiers_of("side") for one in mentions_in(sentence) if one.name == finding]
    assert sides in found
    assert all(one <= sides or not one & sides for one in found)


@pytest.mark.parametrize(
    ("sentence", "absent", "present"),
    [
        ("Left effusion has resolved and the right is smaller.", "left", "right"),
        ("Right effusion has cleared and the left is unchanged.", "right", "left"),
        ("Right effusion has resolved but the left persists.", "right", "left"),
        ("Right effusion resolved, left effusion unchanged.", "right", "left"),
        ("R effusion gone, L effusion stable.", "right", "left"),
        ("Bibasilar effusions, the right has resolved.", "right", "left"),
        ("Bilateral chest tubes, the left was removed.", "left", "right"),
        ("Bilateral chest tubes, the right having been removed.", "right", "left"),
        ("Effusions: right gone; left small.", "right", "left"),
        ("There is a right scar, not seen on the left.", "left", "right"),
        ("The right effusion is larger and the left has resolved.", "left", "right"),
        ("A left effusion is new, on the right it has cleared.", "right", "left"),
        ("No right effusion, and the left is small.", "right", "left"),
    ],
)
def test_a_finding_that_is_gone_on_one_side_is_still_on_the_other(sentence: str, absent: str, present: str) -> None:
    found = {(one.status.value, *one.modifiers_of("side")) for one in mentions_in(sentence) if one.finding}
    assert found == {("absent", absent), ("present", present)}


def test_alternatives_share_the_place_named_after_them() -> None:
    found = [one for one in mentions_in("Atelectasis or scarring at the bases.") if one.finding]
    assert [(one.name, one.modifiers) for one in found] == [
        (name, {"base", "left", "right"}) for name in ("atelectasis", "scar")
    ]


@pytest.mark.parametrize(
    "sentence",
    [
        "A left but no right effusion.",
        "Left, not right, effusion.",
        "Blunting of the left, but not the right, costophrenic angle.",
        "The left but not the right hemidiaphragm is elevated.",
        "The left lung, but not the right, is hyperinflated.",
    ],
)
def test_a_finding_of_one_side_and_not_the_other_is_absent_there(sentence: str) -> None:
    found = [(one.status, set(one.modifiers)) for one in mentions_in(sentence) if one.finding]
    assert found == [("present", {"left"}), ("absent", {"right"})]
