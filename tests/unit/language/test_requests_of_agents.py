"""Requests as agents and residents write them: in fields, steps, sets and numbered conditions, and in long denials."""

from __future__ import annotations

import pytest

from mcp_cxr.language.query import parse_query_text

EFFUSION, EDEMA, ANGLE = "pleural effusion", "pulmonary edema", "blunted costophrenic angle"
NODE = "calcified lymph node, hilum"


@pytest.mark.parametrize(
    ("query", "groups", "ruled_out"),
    [
        ("Task: search; finding = mass; side = left; place = any; use = test set for nodules", [["mass, left"]], []),
        ('{"include": ["mass"], "exclude": ["edema", "effusion"]}', [["mass"]], [EDEMA, EFFUSION]),
        ('{"mass": true, "edema": false}', [["mass"]], [EDEMA]),
        ("target finding: mass; negatives: edema, effusion", [["mass"]], [EDEMA, EFFUSION]),
        ("large, not small, masses", [["mass, large"]], []),
        ("large rather than small masses", [["mass, large"]], []),
        ("old and not acute rib fractures", [["rib fracture, old"]], []),
        ("left instead of right masses", [["mass, left"]], []),
        ("masses, but no studies without edema", [["mass"], [EDEMA]], []),
        ("masses, none of which lack edema", [["mass"], [EDEMA]], []),
        ("masses, never ones lacking edema", [["mass"], [EDEMA]], []),
        ("masses, without those that have no edema", [["mass"], [EDEMA]], []),
        ("masses; do not show me reports that deny them", [["mass"]], []),
        ("masses, ignoring any study which says there are none", [["mass"]], []),
        ("do not list reports that deny edema", [[EDEMA]], []),
        ("mass, omit cases in which a mass is denied", [["mass"]], []),
        ("heart not normal", [["cardiomegaly"]], []),
        ("a heart that is not of normal size", [["cardiomegaly"]], []),
        ("abnormal heart, no edema", [["cardiomegaly"]], [EDEMA]),
        ("heart slightly beyond its normal size", [["cardiomegaly, borderline"]], []),
        ("heart just over the normal limits", [["cardiomegaly, borderline"]], []),
        ("mass not seen on the left but on the right", [["mass, right"]], ["mass, left"]),
        ("since our students confuse them, mass and nodule", [["mass"], ["nodule"]], []),
        ("because the residents keep missing them: masses", [["mass"]], []),
        ("because we need them, find left masses", [["mass, left"]], []),
        ("fluid of the left side", [[f"{EFFUSION}, left"]], []),
        ("catheter in the jugular vein", [["central venous catheter"]], []),
        ("anything but a normal heart", [["cardiomegaly"]], []),
        ("edema optional, mass required", [["mass"]], []),
        ("one or two masses", [["mass"]], []),
        ("nodules, more than one", [["nodule, multiple"]], []),
        ("granulomatous calcifications in a lung and in hilar nodes", [["calcified granuloma"], [NODE]], []),
        ("mass whether or not edema", [["mass"]], []),
        ("masses, whether or not they have edema", [["mass"]], []),
        ("whether or not there is edema, masses", [["mass"]], []),
        ("mass where edema is not named", [["mass"]], [EDEMA]),
        ("mass, without a pacemaker or line", [["mass"]], ["pacemaker", "catheter"]),
        ("left angle blunted, right one sharp", [[f"{ANGLE}, left"]], [f"{ANGLE}, right"]),
        ("right mass, left lung unaffected", [["mass, right"]], ["mass, left"]),
        ("masses in the mediastinum rather than the hila", [["mediastinal mass"]], ["mediastinal mass, hilum"]),
        ("mass or nodule at the left apex, either works", [["mass, left, apex", "nodule, left, apex"]], []),
        ("line in situ, no edema", [["catheter"]], [EDEMA]),
        ("apical rather than basal masses", [["mass, apex"]], []),
        ("fluid in the right pleural cavity, left side dry", [[f"{EFFUSION}, right"]], [f"{EFFUSION}, left"]),
        ("mass and a heart of average size", [["mass"]], ["cardiomegaly"]),
        ("mass, need some without edema", [["mass"]], [EDEMA]),
        ("masses, need a few to show students", [["mass"]], []),
        ("masses; edema is not absent", [["mass"], [EDEMA]], []),
        ("it is not the case that a mass is absent", [["mass"]], []),
        ("no patient with a mass should be overlooked", [["mass"]], []),
        ("masses, not leaving out the calcified ones", [["mass"]], []),
        ("masses, including cavitary ones", [["mass"]], []),
        ("I do not care about edema; find masses", [["mass"]], []),
        ("masses, ignoring support devices", [["mass"]], []),
        ("do not omit patients with edema when you search for masses", [["mass"]], []),
        ("edema never developed, mass", [["mass"]], [EDEMA]),
        ("mass, no edema, no nodule, +PICC", [["mass"], ["picc"]], [EDEMA, "nodule"]),
        ("neg for edema, + rib fx", [["rib fracture"]], [EDEMA]),
        ("no edema, b/l effs", [[f"{EFFUSION}, bilateral"]], [EDEMA]),
        ("remove edema, keep masses", [["mass"]], [EDEMA]),
        ("no edema, unable to exclude a mass", [["mass"]], [EDEMA]),
        ("no prior mass, current mass", [["mass, new"]], []),
        ("there was no edema, but now there is", [[f"{EDEMA}, new"]], []),
        ("the absence of edema is required; mass must be present", [["mass"]], [EDEMA]),
        ("eligible if they have a mass, ineligible if they have edema", [["mass"]], [EDEMA]),
        ("not eligible: edema; eligible: mass", [["mass"]], [EDEMA]),
        ("edema-free studies with a mass", [["mass"]], [EDEMA]),
        ("mass on the left, nothing on the right", [["mass, left"]], ["mass, right"]),
        ("mass left, right nothing", [["mass, left"]], ["mass, right"]),
        ("right mass with clear left lung", [["mass, right"]], ["mass, left"]),
        ("clear on the left, mass on the right", [["mass, right"]], ["mass, left"]),
        ("right lung normal, mass in the left lower lobe", [["mass, left, lower lobe"]], ["mass, right"]),
        ("left side is clear, right has edema", [[f"{EDEMA}, right"]], [f"{EDEMA}, left"]),
        ("not on the left: mass", [["mass"]], ["mass, left"]),
        ("no mass on the right but one on the left", [["mass, left"]], ["mass, right"]),
        (
            "mass resolved on the left and unchanged on the right",
            [["mass, right, unchanged"], ["mass, left, resolved"]],
            [],
        ),
        ("more than a small effusion", [[f"{EFFUSION}, moderate", f"{EFFUSION}, large"]], []),
        ("after removal of the PICC, mass", [["picc, resolved"], ["mass"]], []),
        ("mass that was small and is now large", [["mass, large"]], []),
        ("no fewer than two masses", [["mass, multiple"]], []),
        ("aorta dilated or calcified", [["ectatic aorta", "aortic calcification"]], []),
        ("catheter - port, dialysis catheter, whatever", [["implanted port", "dialysis catheter"]], []),
        ("history of cancer and a new mass", [["history of cancer"], ["mass, new"]], []),
        ("hx TB, mass on film", [["history of tuberculosis"], ["mass"]], []),
        ("history of cancer. mass", [["history of cancer"], ["mass"]], []),
        ("mass, nothing wrong with the heart", [["mass"]], ["cardiomegaly"]),
        ("reports that consider the heart normal, edema", [[EDEMA]], ["cardiomegaly"]),
        ('mass, not "no mass"', [["mass"]], []),
        ("laterality: bilateral; finding: effusion", [["pleural effusion, bilateral"]], []),
        ("must have: mass; must not have: edema", [["mass"]], [EDEMA]),
        ("required: mass; forbidden: edema", [["mass"]], [EDEMA]),
        ("mass (yes), edema (no)", [["mass"]], [EDEMA]),
        ("mass, effusion not seen on the right", [["mass"]], [f"{EFFUSION}, right"]),
        ("masses, skip those with no edema", [["mass"], [EDEMA]], []),
        ("masses, drop the ones lacking edema", [["mass"], [EDEMA]], []),
        ("mass, excluding cases free of edema", [["mass"], [EDEMA]], []),
        ("masses but none without edema", [["mass"], [EDEMA]], []),
        ("masses, and drop reports that only state that it is absent", [["mass"]], []),
        ("mass, but ignore negated mentions", [["mass"]], []),
        ("masses that are there, not merely ruled out", [["mass"]], []),
        ("masses, skip those with edema", [["mass"]], [EDEMA]),
        ("mass(+) edema(-)", [["mass"]], [EDEMA]),
        ("WHERE mass IS TRUE AND edema IS FALSE", [["mass"]], [EDEMA]),
        ("SELECT * WHERE mass = 1 AND edema = 0", [["mass"]], [EDEMA]),
        ("AND(mass, OR(effusion, edema), NOT(nodule))", [["mass"], [EFFUSION, EDEMA]], ["nodule"]),
        ("mass \u2227 \u00acedema", [["mass"]], [EDEMA]),
        ("mass in findings, edema not in findings", [["mass"]], [EDEMA]),
        ("mass \u2713 edema \u2717", [["mass"]], [EDEMA]),
        ("finding = mass; size = none; edema = none", [["mass"]], [EDEMA]),
        ("Step 1: find masses. Step 2: discard those with edema.", [["mass"]], [EDEMA]),
        ("(1) mass, (2) located in the left lung, (3) no edema", [["mass, left"]], [EDEMA]),
        ("(a) mass; (b) on the right; (c) without edema", [["mass, right"]], [EDEMA]),
        ("i) mass ii) without edema iii) with effusion", [["mass"], [EFFUSION]], [EDEMA]),
        ("either (1) mass, (2) nodule or (3) edema", [["mass", "nodule", EDEMA]], []),
        ("PICC AND at least one of {mass, edema}", [["picc"], ["mass", EDEMA]], []),
        ("any of [mass, nodule] and any of {effusion, edema}", [["mass", "nodule"], [EFFUSION, EDEMA]], []),
        ("mass and none of {edema, effusion}", [["mass"]], [EDEMA, EFFUSION]),
        ("one or more of mass, nodule and edema", [["mass", "nodule", EDEMA]], []),
        ("any criterion: mass; edema", [["mass", EDEMA]], []),
        ("all three: mass, edema or effusion, and PICC", [["mass"], [EDEMA, EFFUSION], ["picc"]], []),
        ("both of these: mass, edema", [["mass"], [EDEMA]], []),
        ("mass or nodule, each with edema or effusion", [["mass", "nodule"], [EDEMA, EFFUSION]], []),
        ("mass or nodule, both without edema", [["mass", "nodule"]], [EDEMA]),
        ("mass; additionally, edema or effusion", [["mass"], [EDEMA, EFFUSION]], []),
        ("left base: any mass?", [["mass, left, base"]], []),
        ("lingula: mass or nodule", [["mass, left, lingula", "nodule, left, lingula"]], []),
        ("mass, location within the lingula or at the left apex", [["mass, left, lingula", "mass, left, apex"]], []),
        ("Has the mass stayed the same over time? Show me", [["mass, unchanged"]], []),
        ("adults with a history of asthma who now show edema", [["history of asthma"], [EDEMA]], []),
        ("history of asthma with mass", [["history of asthma"], ["mass"]], []),
        ("indication: asthma. findings: mass, no edema", [["history of asthma"], ["mass"]], [EDEMA]),
        ("indication asthma; findings: mass", [["history of asthma"], ["mass"]], []),
        ("reason for exam asthma, film shows mass", [["history of asthma"], ["mass"]], []),
        ("mass; indication: asthma", [["history of asthma"], ["mass"]], []),
        ("mass not growing", [["mass, unchanged"]], []),
        ("mass neither enlarging nor smaller", [["mass, unchanged"]], []),
        ("edema that is neither better nor worse", [["pulmonary edema, unchanged"]], []),
        ("pneumonia better, though not cleared", [["pneumonia, improved"]], []),
        ("pneumonia smaller but not yet gone", [["pneumonia, improved"]], []),
        ("pneumonia that has not entirely cleared", [["pneumonia, improved"]], []),
        ("mass, lungs look alright", [["mass"]], ["opacity", "consolidation", "infiltrate", "airspace disease"]),
        ("mass, aorta seems ok", [["mass"]], ["ectatic aorta", "tortuous aorta"]),
        ("mass, left lung isn't clear", [["mass"], ["opacity, left"]], []),
        ("ribs that are not intact", [["rib fracture"]], []),
        ("trachea not quite central", [["tracheal deviation"]], []),
        ("costophrenic angles not sharp", [[ANGLE]], []),
        ("masses, whether or not they matter; edema need not be present", [["mass"]], []),
        ("mass; I do not care whether there is edema", [["mass"]], []),
        ("mass; never mind edema", [["mass"]], []),
        ("no doubt about the mass", [["mass"]], []),
        ("there is no denying the mass", [["mass"]], []),
        ("heart failure, not otherwise specified", [["heart failure"]], []),
        ("mass (confirmed), edema (refuted)", [["mass"]], [EDEMA]),
        ("mass; whether edema is there is immaterial", [["mass"]], []),
        ("mass, possibly with edema", [["mass"]], []),
        ("mass \u00b1 edema", [["mass"]], []),
        ("mass (or nodule), no edema", [["mass", "nodule"]], [EDEMA]),
        ("mass or nodule, and in both cases no edema", [["mass", "nodule"]], [EDEMA]),
        ("one of mass / nodule, one of edema / effusion", [["mass", "nodule"], [EDEMA, EFFUSION]], []),
        ("every one of the following: mass; edema; no effusion", [["mass"], [EDEMA]], [EFFUSION]),
        ("fluffy or linear opacities at the left base", [["opacity, left, base"]], []),
        ("mass on the left; on the right there must be none", [["mass, left"]], ["mass, right"]),
        ("mass on the left, not seen on the right", [["mass, left"]], ["mass, right"]),
        ("mass that has not grown", [["mass, unchanged"]], []),
        ("Is the mass gone? List these", [["mass, resolved"]], []),
        ("mass; edema is not a requirement", [["mass"]], []),
        ("mass; edema is neither required nor excluded", [["mass"]], []),
        ("mass; edema is no reason to exclude", [["mass"]], []),
        ("mass; do not leave out any with edema", [["mass"]], []),
        ("effusion despite sharp costophrenic angles", [[EFFUSION]], [ANGLE]),
    ],
)
def test_structured_requests_are_read(query: str, groups: list[list[str]], ruled_out: list[str]) -> None:
    parsed = parse_query_text(query)
    assert [[one.description for one in group] for group in parsed.wanted] == groups
    assert [one.description for one in parsed.ruled_out] == ruled_out


@pytest.mark.parametrize(
    ("query", "wanted", "not_applied"),
    [
        ("cardiomegaly, no other findings", ["cardiomegaly"], "no other findings"),
        ("cardiomegaly without any other abnormality", ["cardiomegaly"], "without any other abnormality"),
        ("nodule near the heart", ["nodule"], "near the heart"),
        ("vessels simulating a nodule, edema", ["pulmonary edema"], "simulating a nodule"),
        ("left masses larger than nodules", ["mass, left"], "larger than nodules"),
        ("mass, biopsy recommended", ["mass"], "biopsy recommended"),
        ("unremarkable film aside from a mass", ["mass"], "unremarkable film aside from"),
        ("negative chest with the exception of a mass", ["mass"], "negative chest with the exception of"),
        ("no abnormality besides a mass", ["mass"], "no abnormality besides"),
        ("mass, preferably without edema", ["mass"], "preferably without edema"),
        ("must show a mass; might also show edema", ["mass"], "might also show edema"),
        ("mass that may or may not have edema", ["mass"], "may or may not have edema"),
        ("mass, with edema if available", ["mass"], "with edema if available"),
        ("mass (edema would be nice)", ["mass"], "edema would be nice"),
        ("mass and nodule on the same side", ["mass", "nodule"], "on the same side"),
        ("mass with contralateral scar", ["mass", "scar"], "contralateral"),
        ("mass in the same lung as a nodule", ["mass", "nodule"], "in the same lung"),
        ("mass without edema or with just a trace of edema", ["mass"], "without edema or with just a trace of edema"),
        ("scans limited to two masses", ["mass"], "limited to two"),
        ("preferably a mass", ["mass"], ""),
        ("mass, ideally left", ["mass, left"], ""),
        ("mass, not merely suspected", ["mass"], "not merely suspected"),
        ("mass rather than probable or possible", ["mass"], "rather than probable or possible"),
        ("mass, omit questionable cases", ["mass"], "omit questionable cases"),
        ("acute clavicle fracture", ["clavicle fracture"], "acute"),
        ("acute or old clavicle fracture", ["clavicle fracture, old", "clavicle fracture"], ""),
        ("large mass, not merely a nodule", ["mass, large"], "not merely a nodule"),
        ("no acute disease with a PICC in place", ["picc"], "no acute disease"),
        ("no acute findings, old rib fracture", ["rib fracture, old"], "no acute findings"),
        ("not more than one mass", ["mass"], "not more than one"),
        ("abnormal chest with a mass", ["mass"], ""),
    ],
)
def test_what_no_filter_can_hold_is_named(query: str, wanted: list[str], not_applied: str) -> None:
    parsed = parse_query_text(query)
    assert [one.description for one in parsed.findings] == wanted
    assert parsed.ruled_out == ()
    assert parsed.not_applied == tuple(filter(None, [not_applied]))


@pytest.mark.parametrize(
    "query",
    [
        "mass, edema not present",
        "mass with edema not seen",
        "mass; edema must not be mentioned",
        "mass once edema is excluded",
        "masses in whom edema is ruled out",
        "mass; edema was looked for and not found",
        "mass; edema is an exclusion criterion",
        "mass; edema disqualifies",
        "mass; edema is not allowed",
        "mass; edema is unwanted",
        "mass; edema I do not want",
        "mass in reports that deny edema",
        "mass in which the presence of edema is denied",
        "mass; readers ruled out edema",
        "mass, ruling out anybody who has edema",
        "mass; rule out those with edema",
        "mass; avoid edema",
        "mass, rejecting cases of edema",
        "mass; be sure to exclude edema",
        "mass; I want to leave out edema",
        "mass, save for those with edema",
        "mass; exclude if there is edema",
        "a user who does not wish to see cases in which edema was also reported; mass",
        "exclude edema from the masses",
        "masses unaccompanied by edema",
        "masses, none of which show edema",
        "masses, nobody with edema",
        "masses; zero edema",
        "masses if and only if no edema",
        "mass yet nothing suggesting edema",
        "instead of edema, mass",
        "mass positive, edema negative",
        "without edema, including mass",
        "mass was there, edema was not there",
        "mass; if there is edema, skip it",
        "mass; when edema is present, exclude the study",
        "mass; studies with edema do not qualify",
        "mass; patients with edema are ineligible",
        "keep masses, drop edema",
        "mass with 0 edema",
        "mass, edema: none",
        "mass - edema excluded",
        "mass, except that edema is not wanted",
        "mass, having ruled out edema",
        "mass with the restriction that edema be absent",
        "mass while edema goes unmentioned",
        "mass, but nothing with edema",
        "mass w/out edema",
        "without edema, mass present",
        "no edema plus mass",
        "ruling out edema, mass",
        "leaving edema aside, a mass",
        "filter edema out; mass",
    ],
)
def test_what_a_request_leaves_out_is_ruled_out_and_nothing_else(query: str) -> None:
    parsed = parse_query_text(query)
    assert [one.description for one in parsed.findings] == ["mass"]
    assert [one.description for one in parsed.ruled_out] == [EDEMA]


@pytest.mark.parametrize(
    "query",
    [
        "edema rule out",
        "rule out any edema",
        "edema to be ruled out",
        "not yet excluded edema",
        "a reader who suspects edema",
        "reports that stop short of calling edema",
        "cannot safely exclude edema",
        "reports that do not exclude edema",
        "in which edema was not ruled out",
        "edema has not been ruled out",
    ],
)
def test_what_is_not_excluded_is_possible(query: str) -> None:
    parsed = parse_query_text(query)
    assert [(one.description, one.is_hedged) for one in parsed.findings] == [(EDEMA, True)]
    assert not parsed.ruled_out


@pytest.mark.parametrize(
    ("query", "ruled_out"),
    [
        ("hyperinflation with dry pleural spaces", [EFFUSION]),
        ("hyperinflation without anything in the pleural space", [EFFUSION, "pneumothorax"]),
        ("hyperinflation, no mass, heart not enlarged", ["mass", "cardiomegaly"]),
        ("hyperinflation, excluding anyone whose angles are blunted or who has a mass", [ANGLE, "mass"]),
    ],
)
def test_structures_are_denied_in_other_words(query: str, ruled_out: list[str]) -> None:
    parsed = parse_query_text(query)
    assert [one.description for one in parsed.findings] == ["hyperinflation"]
    assert [one.description for one in parsed.ruled_out] == ruled_out


@pytest.mark.parametrize(
    "query",
    [
        "healthy controls for an edema model",
        "I want controls: unremarkable films",
        "normal films to serve as controls",
        "nothing abnormal on the film at all",
        "entirely normal in every respect",
        "controls: unremarkable throughout",
        "NAD: nothing abnormal found, heart and lungs",
        "reports calling the chest completely normal",
        "reports that found nothing wrong at all",
    ],
)
def test_a_study_that_is_normal_in_other_words_is_normal(query: str) -> None:
    assert parse_query_text(query).judgment == "normal"


@pytest.mark.parametrize(
    ("query", "groups", "ruled_out"),
    [
        ("pneumonia that they ruled out", [], ["pneumonia"]),
        ("nodule, mass would be unacceptable", [["nodule"]], ["mass"]),
        ("instead of effusion show mass", [["mass"]], [EFFUSION]),
        ("effusion, hemoglobin dropped", [[EFFUSION]], []),
        ("cannot deny pneumonia", [["pneumonia"]], []),
        ("tube not to be removed", [["tube"]], []),
        ("nasogastric tube gone into the lung", [["nasogastric tube"]], []),
        ("effusion gone", [["pleural effusion, resolved"]], []),
    ],
)
def test_words_of_denials_in_other_senses(query: str, groups: list[list[str]], ruled_out: list[str]) -> None:
    meaning = parse_query_text(query)
    assert [[one.description for one in group] for group in meaning.wanted] == groups
    assert [one.description for one in meaning.ruled_out] == ruled_out
    assert not meaning.ruled_out_words


@pytest.mark.parametrize(
    ("query", "contradictions"),
    [
        ("edema and no edema", [EDEMA]),
        ("left mass, but no mass on the left", ["mass, left"]),
        ("left mass, no right mass", []),
        ("edema that has resolved, no edema", []),
        ("mass or edema, no edema", []),
        ("history of edema, no edema", []),
    ],
)
def test_what_is_wanted_and_ruled_out_is_a_contradiction(query: str, contradictions: list[str]) -> None:
    parsed = parse_query_text(query)
    assert [one.description for one in parsed.contradictions] == contradictions
    assert not parsed.not_applied
