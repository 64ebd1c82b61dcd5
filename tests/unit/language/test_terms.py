"""Terms of texts and of studies."""

from __future__ import annotations

import pytest

from mcp_cxr.language import READ_TERM, document_terms, finding_term, terms
from mcp_cxr.records import ImageId, Study, StudyId, SubjectId
from mcp_cxr.stores import sample_key

EFFUSION = "pleural effusion"


def terms_of(report: str | None, labels: dict[str, int] | None = None, by: str | None = None) -> set[str]:
    study = Study(StudyId("s1"), SubjectId("p1"), labels=labels or {}, report=report, labels_by=by)
    return set(document_terms(study, []))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Pleural effusions", ["pleural", "effus"]),
        ("show me X-ray images with EDEMA", ["edema"]),
        ("No pneumothorax.", ["no", "pneumothorax"]),
        ("Épanchement à gauche", ["epanch", "gauch"]),
        ("T12/L1", ["t12", "l1"]),
        ("胸部", ["胸部"]),
        ("胸部正位", ["胸部", "部正", "正位"]),
        ("胸", ["胸"]),
        ("грудная клетка", ["грудная", "клетка"]),
        ("", []),
        ("... \N{SNOWMAN}", []),
    ],
)
def test_terms_have_no_accents_or_stop_words_and_are_stemmed(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


@pytest.mark.parametrize(
    ("report", "finding", "denied"),
    [
        ("No upper lobe consolidation.", "consolidation", False),
        ("No rib fracture.", "rib fracture", True),
        ("Upper lobe consolidation has resolved.", "consolidation", True),
        ("Hilar contours are normal.", "hilar enlargement", True),
    ],
)
def test_a_finding_that_is_denied_where_it_always_is_is_absent(report: str, finding: str, *, denied: bool) -> None:
    assert (finding_term("absent", finding) in terms_of(report)) is denied


def test_a_word_of_another_script_is_found_within_a_longer_run() -> None:
    tags = {"StudyDescription": "胸部正位"}
    held = document_terms(Study(StudyId("s1"), SubjectId("p1")), [("UNKNOWN", tags)])
    assert set(terms("胸部")) <= set(held)


def test_document_terms_have_labels_present_ones_as_words_and_shared_tags_once() -> None:
    labels = {"Edema": 1, "Fracture": 0, "Pneumonia": -1}
    study = Study(StudyId("s1"), SubjectId("p1"), labels=labels)
    tags = {"StudyDescription": "Portable", "KVP": 90}
    found = document_terms(study, [("AP", tags), ("LATERAL", tags), ("AP", {})])
    assert {"edema", "ap", "lateral", "portabl", READ_TERM} <= set(found)
    assert not {"fractur", "pneumonia", "90", "kvp"} & set(found)
    assert [found.count(term) for term in ("ap", "portabl")] == [1, 1]
    stated = {finding_term("present", "pulmonary edema"), finding_term("possible", "pneumonia")}
    stated |= {finding_term("absent", "fracture")}
    assert stated <= set(found)
    assert finding_term("present", "pneumonia") not in found


@pytest.mark.parametrize(
    ("report", "has"),
    [
        *(("Small left effusion.", True), ("Possible effusion.", True), ("No effusion.", True), ("Hm.", True)),
        *(("", False), (None, False), ("   \n", False), ("XXXX ___ .", False)),
    ],
)
def test_a_study_with_statements_is_marked_as_read(report: str | None, has: bool) -> None:
    assert (READ_TERM in terms_of(report)) == has


def test_each_combination_of_one_mentions_modifiers_is_a_term() -> None:
    held = terms_of("Small left effusion. Large right effusion.")
    for stated in ({"left"}, {"small"}, {"left", "small"}, {"right", "large"}, set[str]()):
        assert finding_term("present", EFFUSION, frozenset(stated)) in held
    for not_stated in ({"left", "large"}, {"right", "small"}):
        assert finding_term("present", EFFUSION, frozenset(not_stated)) not in held


def test_a_possible_finding_has_no_term_of_a_present_one() -> None:
    held = terms_of("Possible left effusion.")
    assert finding_term("possible", EFFUSION, frozenset({"left"})) in held
    assert finding_term("present", EFFUSION) not in held


def test_an_absent_side_beside_a_present_one_has_a_term_of_its_own() -> None:
    held = terms_of("No left effusion. Right effusion.")
    assert finding_term("absent", EFFUSION, frozenset({"left"})) in held
    assert finding_term("absent", EFFUSION) not in held


def test_a_resolved_finding_is_absent_and_found_as_resolved() -> None:
    held = terms_of("Right pneumothorax has resolved.")
    assert finding_term("absent", "pneumothorax") in held
    assert finding_term("present", "pneumothorax") not in held
    assert finding_term("present", "pneumothorax", frozenset({"resolved", "right"})) in held
    assert finding_term("present", "tension pneumothorax", frozenset({"resolved"})) not in held


def test_denied_words_are_no_words_and_the_history_has_terms_of_its_own() -> None:
    held = terms_of("INDICATION: Tuberculosis.\nFINDINGS: No effusion. Sternotomy.")
    assert "sternotomi" in held
    assert not {"effus", "tuberculosi"} & held
    assert finding_term("history", "tuberculosis") in held
    assert finding_term("possible", "tuberculosis") not in held


def test_a_report_and_a_label_that_disagree_are_a_conflict() -> None:
    assert finding_term("conflict", EFFUSION) in terms_of("Left effusion.", {"Pleural Effusion": 0})
    assert finding_term("conflict", EFFUSION) not in terms_of("Left effusion.", {"Pleural Effusion": 1})
    assert finding_term("conflict", EFFUSION) not in terms_of("Clear.", {"Pleural Effusion": 0})


def test_a_finding_that_is_gone_on_one_side_is_denied_on_both() -> None:
    held = terms_of("Left effusion is no longer seen.")
    assert {finding_term("absent", EFFUSION, frozenset({side})) for side in ("left", "right")} <= held


def test_labels_of_people_decide_on_every_side() -> None:
    held = terms_of("No left, small right effusion.", {"Pleural Effusion": 0}, "people")
    assert {finding_term("absent", EFFUSION, frozenset({side})) for side in ("left", "right")} <= held
    held = terms_of("Left effusion.", {"Pleural Effusion": -1}, "people")
    assert finding_term("possible", EFFUSION, frozenset({"left"})) in held
    assert finding_term("present", EFFUSION) not in held
    assert finding_term("present", EFFUSION) in terms_of("Possible effusion.", {"Pleural Effusion": 1}, "people")


def test_no_finding_is_at_odds_with_findings_and_with_a_normal_report() -> None:
    conflict = finding_term("conflict", "no finding")
    assert conflict in terms_of("Left effusion.", {"No Finding": 1})
    assert conflict not in terms_of("Left effusion.", {"No Finding": 0})
    assert conflict not in terms_of("Possible effusion.", {"No Finding": 1})
    assert conflict not in terms_of("Scoliosis.", {"No Finding": 1})  # which no other label includes
    assert conflict in terms_of("Normal heart. Clear lungs.", {"No Finding": 0})


def test_what_a_table_of_positive_labels_leaves_out_is_unknown() -> None:
    def is_read(label: str, report: str | None = None) -> bool:
        study = Study(StudyId("s1"), SubjectId("p1"), labels={label: 1}, positives_only=True, report=report)
        return READ_TERM in document_terms(study, [])

    assert not is_read("Edema")
    assert is_read("Edema", "Edema.")
    assert is_read("No Finding")


def test_sample_keys_do_not_change() -> None:
    assert sample_key(ImageId("02aa804e-bde0afdd-112c0b34-7bc16630-4e384014")) == 591672363737457715
    assert 0 <= sample_key(ImageId("")) < 2**63
