"""What a query asks for, how its findings are joined, and what it rules out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_cxr.language import document_terms, finding_term
from mcp_cxr.language.query import WantedFinding, parse_query_text, read_text_filters
from mcp_cxr.records import Study, StudyId, SubjectId

if TYPE_CHECKING:
    from mcp_cxr.language import TermKind


def terms_of(report: str) -> set[str]:
    return set(document_terms(Study(StudyId("s1"), SubjectId("p1"), report=report), []))


def is_ruled_out(query: str, report: str) -> bool:
    return any(states(report, one, "present", "possible") for one in parse_query_text(query).ruled_out)


def states(report: str, one: WantedFinding, *kinds: TermKind) -> bool:
    held = terms_of(report)
    return all(held & set(some) for some in one.required_terms(kinds))


@pytest.mark.parametrize(
    ("query", "groups"),
    [
        ("effusion and edema", [["pleural effusion"], ["pulmonary edema"]]),
        ("effusion with edema", [["pleural effusion"], ["pulmonary edema"]]),
        ("effusion, edema", [["pleural effusion"], ["pulmonary edema"]]),
        ("effusion or edema", [["pleural effusion", "pulmonary edema"]]),
        ("effusion, edema or nodule", [["pleural effusion", "pulmonary edema", "nodule"]]),
        ("effusion or edema and nodule", [["pleural effusion", "pulmonary edema"], ["nodule"]]),
        ("pneumonia versus atelectasis", [["pneumonia", "atelectasis"]]),
        ("opacities, for example consolidation, with effusion", [["opacity", "consolidation"], ["pleural effusion"]]),
        ("scoliosis and a fused spine", [["scoliosis"], ["spinal hardware"]]),
        ("effusion and a large heart, which might indicate heart failure", [["pleural effusion"], ["cardiomegaly"]]),
        ("negatives for cardiomegaly that nonetheless have a tortuous aorta", [["tortuous aorta"]]),
        ("effusion effusions", [["pleural effusion"]]),
        ("effusion or (edema and nodule)", [["pleural effusion", "pulmonary edema"], ["pleural effusion", "nodule"]]),
        ("either a nodule, or effusion with edema", [["nodule", "pleural effusion"], ["nodule", "pulmonary edema"]]),
        ("effusion with edema, or nodule", [["pleural effusion", "nodule"], ["pulmonary edema", "nodule"]]),
        ("(effusion or edema) and (nodule or mass)", [["pleural effusion", "pulmonary edema"], ["nodule", "mass"]]),
        (
            "((effusion and edema) or nodule) and not (mass or bulla)",
            [["pleural effusion", "nodule"], ["pulmonary edema", "nodule"]],
        ),
        ("finding:effusion AND (label:edema OR label:nodule)", [["pleural effusion"], ["pulmonary edema", "nodule"]]),
        ("effusion (left or right) and edema", [["pleural effusion", "pleural effusion"], ["pulmonary edema"]]),
        ("left", []),
        ("", []),
    ],
)
def test_and_joins_groups_and_or_the_findings_of_one(query: str, groups: list[list[str]]) -> None:
    found = list(dict.fromkeys(tuple(one.name for one in group) for group in parse_query_text(query).wanted))
    assert found == [tuple(group) for group in groups]


@pytest.mark.parametrize(
    ("query", "judgment"),
    [
        ("normal chest", "normal"),
        ("CXR WNL", "normal"),
        ("nothing abnormal", "normal"),
        ("Clean reads only. No abnormality of any sort, please.", "normal"),
        ("completely clean film, nothing to report", "normal"),
        ("no abnormal findings", "no finding"),
        ("show me normal chest x-rays", "normal"),
        ("no findings", "no finding"),
        ("no pathology seen", "no finding"),
        ("no acute cardiopulmonary process", "no acute finding"),
        ("not normal", "abnormal"),
        ("I want ten normal chest x-rays", "normal"),
        ("normal chest without pacemaker", "normal"),
        ("anything but normal", "abnormal"),
        ("radiographs without any findings", "no finding"),
        ("chest film with no abnormality", "no finding"),
        ("x-rays free of pathology", "no finding"),
        ("no evidence of anything acute", "no acute finding"),
        ("no normal studies", "abnormal"),
        ("healthy controls for pneumonia", "normal"),
        ("NAD on CXR, need a few for students", "normal"),
        ("we need controls, i.e. no abnormality of lungs, heart and bones", "no finding"),
        ("controls: radiographs without any abnormality", "no finding"),
        ("studies that do not show any abnormality", "no finding"),
        ("nothing acute", "no acute finding"),
        ("no acute cardiac or pulmonary abnormality seen", "no acute finding"),
        ("reports without evidence of an acute intrathoracic process", "no acute finding"),
        ("clear, no acute disease", "normal"),
        ("no acute bony abnormality", None),
        ("not a normal film", "abnormal"),
        ("perfectly healthy chest", "normal"),
        ("exclude normal studies", "abnormal"),
        ("any abnormality", "abnormal"),
        ("is there anything wrong?", "abnormal"),
        ("normal heart size", None),
        ("effusion", None),
    ],
)
def test_a_study_as_a_whole_is_judged(query: str, judgment: str | None) -> None:
    assert parse_query_text(query).judgment == judgment


@pytest.mark.parametrize(
    ("query", "stated", "not_stated"),
    [
        ("no effusion", "Left effusion.", "No effusion."),
        ("no large effusion", "Large effusion.", "Small effusion."),
        ("edema without left effusion", "Left effusion.", "Right effusion."),
        ("edema without support devices", "Left pacemaker.", "Clear lungs."),
        ("no lines and tubes", "The ETT is in place.", "Clear lungs."),
        ("no fracture", "Rib fracture.", "Scoliosis."),
    ],
)
def test_what_is_ruled_out_is_what_is_stated_as_asked(query: str, stated: str, not_stated: str) -> None:
    assert is_ruled_out(query, stated)
    assert not is_ruled_out(query, not_stated)


@pytest.mark.parametrize(
    "query", ["effusion left or right", "left or right effusion", "effusion on the left or the right"]
)
def test_left_or_right_is_either_side(query: str) -> None:
    assert [[one.sides for one in group] for group in parse_query_text(query).wanted] == [[("left",), ("right",)]]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("small or moderate effusion", ["pleural effusion, small", "pleural effusion, moderate"]),
        ("mild to moderate edema", ["pulmonary edema, mild", "pulmonary edema, moderate"]),
        ("opacity in the upper or lower lobe", ["opacity, upper lobe", "opacity, lower lobe"]),
        ("effusion (left or right)", ["pleural effusion, left", "pleural effusion, right"]),
        ("right middle or lower lobe mass", ["mass, right, middle lobe", "mass, right, lower lobe"]),
        ("mass in the RUL or LLL", ["mass, right, upper lobe", "mass, left, lower lobe"]),
        ("acute or old rib fracture", ["rib fracture, old", "rib fracture"]),
        ("fracture of ribs or clavicles", ["rib fracture", "clavicle fracture"]),
    ],
)
def test_modifiers_that_or_joins_are_alternatives(query: str, wanted: list[str]) -> None:
    assert [[one.description for one in group] for group in parse_query_text(query).wanted] == [wanted]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("CM, low vols", ["cardiomegaly", "low lung volumes"]),
        ("LUL gran", ["granuloma, left, upper lobe"]),
        ("elev R hemidiaph, hyper-inflation", ["elevated diaphragm, right", "hyperinflation"]),
        ("blunted costo phrenic angles", ["blunted costophrenic angle"]),
        ("2 CM nod RLL", ["nodule, right, lower lobe"]),
        ("calc'd granuloma, degen spine", ["calcified granuloma", "degenerative spine"]),
        (
            "pulm edema, mod effs, RML opac",
            ["pulmonary edema", "pleural effusion, moderate", "opacity, right, middle lobe"],
        ),
    ],
)
def test_shortened_words_are_read(query: str, wanted: list[str]) -> None:
    assert [one.description for one in parse_query_text(query).findings] == wanted


@pytest.mark.parametrize("query", ["d\u0131aph", "\u017fm"])
def test_letters_that_only_look_like_shorthand_are_left_as_they_are(query: str) -> None:
    assert parse_query_text(query).text == query


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("multiple nodules", "nodule, multiple"),
        ("at least two nodules", "nodule, multiple"),
        ("more than one calcified granuloma", "calcified granuloma, multiple"),
        ("3 or more rib fractures", "rib fracture, multiple"),
        ("two nodules", "nodule, multiple"),
        ("nodules", "nodule"),
        ("at least one nodule", "nodule"),
        ("two or more views of a nodule", "nodule"),
        ("multiple opacities", "opacity"),
        ("old scars", "scar"),
        ("chronic degenerative changes", "degenerative change"),
        ("old fractures", "fracture, old"),
    ],
)
def test_several_is_asked_for_of_what_is_counted_and_old_of_what_may_be_new(query: str, wanted: str) -> None:
    assert [one.description for one in parse_query_text(query).findings] == [wanted]


def test_a_number_alone_is_no_word_of_a_query() -> None:
    assert parse_query_text("effusion in 3 patients").words == ()


@pytest.mark.parametrize(
    ("report", "stated"),
    [("Spurring of T9.", True), ("Spurring of the spine.", True), ("Spurring of the left knee.", False)],
)
def test_a_finding_of_the_spine_may_be_at_any_of_its_levels(report: str, *, stated: bool) -> None:
    (one,) = parse_query_text("spinal osteophytes").findings
    assert states(report, one, "present") is stated


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("hilar mass", "mass, hilum"),
        ("retrocardiac density", "opacity, retrocardiac"),
        ("shoulder prosthesis", "joint prosthesis, shoulder"),
        ("calcified hilar nodes", "calcified lymph node, hilum"),
        ("bibasilar fibrosis", "pulmonary fibrosis, bilateral, base"),
        ("rib fracture", "rib fracture"),
        ("air in the mediastinum", "pneumomediastinum"),
        ("upper lobe diversion", "vascular congestion"),
        ("big heart", "cardiomegaly"),
        ("clips in the right upper quadrant", "cholecystectomy clips"),
        ("bony spurs of the vertebrae", "osteophyte, spine"),
        ("compression deformity of the spine", "compression deformity"),
        ("right convex scoliosis", "dextroscoliosis"),
        ("hilar calcifications", "calcification, hilum"),
        ("abdominal aortic aneurysm", "aortic aneurysm"),
        ("scars at the bases", "scar, base"),
        ("collapsed lung tissue at the bottom of the left lung", "atelectasis, left, base"),
    ],
)
def test_a_place_in_the_name_of_a_finding_is_asked_for(query: str, wanted: str) -> None:
    assert [one.description for one in parse_query_text(query).findings] == [wanted]


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("atelectasis or pneumonia at the left base", [["base", "left"], ["base", "left"]]),
        ("effusion, mass and nodule on the right", [["right"], ["right"], ["right"]]),
        ("cardiomegaly or effusion on the left", [[], ["left"]]),
        ("left effusion and nodule on the right", [["left"], ["right"]]),
    ],
)
def test_a_place_behind_a_list_is_that_of_each_finding(query: str, places: list[list[str]]) -> None:
    parsed = parse_query_text(query)
    assert [sorted(one.modifiers) for one in parsed.findings] == places
    assert parsed.words == ()


@pytest.mark.parametrize(
    ("query", "is_hedged"),
    [
        ("possible pneumonia", True),
        ("pneumonia?", True),
        ("pneumonia cannot be excluded", True),
        ("we can't really exclude pneumonia", True),
        ("couldn't entirely rule out pneumonia", True),
        ("radiologist hedged about pneumonia", True),
        ("unsure whether there is a pneumonia", True),
        ("pneumonia, may show edema", True),
        ("pneumonia for certain, not possible", False),
        ("reluctant to call pneumonia", True),
        ("pneumonia", False),
        ("which patients have pneumonia?", False),
        ("do any films show pneumonia?", False),
        ("could you pull up recent studies with pneumonia?", False),
        ("any chance you could show pneumonia", False),
    ],
)
def test_a_query_hedges_by_its_words_not_by_being_a_question(query: str, is_hedged: bool) -> None:
    assert parse_query_text(query).is_hedged == is_hedged


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("show me all patients with effusion please", ()),
        ("a dog on the beach", ("dog", "beach")),
        ("effusion near a zebra", ("near", "zebra")),
        ("opacities c/w edema", ()),
        ("pt w/ effusion", ()),
        ("effusion at both lung bases", ()),
        ("effusion as well as edema", ()),
        ("胸部", ("胸部",)),
    ],
)
def test_request_words_are_left_out_of_the_words(query: str, words: tuple[str, ...]) -> None:
    assert parse_query_text(query).words == words


def test_a_finding_is_described_for_people_and_phrased_to_embed() -> None:
    (one,) = parse_query_text("small left pleural effusion").findings
    assert (one.description, one.phrase) == ("pleural effusion, left, small", "small left pleural effusion")
    (both,) = parse_query_text("bilateral effusions").findings
    assert (both.description, both.phrase) == ("pleural effusion, bilateral", "bilateral pleural effusion")
    (mild,) = parse_query_text("slight edema").findings
    assert (mild.description, mild.phrase) == ("pulmonary edema, mild", "mild pulmonary edema")
    (past,) = parse_query_text("history of tuberculosis").findings
    assert (past.in_history, past.description) == (True, "history of tuberculosis")


def test_only_the_affirmed_part_of_a_query_is_embedded() -> None:
    assert parse_query_text("please show me a small left effusion").text_to_embed == "small left pleural effusion"
    parsed = parse_query_text("small left effusion but no pneumothorax or edema")
    assert parsed.text_to_embed == "small left pleural effusion"
    assert parsed.ruled_out_texts == ("pneumothorax", "pulmonary edema")
    assert parse_query_text("no effusion").text_to_embed == ""
    assert parse_query_text("a dog on the beach").text_to_embed == "a dog on the beach"


def test_both_sides_may_be_stated_in_two_mentions() -> None:
    (both,) = parse_query_text("bilateral effusions").findings
    assert states("Small left effusion. Large right effusion.", both, "present")
    assert not states("Left effusion.", both, "present")
    assert not states("Left effusion. Possible right effusion.", both, "present")
    assert states("Left effusion. Possible right effusion.", both, "present", "possible")


def test_a_near_place_satisfies_the_place_asked_for() -> None:
    one = WantedFinding("opacity", frozenset({"left", "lower lobe"}))
    assert one.accepted(frozenset({"left", "base"})) == {"left", "lower lobe"}
    assert one.accepted(frozenset({"left", "upper lobe"})) == {"left"}
    assert states("Left basilar opacity.", one, "present")


@pytest.mark.parametrize("query", ["胸腔积液", "sans épanchement", "keine Pleuraergüsse", "no derrame", "胸部"])
def test_a_query_in_another_language_names_no_finding(query: str) -> None:
    meaning = parse_query_text(query)
    assert not meaning.wanted
    assert not meaning.ruled_out
    assert meaning.words or meaning.ruled_out_words


def test_a_term_of_a_finding_is_one_token() -> None:
    assert finding_term("present", "ground-glass opacity", frozenset({"left", "upper lobe"})).isalnum()


def test_both_before_two_findings_is_no_side() -> None:
    assert [one.description for one in parse_query_text("both effusion and edema").findings] == [
        "pleural effusion",
        "pulmonary edema",
    ]
    assert parse_query_text("effusion in both lungs and edema").findings[0].sides == ("left", "right")


@pytest.mark.parametrize("part", ["(a or ", "-a ", "a=no ", "not left, ", "effusion with or without edema, "])
def test_the_longest_query_is_read(part: str) -> None:
    parse_query_text((part * 2000)[:2000])


@pytest.mark.parametrize("query", ["at least 2000 images", "more than 2010 studies"])
def test_a_number_of_studies_is_no_year(query: str) -> None:
    assert read_text_filters(query).date_from is None


@pytest.mark.parametrize(
    ("query", "findings", "words"),
    [
        ("indication: edema", ["history of pulmonary edema"], ()),
        ("edema in the clinical history", ["history of pulmonary edema"], ()),
        ("reason for exam edema", ["history of pulmonary edema"], ()),
        ("history: edema", ["history of pulmonary edema"], ()),
        ("fracture with history of edema", ["fracture", "history of pulmonary edema"], ()),
        ("indication", [], ("indication",)),
    ],
)
def test_words_that_name_the_history_are_not_searched_for(
    query: str, findings: list[str], words: tuple[str, ...]
) -> None:
    meaning = parse_query_text(query)
    assert ([one.description for one in meaning.findings], meaning.words) == (findings, words)


@pytest.mark.parametrize(
    ("query", "wanted", "not_applied", "ruled_out"),
    [
        ("no tubes except a tracheostomy tube", ["tracheostomy tube"], ("no other tube",), []),
        ("pacemaker without any other device", ["pacemaker"], ("no other support device",), []),
        (
            "rib fracture but no other fracture and no edema",
            ["rib fracture"],
            ("no other fracture",),
            ["pulmonary edema"],
        ),
        ("mass or edema but no opacity", ["mass", "pulmonary edema"], (), ["opacity"]),
        ("catheter but no PICC", ["catheter"], (), ["picc"]),
    ],
)
def test_a_denial_of_all_that_is_wanted_is_named_and_not_applied(
    query: str, wanted: list[str], not_applied: tuple[str, ...], ruled_out: list[str]
) -> None:
    meaning = parse_query_text(query)
    assert [one.name for one in meaning.findings] == wanted
    assert ([one.name for one in meaning.ruled_out], meaning.not_applied) == (ruled_out, not_applied)
