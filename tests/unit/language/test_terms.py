"""Text becomes the same terms for every store and for the question."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_cxr.language import document, terms
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
def test_terms_are_folded_stemmed_and_without_stop_words(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


@given(st.text())
def test_terms_are_plain_letters_and_digits_whatever_the_text(text: str) -> None:
    assert all(re.fullmatch(r"[a-z0-9]+", term) for term in terms(text))


def test_a_document_holds_present_labels_and_what_images_share_once() -> None:
    labels = {"Edema": 1, "Fracture": 0, "Pneumonia": -1}
    study = Study(StudyId("s1"), SubjectId("p1"), labels=labels, report="Clear.")
    tags = {"StudyDescription": "Portable", "KVP": 90}
    assert document(study, [("AP", tags), ("LATERAL", tags), ("AP", {})]) == [
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


def test_the_sample_key_stays_what_it_is() -> None:
    assert sample_key(ImageId("02aa804e-bde0afdd-112c0b34-7bc16630-4e384014")) == 591672363737457715
    assert 0 <= sample_key(ImageId("")) < 2**63
