"""Requests in other words than reports: what results are for, choices among a list, one side only, earlier studies."""

from __future__ import annotations

import pytest

from mcp_cxr.language.query import parse_query_text


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("For a talk on tuberculosis, show me effusions", ["pleural effusion"]),
        ("We are building a pneumonia classifier: give me normal chests", []),
        ("Find rib fractures. They are for our trauma project", ["rib fracture"]),
        ("I want masses as controls for our pneumonia study", ["mass"]),
        ("hilar lymphadenopathy for a lecture on sarcoidosis", ["hilar lymphadenopathy"]),
        ("edema with congestion, to assemble a heart failure cohort", ["pulmonary edema", "vascular congestion"]),
        ("find nodules so that an edema model can be trained", ["nodule"]),
        ("find effusions with a mass, for a heart failure cohort", ["pleural effusion", "mass"]),
        ("find studies of which the quality was limited so I can skip them", ["limited image quality"]),
        ("find nodules so that I can audit missed pneumonia", ["nodule"]),
        ("effusions, in order to train an edema model", ["pleural effusion"]),
        ("find nodules; we will use them as a cancer cohort", ["nodule"]),
        ("I'm writing a paper on edema. Which images show a mass?", ["mass"]),
        ("For hard-negative mining of a pneumonia detector I need masses", ["mass"]),
        ("The user is training an edema model and needs masses", ["mass"]),
        ("To exclude sarcoidosis, show me hilar lymphadenopathy", ["hilar lymphadenopathy"]),
        ("In order to investigate edema we need masses", ["mass"]),
        ("We investigate edema: masses", ["mass"]),
        ("For teaching about edema, find masses", ["mass"]),
        ("My topic is edema. Find masses", ["mass"]),
        ("We study nodules. Show masses", ["mass"]),
        ("They suspect sarcoidosis. Find nodules", ["nodule"]),
        ("For our emphysema paper: nodules", ["nodule"]),
        ("as a control group for an edema cohort: masses", ["mass"]),
        ("As controls for pneumonia, effusions", ["pleural effusion"]),
        ("hard negatives for a mass detector: scars", ["scar"]),
        ("To challenge our mass model with edema, return nodules", ["nodule"]),
        # the same words about what to find
        ("To find nodules, masses", ["nodule", "mass"]),
        ("to study nodules which are calcified", ["calcified nodule"]),
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
    "query",
    [
        "edema negatives",
        "find hard edema negatives",
        "We are training an edema detector and need negatives",
        "My edema model needs true negatives.",
    ],
)
def test_negatives_of_a_finding_rule_it_out(query: str) -> None:
    meaning = parse_query_text(query)
    assert [one.name for one in meaning.ruled_out] == ["pulmonary edema"]
    assert not meaning.wanted


@pytest.mark.parametrize(
    ("query", "wanted", "not_applied"),
    [
        ("ordered for a mass but showing edema", "pulmonary edema", "ordered for a mass"),
        (
            "because of a suspected mass requested, yet edema",
            "pulmonary edema",
            "because of a suspected mass requested",
        ),
        ("edema misread as a mass", "pulmonary edema", "misread as a mass"),
        ("mislabeled as a mass but actually a nodule", "nodule", "mislabeled as a mass"),
        ("thought to be a mass, actually edema", "pulmonary edema", "thought to be a mass"),
        ("first called a mass that turned out to be a nodule", "nodule", "first called a mass"),
        ("sent for a suspected mass, but edema", "pulmonary edema", "sent for a suspected mass"),
        ("edema wrongly reported as a mass", "pulmonary edema", "wrongly reported as a mass"),
        ("edema that was taken for a mass", "pulmonary edema", "that was taken for a mass"),
        ("edema unconnected with a mass", "pulmonary edema", "unconnected with a mass"),
        ("edema to contrast with a mass", "pulmonary edema", "to contrast with a mass"),
        ("as a substitute for a mass: nodules", "nodule", "as a substitute for a mass"),
        ("nodules, for comparison with masses", "nodule", "for comparison with masses"),
    ],
)
def test_what_a_finding_is_compared_with_is_named_as_not_applied(query: str, wanted: str, not_applied: str) -> None:
    meaning = parse_query_text(query)
    assert [one.name for one in meaning.findings] == [wanted]
    assert meaning.not_applied == (not_applied,)


@pytest.mark.parametrize(
    "query",
    [
        "normal chests for a control cohort",
        "negative control set: entirely normal",
        "a set of normal chests as negatives",
        "normal studies for comparison",
        "Not one abnormality described: entirely normal",
        "chests in which nothing abnormal at all was seen",
    ],
)
def test_normal_controls_are_normal(query: str) -> None:
    assert parse_query_text(query).judgment == "normal"


@pytest.mark.parametrize(
    ("query", "groups", "ruled_out", "not_applied"),
    [
        ("any of these: edema; mass", [["pulmonary edema", "mass"]], [], ()),
        ("any of the following findings - edema, mass", [["pulmonary edema", "mass"]], [], ()),
        ("Any one of these will do: edema, mass", [["pulmonary edema", "mass"]], [], ()),
        ("right mass, alone or with edema", [["mass, right"]], [], ()),
        ("pneumothorax, chest tube - any one of these will do", [["pneumothorax", "chest tube"]], [], ()),
        ("edema, mass, cardiomegaly: any of these is fine", [["pulmonary edema", "mass", "cardiomegaly"]], [], ()),
        ("edema, mass (either)", [["pulmonary edema", "mass"]], [], ()),
        ("pneumothorax; hydropneumothorax counts too", [["pneumothorax", "hydropneumothorax"]], [], ()),
        ("mass (a nodule also counts)", [["mass", "nodule"]], [], ()),
        ("mass or other large thing", [["mass"]], [], ("or other large thing",)),
        (
            "bronchiectasis, CF or other chronic wall diseases",
            [["bronchiectasis", "cystic fibrosis"]],
            [],
            ("or other chronic wall diseases",),
        ),
        ("PICC, port or other catheter", [["picc", "implanted port", "catheter"]], [], ()),
        (
            "calcified hilar or mediastinal lymph nodes",
            [["calcified lymph node, hilum", "calcified lymph node, mediastinum"]],
            [],
            (),
        ),
        ("small nodule or mass", [["nodule, small", "mass, small"]], [], ()),
        ("small mass or a nodule", [["mass, small", "nodule"]], [], ()),
        ("mild edema or congestion", [["pulmonary edema, mild", "vascular congestion, mild"]], [], ()),
        ("left CVL (IJ, PICC or port)", [["central venous catheter, left"], ["picc", "implanted port"]], [], ()),
        ("hilar adenopathy (sarcoid, lymphoma)", [["hilar lymphadenopathy"]], [], ()),
        ("mass (left, right)", [["mass, left", "mass, right"]], [], ()),
        ("mass (lung cancer concern)", [["mass"]], [], ()),
        ("scars in those spared a pneumothorax", [["scar"]], ["pneumothorax"], ()),
        ("borderline heart, perhaps at the upper limit of normal", [["cardiomegaly, borderline"]], [], ()),
        ("L hemi-D elev", [["elevated diaphragm, left"]], [], ()),
        ("lines (PICC, port)", [["picc", "implanted port"]], [], ()),
        ("mass and (edema, nodule)", [["mass"], ["pulmonary edema"], ["nodule"]], [], ()),
        ("no devices (PICC, port)", [], ["support device", "picc", "implanted port"], ()),
        ("small nodules, calcified ones count too", [["nodule, small"]], [], ()),
        ("mass plus edema; congestion irrelevant", [["mass"], ["pulmonary edema"]], [], ()),
        ("mass, provided nobody called an effusion", [["mass"]], ["pleural effusion"], ()),
        ("heart at upper limits of normal or mildly enlarged", [["cardiomegaly, mild"]], [], ()),
        ("tubes: ETT, chest drain", [["endotracheal tube", "chest tube"]], [], ()),
        ("left lung: mass, edema", [["mass, left"], ["pulmonary edema"]], [], ()),
        ("fresh or old rib fracture", [["rib fracture, old", "rib fracture"]], [], ()),
        ("mass; chest tubes should be left out", [["mass"]], ["chest tube"], ()),
        ("pneumonia needs to be ruled out", [["pneumonia"]], [], ()),  # is suspected
        ("edema; a mass must be excluded", [["pulmonary edema"], ["mass"]], [], ()),
        ("mass; cases with edema must be excluded", [["mass"]], ["pulmonary edema"], ()),
        ("Mass==1 && Edema==0", [["mass"]], ["pulmonary edema"], ()),
        ("mass!=0, edema != 1", [["mass"]], ["pulmonary edema"], ()),
        (
            "PICC or port and, in addition, any of edema or mass",
            [["picc", "implanted port"], ["pulmonary edema", "mass"]],
            [],
            (),
        ),
        ("sub-cm nodules, masses included", [["nodule, small", "mass, small"]], [], ()),
        ("right mass, nodule or cyst", [["mass, right", "nodule, right", "cyst, right"]], [], ()),
        ("large mass, nodule or cyst", [["mass, large", "nodule, large", "cyst, large"]], [], ()),
        ("right PICC or port", [["picc, right", "implanted port, right"]], [], ()),
        ("PICC or port on the right", [["picc, right", "implanted port, right"]], [], ()),
        ("left PICC or ETT", [["picc, left", "endotracheal tube"]], [], ()),
        ("mild dextro- or levoscoliosis", [["dextroscoliosis, mild", "levoscoliosis, mild"]], [], ()),
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
        ("heart at its upper limit or slightly over", [["cardiomegaly, borderline", "cardiomegaly, mild"]], [], ()),
        ("edemas, sift out those with a mass", [["pulmonary edema"]], ["mass"], ()),
        ("large effusions, not small ones", [["pleural effusion, large"]], [], ()),
        ("effusions, even minimal ones", [["pleural effusion"]], [], ()),
        ("scars in the lingula, of any extent, linear ones included", [["scar, left, lingula"]], [], ()),
        ("masses, since our students always want these", [["mass"]], [], ()),
        ("query for the archive: left scar", [["scar, left"]], [], ()),
        ("more than mild edema", [["pulmonary edema, moderate", "pulmonary edema, severe"]], [], ()),
        ("at least moderate effusion", [["pleural effusion, moderate", "pleural effusion, large"]], [], ()),
        ("no more than mild edema", [["pulmonary edema, mild"]], [], ()),
        ("effusion, less than severe", [["pleural effusion, small", "pleural effusion, moderate"]], [], ()),
        ("mass in which edema is not commented on", [["mass"]], ["pulmonary edema"], ()),
        ("nodule no larger than 1 cm, no edema", [["nodule"]], ["pulmonary edema"], ("no larger than 1 cm",)),
        ("nodule at most 6 mm", [["nodule"]], [], ("at most 6 mm",)),
        ("nodule exceeding 2 cm", [["nodule"]], [], ("exceeding 2 cm",)),
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
        ("more than three rib fractures", [["rib fracture, multiple"]], [], ()),
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
        ("pneumonia but not in HIV patients", [["pneumonia"]], ["hiv"], ()),
        ("two nodules, none calcified", [["nodule, multiple"]], ["calcified nodule"], ()),
        ("rib fracture, old or new", [["rib fracture"]], [], ()),
        (
            "mass in the right apex or left base, stable",
            [["mass, right, apex, unchanged", "mass, left, base, unchanged"]],
            [],
            (),
        ),
        ("nodules, \u2265 3, left", [["nodule, left"]], [], ("\u2265 3",)),
        ("60% left pneumothorax", [["pneumothorax, left"]], [], ("60%",)),
        ("the only device is a port", [["implanted port"]], [], ("the only device",)),
        ("edema, ?nodes", [["pulmonary edema"], ["lymphadenopathy"]], [], ()),
        ("left mass, none seen on the right", [["mass, left"]], ["mass, right"], ()),
        ("tubes yes, pacemaker no", [["tube"]], ["pacemaker"], ()),
        ("mass measuring between 3 and 5 cm", [["mass"]], [], ("between 3 and 5 cm",)),
        ("left widget, effusion", [["pleural effusion"]], [], ()),
        ("on the left side, effusion", [["pleural effusion, left"]], [], ()),
        (
            "left upper, right lower or lingular mass",
            [["mass, left, upper lobe", "mass, right, lower lobe", "mass, left, lingula"]],
            [],
            (),
        ),
        ("two chest tubes, both on the left", [["chest tube, left"]], [], ("two",)),
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
