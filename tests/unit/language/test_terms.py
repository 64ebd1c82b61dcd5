"""Terms of texts and of studies."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_cxr.language import document_terms, terms
from mcp_cxr.records import ImageId, Study, StudyId, SubjectId
from mcp_cxr.stores import sample_key


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Pleural effusions", ["pleural", "effus"]),
        ("show me X-ray images with EDEMA", ["edema"]),
        ("No pneumothorax.", ["no", "pneumothorax"]),
        ("Épanchement à gauche", ["epanch", "gauch"]),
        ("T12/L1", ["t12", "l1"]),
        ("", []),
        ("... \N{SNOWMAN}", []),
    ],
)
def test_terms_have_no_accents_or_stop_words_and_are_stemmed(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


@given(st.text())
def test_terms_of_any_text_are_ascii_letters_and_digits(text: str) -> None:
    assert all(re.fullmatch(r"[a-z0-9]+", term) for term in terms(text))


def test_document_terms_have_present_labels_and_shared_tags_once() -> None:
    labels = {"Edema": 1, "Fracture": 0, "Pneumonia": -1}
    study = Study(StudyId("s1"), SubjectId("p1"), labels=labels, report="Clear.")
    tags = {"StudyDescription": "Portable", "KVP": 90}
    assert document_terms(study, [("AP", tags), ("LATERAL", tags), ("AP", {})]) == [
        "clear",
        "0ispulmonaryedema",
        "0ofpulmonaryedema",
        "0nofracture",
        "0maypneumonia",
        "0ofpneumonia",
        "edema",
        "ap",
        "lateral",
        "portabl",
    ]


def test_sample_keys_do_not_change() -> None:
    assert sample_key(ImageId("02aa804e-bde0afdd-112c0b34-7bc16630-4e384014")) == 591672363737457715
    assert 0 <= sample_key(ImageId("")) < 2**63
