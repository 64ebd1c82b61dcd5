"""The sizes, numbers, ages and changes of mentions."""

from __future__ import annotations

import pytest

from mcp_cxr.language import mentions_in


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("The heart is slightly large.", [("cardiomegaly", {"small"})]),
        (
            "Multiple nodules, one mass, no granulomas.",
            [("nodule", {"multiple"}), ("lung mass", set()), ("granuloma", set())],
        ),
        ("Two bullae and small effusions.", [("bulla", {"multiple"}), ("pleural effusion", {"small"})]),
        ("The heart is grossly normal.", [("cardiomegaly", set())]),
        ("The heart remains markedly enlarged.", [("cardiomegaly", {"large", "unchanged"})]),
        (
            "Marked effusion, markedly increased markings.",
            [("pleural effusion", {"large"}), ("increased markings", {"large"})],
        ),
        ("The effusion was previously large, now small.", [("pleural effusion", {"small"})]),
        ("No large effusion, but a small one.", [("pleural effusion", {"large"}), ("pleural effusion", {"small"})]),
        (
            "Low volume examination shows a trace amount of left pleural fluid.",
            [("low lung volumes", set()), ("pleural effusion", {"small", "left"})],
        ),
        ("Small effusion or scarring.", [("pleural effusion", {"small"}), ("scar", set())]),
        ("Mild interstitial pattern.", [("increased markings", {"small", "interstitial"})]),
        ("Bilateral infiltrates, more pronounced on the left.", [("infiltrate", {"left", "right"})]),
        ("The nodule may be exaggerated by overlap.", [("nodule", set())]),
        ("A somewhat oblong opacity.", [("opacity", set())]),
        ("Minimal atelectasis or scar on the left.", [("atelectasis", {"small", "left"}), ("scar", {"small", "left"})]),
        ("Lung volumes are slightly decreased.", [("low lung volumes", {"small"})]),
    ],
)
def test_a_size_or_number_belongs_to_its_finding(sentence: str, expected: list[tuple[str, set[str]]]) -> None:
    assert [(one.name, set(one.modifiers)) for one in mentions_in(sentence) if one.finding] == expected


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Mild cardiomegaly, stable mediastinal contours.", [("cardiomegaly", {"small", "unchanged"})]),
        ("Marked improvement in edema.", [("pulmonary edema", {"improved"})]),
        ("Mild worsening of edema.", [("pulmonary edema", {"worse"})]),
        ("Significant reduction in edema.", [("pulmonary edema", {"improved"})]),
        ("Substantial clearing of the pneumonia.", [("pneumonia", {"improved"})]),
        ("Slightly larger right effusion.", [("pleural effusion", {"right", "worse"})]),
        ("Minimal interval increase in moderate effusion.", [("pleural effusion", {"moderate", "worse"})]),
        ("Mild improving edema.", [("pulmonary edema", {"small", "improved"})]),
        ("Small unchanged effusion.", [("pleural effusion", {"small", "unchanged"})]),
        ("The pneumothorax is not any larger.", [("pneumothorax", {"unchanged"})]),
        ("The effusion fails to decrease.", [("pleural effusion", {"unchanged"})]),
        ("Small bilateral effusions, larger on left.", [("pleural effusion", {"small", "left", "right"})]),
        (
            "There is less fluid in the right pleural space and more in the left.",
            [("pleural effusion", {"right", "improved"}), ("pleural effusion", {"left", "worse"})],
        ),
        (
            "Improvement of the right but not the left effusion.",
            [("pleural effusion", {"right", "improved"}), ("pleural effusion", {"left", "unchanged"})],
        ),
        ("Age-indeterminate rib fracture.", [("rib fracture", {"rib"})]),
        ("Severe edema, worse.", [("pulmonary edema", {"large", "worse"})]),
        ("Right basilar atelectasis has improved.", [("atelectasis", {"right", "base", "improved"})]),
        ("Pneumothorax has nearly resolved.", [("pneumothorax", {"improved"})]),
        ("Stable cardiomegaly.", [("cardiomegaly", {"unchanged"})]),
        ("New left basilar opacity.", [("opacity", {"new", "left", "base"})]),
        (
            "Left upper lobe and right lower lobe opacities are unchanged.",
            [("opacity", {"left", "upper lobe", "unchanged"}), ("opacity", {"right", "lower lobe", "unchanged"})],
        ),
        ("Little change in the left effusion.", [("pleural effusion", {"left", "unchanged"})]),
        ("Emphysema without acute disease.", [("emphysema", set())]),
        ("The pneumonia has nearly cleared.", [("pneumonia", {"improved"})]),
        ("The edema has cleared a bit.", [("pulmonary edema", {"improved"})]),
        ("The consolidation resolved somewhat.", [("consolidation", {"improved"})]),
        ("The edema has partly cleared.", [("pulmonary edema", {"improved"})]),
        ("The pneumonia has cleared to some extent.", [("pneumonia", {"improved"})]),
        ("Nodule reflecting old granulomatous disease.", [("nodule", set()), ("granulomatous disease", {"old"})]),
        ("No acute injury, old left rib fracture.", [("rib fracture", {"old", "left", "rib"})]),
        (
            "No acute fracture, old deformity of the right clavicle.",
            [("fracture", {"acute"}), ("bone deformity", {"old", "right", "clavicle"})],
        ),
        (
            "No pneumonia, left atelectasis has cleared.",
            [("pneumonia", set()), ("atelectasis", {"left", "resolved"})],
        ),
        (
            "No change in moderate left and small right effusions.",
            [
                ("pleural effusion", {"moderate", "left", "unchanged"}),
                ("pleural effusion", {"small", "right", "unchanged"}),
            ],
        ),
        (
            "Right effusion and left opacity are unchanged.",
            [("pleural effusion", {"right", "unchanged"}), ("opacity", {"left", "unchanged"})],
        ),
        ("Edema has improved slightly.", [("pulmonary edema", {"improved"})]),
        ("Small effusion and improved right basal aeration.", [("pleural effusion", {"small"})]),
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
        (
            "Lung volumes are decreased, with increased markings.",
            [("low lung volumes", set()), ("increased markings", set())],
        ),
        ("Effusion unchanged from the prior study.", [("pleural effusion", {"unchanged"})]),
        (
            "No pneumothorax, left rib fractures are stable.",
            [("pneumothorax", set()), ("rib fracture", {"left", "rib", "unchanged", "multiple"})],
        ),
        (
            "Edema with small but enlarging effusion.",
            [("pulmonary edema", set()), ("pleural effusion", {"small", "worse"})],
        ),
        (
            "No change in the left effusion and right basal opacity.",
            [("pleural effusion", {"left", "unchanged"}), ("opacity", {"right", "base", "unchanged"})],
        ),
        (
            "Left effusion and left basal atelectasis, both slightly increased.",
            [("pleural effusion", {"left"}), ("atelectasis", {"left", "base", "worse"})],
        ),
        (
            "Infiltrates in the right apex and left base have improved.",
            [("infiltrate", {"right", "apex", "improved"}), ("infiltrate", {"left", "base", "improved"})],
        ),
        ("A nodule that is not well appreciated on the prior.", [("nodule", {"new"})]),
        (
            "Right effusion persists, and pneumonia is possible.",
            [("pleural effusion", {"right", "unchanged"}), ("pneumonia", set())],
        ),
        (
            "Decrease in lung volumes and increased bibasilar atelectasis.",
            [("low lung volumes", set()), ("atelectasis", {"left", "right", "base", "worse"})],
        ),
        ("Lung volumes have decreased.", [("low lung volumes", set())]),
        (
            "Lung volumes have increased, with less basal atelectasis.",
            [("atelectasis", {"base", "improved"})],
        ),
        ("Interval increase in lung volumes and persistent edema.", [("pulmonary edema", {"unchanged"})]),
        ("Slightly more left effusion than before.", [("pleural effusion", {"left", "worse"})]),
        ("More effusion on the left than on the right.", [("pleural effusion", {"left", "right"})]),
        (
            "More left effusion, less right effusion.",
            [("pleural effusion", {"left", "worse"}), ("pleural effusion", {"right", "improved"})],
        ),
        (
            "A more focal opacity, more likely a scar than a nodule.",
            [("opacity", {"focal"}), ("scar", set()), ("nodule", set())],
        ),
        ("Increased retrocardiac opacity has improved.", [("opacity", {"retrocardiac", "improved"})]),
        ("Stable increased density at the left base.", [("opacity", {"left", "base", "unchanged"})]),
        (
            "Increased right and unchanged left effusion.",
            [("pleural effusion", {"right", "worse"}), ("pleural effusion", {"left", "unchanged"})],
        ),
        ("Almost complete evacuation of the left effusion.", [("pleural effusion", {"left", "improved"})]),
        ("Edema is more severe than on the earlier film.", [("pulmonary edema", {"worse"})]),
        ("Sm L eff, no ptx.", [("pleural effusion", {"small", "left"}), ("pneumothorax", set())]),
        ("Partially drained left effusion.", [("pleural effusion", {"left", "improved"})]),
        ("Redemonstration of a left nodule.", [("nodule", {"left", "unchanged"})]),
        ("Interval placement of a right chest tube.", [("chest tube", {"right", "new"})]),
        (
            "Left chest tube and right chest wall port are unchanged.",
            [("chest tube", {"left", "unchanged"}), ("implanted port", {"right", "unchanged"})],
        ),
        (
            "Unchanged position of the left central line and tracheostomy.",
            [("central venous catheter", {"left", "unchanged"}), ("tracheostomy tube", {"unchanged"})],
        ),
        ("The effusion has almost disappeared.", [("pleural effusion", {"improved"})]),
        (
            "Bibasilar atelectasis has improved on the right and worsened on the left.",
            [("atelectasis", {"right", "base", "improved"}), ("atelectasis", {"left", "base", "worse"})],
        ),
        (
            "Severe cardiomegaly with mild edema, both unchanged.",
            [("cardiomegaly", {"large", "unchanged"}), ("pulmonary edema", {"small", "unchanged"})],
        ),
        (
            "A right PICC, a feeding tube and sternal wires are all unchanged.",
            [("picc", {"right", "unchanged"}), ("enteric tube", {"unchanged"}), ("sternal wires", {"unchanged"})],
        ),
        ("Improvement in aeration of the left lung with linear atelectasis.", [("atelectasis", {"left", "streaky"})]),
        (
            "The effusion on the left has resolved and the one on the right has decreased.",
            [("pleural effusion", {"left", "resolved"}), ("pleural effusion", {"right", "improved"})],
        ),
        (
            "Right effusion increased, left decreased.",
            [("pleural effusion", {"right", "worse"}), ("pleural effusion", {"left", "improved"})],
        ),
        (
            "No effusion on the left, small on the right.",
            [("pleural effusion", {"left"}), ("pleural effusion", {"small", "right"})],
        ),
        (
            "Opacities have cleared on the right but persist on the left.",
            [("opacity", {"right", "resolved"}), ("opacity", {"left", "unchanged"})],
        ),
        (
            "The effusion has resolved on the right and is unchanged on the left.",
            [("pleural effusion", {"right", "resolved"}), ("pleural effusion", {"left", "unchanged"})],
        ),
        (
            "Bilateral nodules, resolved on the left.",
            [("nodule", {"right", "multiple"}), ("nodule", {"left", "resolved"})],
        ),
        (
            "Bibasilar atelectasis, cleared on the right and unchanged on the left.",
            [("atelectasis", {"left", "base", "unchanged"}), ("atelectasis", {"right", "base", "resolved"})],
        ),
        (
            "Atelectasis at both bases, resolved on the left.",
            [("atelectasis", {"right", "base"}), ("atelectasis", {"left", "base", "resolved"})],
        ),
        (
            "Edema resolved, the left effusion is unchanged.",
            [("pulmonary edema", {"resolved"}), ("pleural effusion", {"left", "unchanged"})],
        ),
        (
            "Edema has cleared, the right effusion has not.",
            [("pulmonary edema", {"resolved"}), ("pleural effusion", {"right", "unchanged"})],
        ),
        (
            "The opacity has improved, but the effusions have not.",
            [("opacity", {"improved"}), ("pleural effusion", {"unchanged"})],
        ),
        ("The effusion has increased from small to moderate.", [("pleural effusion", {"worse", "moderate"})]),
        ("Edema, improved from severe to mild.", [("pulmonary edema", {"improved", "small"})]),
        ("L effusion, sl incr", [("pleural effusion", {"left", "worse"})]),
        ("Edema decr.", [("pulmonary edema", {"improved"})]),
        ("Gradual resolution of edema.", [("pulmonary edema", {"improved"})]),
        ("Edema is clearing.", [("pulmonary edema", {"improved"})]),
        ("A PICC is seen; slight advancement is advised.", [("picc", set())]),
    ],
)
def test_a_change_or_age_belongs_to_its_finding(sentence: str, expected: list[tuple[str, set[str]]]) -> None:
    assert [(one.name, set(one.modifiers)) for one in mentions_in(sentence) if one.finding] == expected


@pytest.mark.parametrize("sentence", ["The effusion is not increased.", "No significant increase in the effusion."])
def test_a_denied_increase_is_no_change(sentence: str) -> None:
    found = [(one.status, set(one.modifiers)) for one in mentions_in(sentence) if one.finding]
    assert found == [("present", {"unchanged"})]
