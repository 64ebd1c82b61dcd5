"""Requests in other words than reports: what results are for, choices among a list, one side only, earlier studies."""

from __future__ import annotations

import pytest

from mcp_cxr.language import parse_query_text


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("For a talk on tuberculosis, show me effusions", ["pleural effusion"]),
        ("We are building a pneumonia classifier: give me normal chests", []),
        ("Find rib fractures. They are for our trauma project", ["rib fracture"]),
        ("I want masses as controls for our pneumonia study", ["mass"]),
        ("hilar lymphadenopathy for a lecture on sarcoidosis", ["hilar lymphadenopathy"]),
        ("find nodules so that I can audit missed pneumonia", ["nodule"]),
        ("effusions, in order to train an edema model", ["pleural effusion"]),
        ("find nodules; we will use them as a cancer cohort", ["nodule"]),
        ("I'm writing a paper on edema. Which images show a mass?", ["mass"]),
        ("For hard-negative mining of a pneumonia detector I need masses", ["mass"]),
        ("The user is training an edema model and needs masses", ["mass"]),
        # the same words about what to find
        ("For the left lung, list masses", ["mass, left"]),
        ("patients for our pneumonia cohort", ["pneumonia"]),
        ("search for a pneumonia study with effusion", ["pneumonia", "pleural effusion"]),
        ("find effusions; they will have a chest tube", ["pleural effusion", "chest tube"]),
        ("We study pneumonia, so find it with effusion", ["pneumonia", "pleural effusion"]),
    ],
)
def test_what_results_are_for_is_not_asked_for(query: str, wanted: list[str]) -> None:
    assert [one.description for one in parse_query_text(query).findings] == wanted


@pytest.mark.parametrize(
    ("query", "groups", "ruled_out", "not_applied"),
    [
        ("any of these: edema; mass", [["pulmonary edema", "mass"]], [], ()),
        ("any of the following findings - edema, mass", [["pulmonary edema", "mass"]], [], ()),
        ("Any one of these will do: edema, mass", [["pulmonary edema", "mass"]], [], ()),
        ("right mass, alone or with edema", [["mass, right"]], [], ()),
        (
            "calcified hilar or mediastinal lymph nodes",
            [["calcified lymph node, hilum", "calcified lymph node, mediastinum"]],
            [],
            (),
        ),
        ("small nodule or mass", [["nodule, small", "mass, small"]], [], ()),
        ("small mass or a nodule", [["mass, small", "nodule"]], [], ()),
        ("mild edema or congestion", [["pulmonary edema, mild", "vascular congestion, mild"]], [], ()),
        ("at least one of: PICC, chest tube", [["picc", "chest tube"]], [], ()),
        ("at least two of: edema, mass", [["pulmonary edema", "mass"]], [], ("at least two of",)),
        ("none of the following: edema, mass", [], ["pulmonary edema", "mass"], ()),
        ("only a mass, nothing else", [["mass"]], [], ("nothing else",)),
        ("nothing abnormal except a mass", [["mass"]], [], ("nothing abnormal except",)),
        ("WNL except for CMG", [["cardiomegaly"]], [], ()),
        (
            "unilateral upper lobe mass",
            [["mass, left, upper lobe", "mass, right, upper lobe"]],
            ["mass, bilateral"],
            (),
        ),
        ("left-only mass and edema", [["mass, left"], ["pulmonary edema"]], ["mass, right"], ()),
        ("exclusively right mass", [["mass, right"]], ["mass, left"], ()),
        ("mass in one hemithorax", [["mass, left", "mass, right"]], ["mass, bilateral"], ()),
        ("no tubes or lines", [], ["lines and tubes"], ()),
        ("support lines and tubes", [["lines and tubes"]], [], ()),
        ("kein Pneumothorax, rib fracture", [["rib fracture"]], ["pneumothorax"], ()),
        ("effusion smaller or gone", [["pleural effusion, improved", "pleural effusion, resolved"]], [], ()),
        ("atelectasis not improved or resolved", [["atelectasis, unchanged"]], [], ()),
        ("edema, nobody mentions a mass or nodule", [["pulmonary edema"]], ["mass", "nodule"], ()),
        ("edema and the report says nothing about a mass", [["pulmonary edema"]], ["mass"], ()),
        ("skip every study with edema, any mass or a big heart", [], ["pulmonary edema", "mass", "cardiomegaly"], ()),
        ("mass but not degenerative spine changes", [["mass"]], ["degenerative spine"], ()),
        (
            "mass accompanied by one other sign, namely effusion or edema",
            [["mass"], ["pleural effusion", "pulmonary edema"]],
            [],
            (),
        ),
        ("low volumes because of a mass, with no edema", [["low lung volumes"], ["mass"]], ["pulmonary edema"], ()),
        ("crowding, because volumes are low, with no edema", [["bronchovascular crowding"]], ["pulmonary edema"], ()),
        ("more than mild edema", [["pulmonary edema, moderate", "pulmonary edema, severe"]], [], ()),
        ("at least moderate effusion", [["pleural effusion, moderate", "pleural effusion, large"]], [], ()),
        ("no more than mild edema", [["pulmonary edema, mild"]], [], ()),
        ("effusion, less than severe", [["pleural effusion, small", "pleural effusion, moderate"]], [], ()),
        ("nodules 2+ cm", [["nodule"]], [], ("2+ cm",)),
        ("mass except where it is in the mediastinum", [["mass"]], ["mass, mediastinum"], ()),
        ("effusions except when they are small", [["pleural effusion"]], ["pleural effusion, small"], ()),
        ("edema except if there is effusion", [["pulmonary edema"]], ["pleural effusion"], ()),
        ("opacity in both lungs, covid excluded", [["opacity, bilateral"]], ["covid-19"], ()),
        ("effusion with pneumonia not included", [["pleural effusion"]], ["pneumonia"], ()),
        ("effusion with edema absent and a pacemaker", [["pleural effusion"], ["pacemaker"]], ["pulmonary edema"], ()),
        ("no effusion except when loculated", [], ["pleural effusion"], ("except when loculated",)),
        ("mass, edema not excluded", [["mass"], ["pulmonary edema"]], [], ()),
        ("rib fractures that are not acute", [["rib fracture"]], ["rib fracture, acute"], ()),
        ("no acute fracture", [], ["fracture"], ()),
        ("chest tube, no recurrent pneumothorax", [["chest tube"]], ["pneumothorax"], ()),
        ("effusion, moderate or larger", [["pleural effusion, moderate", "pleural effusion, large"]], [], ()),
        ("at least moderate edema", [["pulmonary edema, moderate", "pulmonary edema, severe"]], [], ()),
        ("effusion no larger than moderate", [["pleural effusion, small", "pleural effusion, moderate"]], [], ()),
        ("more than mild cardiomegaly", [["cardiomegaly, moderate", "cardiomegaly, severe"]], [], ()),
        ("tiny or bigger effusion", [["pleural effusion"]], [], ()),
        (
            "effusion, large on the left or small on the right",
            [["pleural effusion, left, large", "pleural effusion, right, small"]],
            [],
            (),
        ),
        ("mass, apical on the left or basal on the right", [["mass, left, apex", "mass, right, base"]], [], ()),
        ("mass or pneumonia, bilateral", [["mass, bilateral", "pneumonia, bilateral"]], [], ()),
        ("left clavicle or rib fracture", [["clavicle fracture, left", "rib fracture, left"]], [], ()),
        ("more than three rib fractures", [["rib fracture, multiple"]], [], ("more than three",)),
        ("fewer than three nodules", [["nodule"]], [], ("fewer than three",)),
        ("mass in patients with at least two studies", [["mass"]], [], ("with at least two studies",)),
        ("heart size at the upper limits of normal", [], [], ()),
        ("mass with no prior film", [["mass"]], [], ("with no prior film",)),
        (
            "edema where no previous report mentions it",
            [["pulmonary edema"]],
            [],
            ("where no previous report mentions it",),
        ),
        ("first study of each patient with edema", [["pulmonary edema"]], [], ("first study of each patient",)),
        ("isolated effusion", [["pleural effusion"]], [], ("isolated",)),
        ("left basal or right apical mass", [["mass, left, base", "mass, right, apex"]], [], ()),
        ("mass in the right lung or the left lung base", [["mass, right", "mass, left, base"]], [], ()),
        ("right or left upper lobe mass", [["mass, right, upper lobe", "mass, left, upper lobe"]], [], ()),
        ("left base or apex mass", [["mass, left, base", "mass, left, apex"]], [], ()),
        (
            "(mass OR cavity) AND (right OR left) AND upper lobe",
            [
                [
                    "mass, right, upper lobe",
                    "cavity, right, upper lobe",
                    "mass, left, upper lobe",
                    "cavity, left, upper lobe",
                ]
            ],
            [],
            (),
        ),
        ("left lower lobe AND (mass OR cavity)", [["mass, left, lower lobe", "cavity, left, lower lobe"]], [], ()),
        ("on the left: mass, cavity or effusion", [["mass, left", "cavity, left", "pleural effusion, left"]], [], ()),
        ("new left and old right rib fractures", [["rib fracture, left, new"], ["rib fracture, right, old"]], [], ()),
        (
            "effusion increased on the left but decreased on the right",
            [["pleural effusion, left, worse"], ["pleural effusion, right, improved"]],
            [],
            (),
        ),
        ("rib fracture, count: >=3", [["rib fracture"]], [], ("count: >=3",)),
        ("mass=true, effusion=false, edema=unknown", [["mass"]], ["pleural effusion"], ()),
        ("edema without any device or line", [["pulmonary edema"]], ["support device"], ()),
        ("edema, no lines", [["pulmonary edema"]], ["catheter"], ()),
        ("no mediastinal shift, right effusion", [["pleural effusion, right"]], ["mediastinal shift"], ()),
        ("no edema, left effusion or scar", [], ["pulmonary edema", "pleural effusion, left", "scar, left"], ()),
        ("mass anywhere but the apex", [["mass"]], ["mass, apex"], ()),
        ("scar sparing the apices", [["scar"]], ["scar, apex"], ()),
        ("cardiomegaly not explained by edema", [["cardiomegaly"]], ["pulmonary edema"], ()),
        ("effusion >= moderate", [["pleural effusion, moderate", "pleural effusion, large"]], [], ()),
        ("edema (mild excluded)", [["pulmonary edema"]], ["pulmonary edema, mild"], ()),
        ("effusion (small ones ok)", [["pleural effusion"]], [], ()),
        ("PICC or port, left or right", [["picc", "implanted port"]], [], ()),
        ("no line, no pacemaker", [], ["catheter", "pacemaker"], ()),
        ("two chest tubes, both on the left", [["chest tube, left"]], [], ()),
        ("neither edema nor mass, just a scar", [["scar"]], ["pulmonary edema", "mass"], ()),
        ("edema, no effusion; or mass", [["pulmonary edema"]], ["pleural effusion"], ("or mass",)),
        (
            "nodule or mass only on the right",
            [["nodule, right", "mass, right"]],
            ["nodule, left", "mass, left"],
            (),
        ),
        ("no effusion, but atelectasis is fine", [], ["pleural effusion"], ()),
        ("opacity, cannot tell edema from pneumonia", [["opacity"], ["pulmonary edema", "pneumonia"]], [], ()),
        ("effusion as the only finding", [["pleural effusion"]], [], ("as the only finding",)),
    ],
)
def test_choices_and_exceptions_are_read(
    query: str, groups: list[list[str]], ruled_out: list[str], not_applied: tuple[str, ...]
) -> None:
    parsed = parse_query_text(query)
    assert [[one.description for one in group] for group in parsed.wanted] == groups
    assert [one.description for one in parsed.ruled_out] == ruled_out
    assert parsed.not_applied == not_applied


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("effusion that wasn't there on the previous radiograph", "pleural effusion, new"),
        ("mass absent on the last study", "mass, new"),
        ("pneumothorax not seen before", "pneumothorax, new"),
        ("edema seen on the earlier film, not now", "pulmonary edema, resolved"),
        ("effusion(s)", "pleural effusion"),
        ("fluid in the pleura, that is, effusion", "pleural effusion"),
        ("right hemidiaphragm higher than usual", "elevated diaphragm, right"),
        ("right hemidiaphragm riding high", "elevated diaphragm, right"),
        ("trachea pushed over to the right", "tracheal deviation, right"),
        ("fluid collecting around the left lung", "pleural effusion, left"),
        ("stomach has slid up into the chest", "hiatal hernia"),
        ("show me those in failure", "heart failure"),
        ("s/p chole", "cholecystectomy"),
        ("heart has become larger", "cardiomegaly, worse"),
        ("enlarged glands in the mediastinum", "mediastinal lymphadenopathy"),
        ("incr pulm vasc", "vascular congestion"),
        ("interval incr in L eff", "pleural effusion, left, worse"),
        ("nodule bigger than before", "nodule, worse"),
        ("effusion larger than on the prior film", "pleural effusion, worse"),
        ("edema, suspected but not confirmed", "pulmonary edema"),
        ("air under both hemidiaphragms", "pneumoperitoneum"),
        ("blood in the left chest", "hemothorax, left"),
        ("LUZ mass", "mass, left, upper lobe"),
        ("heart is pushed over to the right", "mediastinal shift, right"),
        ("CCF", "heart failure"),
        ("air leaking under the skin", "subcutaneous emphysema"),
        ("lungs are full of fluid", "pulmonary edema"),
        ("lungs that look too big", "hyperinflation"),
        ("water in the right chest cavity", "pleural effusion, right"),
        ("CT ratio more than 50%", "cardiomegaly"),
        ("known cardiomegaly", "cardiomegaly"),
        ("mediastinum pushed to the left", "mediastinal shift, left"),
        ("trachea is pulled to the right", "tracheal deviation, right"),
        ("degenerative changes at several levels", "degenerative change, multiple"),
        ("compression fractures at more than one level", "compression fracture, multiple"),
        ("old Koch's", "tuberculosis, old"),
        ("bilateral hilar nodes", "hilar lymphadenopathy, bilateral"),
        ("fluid backed up from the heart", "heart failure"),
    ],
)
def test_changes_and_shorthand_are_read(query: str, wanted: str) -> None:
    parsed = parse_query_text(query)
    assert [one.description for one in parsed.findings] == [wanted]
    assert parsed.words == ()
