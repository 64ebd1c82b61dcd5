"""What a query rules out, in the words of reports and in those of requests."""

from __future__ import annotations

import pytest

from mcp_cxr.language.query import parse_query_text


@pytest.mark.parametrize(
    ("query", "wanted", "ruled_out"),
    [
        ("effusion -pneumothorax", ["pleural effusion"], ["pneumothorax"]),
        ("Pneumothorax ohne Edema", ["pneumothorax"], ["pulmonary edema"]),
        ("pas de pneumothorax", [], ["pneumothorax"]),
        ("kein Pneumothorax, Stauung", [], ["pneumothorax"]),
        ("\u65e0 pneumothorax", [], ["pneumothorax"]),
        ("Mass. Right base. Large.", ["mass, right, base, large"], []),
        ("he broke three ribs", ["rib fracture, multiple"], []),
        ("fluid on her left lung", ["pleural effusion, left"], []),
        ("SOB r/o edema", ["dyspnea", "pulmonary edema"], []),
        ("NOT pneumothorax AND edema", ["pulmonary edema"], ["pneumothorax"]),
        ("NOT (pneumothorax) AND (edema)", ["pulmonary edema"], ["pneumothorax"]),
        ("(mass OR nodule) AND right AND NOT edema", ["mass, right", "nodule, right"], ["pulmonary edema"]),
        ("(mass OR nodule) AND NOT right", ["mass", "nodule"], ["mass, right", "nodule, right"]),
        ("non-smokers with edema", ["pulmonary edema"], ["smoking"]),
        ("is there edema, yes or no", ["pulmonary edema"], []),
        ("effusion was present previously but has now resolved", ["pleural effusion, resolved"], []),
        ("normal chest x-rays as controls (no devices)", [], ["support device"]),
        ("10 with edema and 10 without", ["pulmonary edema"], []),
        ("several films of a left mass", ["mass, left"], []),
        ("rib fracture on either side", ["rib fracture"], []),
        ("left mass, a mass", ["mass, left"], []),
        ("not large but small effusion", ["pleural effusion, small"], []),
        ("Effusion? Yes. Edema? No.", ["pleural effusion"], ["pulmonary edema"]),
        ("L eff +, edema -", ["pleural effusion, left"], ["pulmonary edema"]),
        ("kein Edema, aber Pneumothorax", ["pneumothorax"], ["pulmonary edema"]),
        ("no longer visible effusion", ["pleural effusion, resolved"], []),
        ("effusion is no longer seen", ["pleural effusion, resolved"], []),
        ("effusion & !pneumothorax", ["pleural effusion"], ["pneumothorax"]),
        ("include: edema; exclude: effusion, mass", ["pulmonary edema"], ["pleural effusion", "mass"]),
        ("negative examples for pneumonia", [], ["pneumonia"]),
        (
            "effusion and not (small or moderate)",
            ["pleural effusion"],
            ["pleural effusion, small", "pleural effusion, moderate"],
        ),
        ("(no effusion) and edema", ["pulmonary edema"], ["pleural effusion"]),
        ("effusion or no edema", ["pleural effusion"], []),
        ("edema and not (effusion and mass)", ["pulmonary edema"], []),
        ("-pneumothorax effusion edema", ["pleural effusion", "pulmonary edema"], ["pneumothorax"]),
        ("effusion - pneumothorax", ["pleural effusion", "pneumothorax"], []),
        ("patients without pneumothorax after chest tube removal", ["chest tube, resolved"], ["pneumothorax"]),
        ("no effusion left or right", [], ["pleural effusion, left", "pleural effusion, right"]),
    ],
)
def test_only_what_a_query_denies_is_ruled_out(query: str, wanted: list[str], ruled_out: list[str]) -> None:
    parsed = parse_query_text(query)
    assert [one.description for one in parsed.findings] == wanted
    assert [one.description for one in parsed.ruled_out] == ruled_out


def test_a_denied_change_rules_out_no_finding() -> None:
    assert parse_query_text("no new pneumonia").ruled_out == ()


@pytest.mark.parametrize(
    ("query", "wanted", "ruled_out"),
    [
        ("patients who don't have effusion", [], ["pleural effusion"]),
        ("films where a pneumothorax wasn\u2019t seen", [], ["pneumothorax"]),
        ("can't exclude pneumonia", ["pneumonia"], []),
        ("I'd like the patient's pacemaker", ["pacemaker"], []),
        ("exclude patients with pacemakers", [], ["pacemaker"]),
        ("edema, but leave out those with effusion", ["pulmonary edema"], ["pleural effusion"]),
        ("edema minus effusion", ["pulmonary edema"], ["pleural effusion"]),
        ("lacking an effusion", [], ["pleural effusion"]),
        ("absent effusion", [], ["pleural effusion"]),
        ("effusion absent", [], ["pleural effusion"]),
        ("everything but pneumonia", [], ["pneumonia"]),
        ("all patients except those with pneumonia", [], ["pneumonia"]),
        ("opacities other than pneumonia", ["opacity"], ["pneumonia"]),
        ("normal except for cardiomegaly", ["cardiomegaly"], []),
        ("no abnormality other than cardiomegaly", ["cardiomegaly"], []),
        ("follow up to exclude malignancy", ["cancer"], []),
        ("effusion cannot be excluded", ["pleural effusion"], []),
        ("can\u2019t rule out a pneumothorax", ["pneumothorax"], []),
        ("don't miss a small pneumothorax", ["pneumothorax, small"], []),
        ("skip the ones with chest tubes, show pneumothorax", ["pneumothorax"], ["chest tube"]),
        ("exclude pacemakers and show edema", ["pulmonary edema"], ["pacemaker"]),
        ("effusion, ignore patients with CABG", ["pleural effusion"], ["coronary artery bypass graft"]),
        ("filter out the PICC lines", [], ["picc"]),
        ("opacity unless it is atelectasis", ["opacity"], ["atelectasis"]),
        ("any pneumonia besides aspiration pneumonia", ["pneumonia"], ["aspiration pneumonia"]),
        ("show effusion and show edema", ["pleural effusion", "pulmonary edema"], []),
        ("chest tube removed", ["chest tube, resolved"], []),
        ("effusion that won't resolve", ["pleural effusion, unchanged"], []),
        ("atelectasis instead of consolidation", ["atelectasis"], ["consolidation"]),
        ("not free of edema", ["pulmonary edema"], []),
        ("patients who are not without effusion", ["pleural effusion"], []),
        ("edema unless there is also an effusion", ["pulmonary edema"], ["pleural effusion"]),
        ("effusions, excluding those that are small", ["pleural effusion"], ["pleural effusion, small"]),
        ("effusions other than loculated ones", ["pleural effusion"], ["loculated pleural effusion"]),
        (
            "edema that is neither mild nor large",
            ["pulmonary edema"],
            ["pulmonary edema, mild", "pulmonary edema, severe"],
        ),
        ("effusion, not on the left", ["pleural effusion"], ["pleural effusion, left"]),
        ("pneumonia that isn't in the lower lobes", ["pneumonia"], ["pneumonia, lower lobe"]),
        ("effusion without motion artifact", ["pleural effusion"], ["limited image quality"]),
        ("lungs clear except right base atelectasis", ["atelectasis, right, base"], []),
        ("nothing but atelectasis", ["atelectasis"], []),
        ("no change other than new effusion", ["pleural effusion, new"], []),
        ("edema, lungs clear except for a scar", ["pulmonary edema", "scar"], []),
        ("I don't need pneumonia, just bronchiectasis", ["bronchiectasis"], ["pneumonia"]),
        ("edema + cardiomegaly - effusion", ["pulmonary edema", "cardiomegaly"], ["pleural effusion"]),
        ("effusion with or without edema", ["pleural effusion"], []),
        ("a tension pneumothorax, if there is one", ["tension pneumothorax"], []),
        ("similar cases: atelectasis", ["atelectasis"], []),
        ("pneumonia that got better", ["pneumonia, improved"], []),
        ("effusion that went away", ["pleural effusion, resolved"], []),
        ("show effusions. They should be large", ["pleural effusion, large"], []),
        ("bilateral effusions, worse on the left", ["pleural effusion, bilateral"], []),
        ("non-calcified nodules", ["nodule"], []),
        ("neither a left nor a right effusion", [], ["pleural effusion, left", "pleural effusion, right"]),
        (
            "atelectasis without small or moderate effusion",
            ["atelectasis"],
            ["pleural effusion, small", "pleural effusion, moderate"],
        ),
        ("negative for edema + effusion", [], ["pulmonary edema", "pleural effusion"]),
        ("isn't there any study with edema?", ["pulmonary edema"], []),
        ("would it be possible to show edema", ["pulmonary edema"], []),
        ("nodules that are calcified", ["calcified nodule"], []),
        ("negative for edema, positive for effusion", ["pleural effusion"], ["pulmonary edema"]),
        ("absence of edema with presence of cardiomegaly", ["cardiomegaly"], ["pulmonary edema"]),
        ("effusion present, edema absent", ["pleural effusion"], ["pulmonary edema"]),
        ("atelectasis, other than at the bases", ["atelectasis"], ["atelectasis, base"]),
        ("no left effusion but a right one", ["pleural effusion, right"], ["pleural effusion, left"]),
        ("consolidation which has cleared", ["consolidation, resolved"], []),
        ("nodules that are not calcified", ["nodule"], ["calcified nodule"]),
        ("edema, effusion without consolidation", ["pulmonary edema", "pleural effusion"], ["consolidation"]),
        ("no lines, tubes or drains", [], ["lines and tubes"]),
        ("effusion that has not been excluded", ["pleural effusion"], []),
        ("pneumonia not ruled out", ["pneumonia"], []),
        ("right opacity, left lung clear", ["opacity, right"], ["opacity, left"]),
        ("edema=yes effusion=no", ["pulmonary edema"], ["pleural effusion"]),
        ("edema, but only if there's an effusion too", ["pulmonary edema", "pleural effusion"], []),
        (
            "fracture without edema in patients with COPD",
            ["fracture", "chronic obstructive pulmonary disease"],
            ["pulmonary edema"],
        ),
        ("effusion on the left, none on the right", ["pleural effusion, left"], ["pleural effusion, right"]),
        ("no effusion except on the left", ["pleural effusion, left"], []),
        ("not just atelectasis but edema", ["atelectasis", "pulmonary edema"], []),
        ("studies in which effusion is not mentioned", [], ["pleural effusion"]),
        ("either unilateral or bilateral effusions", ["pleural effusion"], []),
        ("rib # on the right", ["rib fracture, right"], []),
        ("heart is big", ["cardiomegaly"], []),
        ("both: a pacemaker and sternal wires", ["pacemaker", "sternal wires"], []),
        ("fracture of ribs or clavicles", ["rib fracture", "clavicle fracture"], []),
        ("unilateral effusion", ["pleural effusion, left", "pleural effusion, right"], ["pleural effusion, bilateral"]),
        (
            "edema with effusion only on the left",
            ["pulmonary edema", "pleural effusion, left"],
            ["pleural effusion, right"],
        ),
        ("left or right mass, not bilateral", ["mass, left", "mass, right"], ["mass, bilateral"]),
        ("pneumothorax improved or resolved", ["pneumothorax, improved", "pneumothorax, resolved"], []),
        ("query the archive for scoliosis", ["scoliosis"], []),
        ("I am studying rib fractures: find chest tubes", ["chest tube"], []),
        ("sm R eff", ["pleural effusion, right, small"], []),
        ("the left hemidiaphragm sits too high", ["elevated diaphragm, left"], []),
        ("enlarged mediastinal glands", ["mediastinal lymphadenopathy"], []),
        ("no findings except a scar", ["scar"], []),
        ("LLL airspace dz", ["airspace disease, left, lower lobe"], []),
        ("CMG and pulm vasc congestion", ["cardiomegaly", "vascular congestion"], []),
        ("heart bigger than before", ["cardiomegaly, worse"], []),
        ("mass not seen on the earlier film, i.e. new", ["mass, new"], []),
        ("any of the following: edema, effusion", ["pulmonary edema", "pleural effusion"], []),
        ("sizeable FB", ["foreign body, large"], []),
        ("find rib fractures; they will be part of a lung cancer cohort", ["rib fracture"], []),
        ("I study edema, so show me effusions", ["pleural effusion"], []),
        ("no finding but cardiomegaly", ["cardiomegaly"], []),
        ("ohne Erguss, cardiomegaly", ["cardiomegaly"], []),
    ],
)
def test_a_request_leaves_out_in_other_words_than_a_report(query: str, wanted: list[str], ruled_out: list[str]) -> None:
    parsed = parse_query_text(query)
    assert [one.description for one in parsed.findings] == wanted
    assert [one.description for one in parsed.ruled_out] == ruled_out
    assert {"t", "don", "wasn", "d", "s"}.isdisjoint(parsed.words)


def test_a_denied_word_that_names_no_finding_is_ruled_out_as_a_word() -> None:
    meaning = parse_query_text("effusion, no zebra")
    assert (meaning.ruled_out_words, meaning.ruled_out_stems) == (("zebra",), ("zebra",))
