from __future__ import annotations

import pytest

from tests.bench.reports.expressions import Code, ExpressionError, parse_expression


def holds(expression: str, *codes: str) -> bool:
    return parse_expression(expression)([Code.parse(code) for code in codes])


@pytest.mark.parametrize(
    ("expression", "codes", "expected"),
    [
        ("Pleural Effusion", ["Pleural Effusion/left/small"], True),
        ("pleural  effusion ", [" Pleural Effusion "], True),
        ("Effusion", ["Pleural Effusion"], False),
        ("Catheters, Indwelling", ["Catheters, Indwelling/right"], True),
        ("Aorta", ["Aorta, Thoracic/tortuous"], False),
        ("normal", ["normal"], True),
        ("Cardiomegaly", [], False),
        ("!Cardiomegaly", [], True),
    ],
)
def test_a_head_is_compared_whole_without_case_and_outer_spaces(
    expression: str, codes: list[str], expected: bool
) -> None:
    assert holds(expression, *codes) is expected


def test_qualifiers_must_stand_in_one_code() -> None:
    assert holds("Pleural Effusion[left & small]", "Pleural Effusion/left/small")
    assert not holds("Pleural Effusion[left & small]", "Pleural Effusion/left", "Pleural Effusion/right/small")
    assert not holds("Pleural Effusion[left]", "Opacity/left", "Pleural Effusion")


def test_bilateral_serves_both_sides() -> None:
    assert holds("Opacity[left] & Opacity[right & base]", "Opacity/lung/base/bilateral")
    assert holds("Opacity[bilateral]", "Opacity/bilateral")
    assert not holds("Opacity[bilateral]", "Opacity/left", "Opacity/right")


def test_qualifiers_are_joined_like_heads() -> None:
    assert holds("Nodule[right & (base | lower lobe)]", "Nodule/lung/lower lobe/right")
    assert holds("Implanted Medical Device[!(aortic valve | humerus)]", "Implanted Medical Device")
    assert not holds("Implanted Medical Device[!(aortic valve | humerus)]", "Implanted Medical Device/aortic valve")


def test_not_binds_before_and_and_before_or() -> None:
    assert holds("A | B & !C", "A", "C")
    assert not holds("(A | B) & !C", "A", "C")
    assert holds("!A & B", "B")
    assert not holds("!(A & B)", "A", "B")


@pytest.mark.parametrize(
    "expression", ["", "A &", "A B]", "A[", "A[]", "(A", "A)", "| A", "A[left]b", "!", "A[left][small]"]
)
def test_a_malformed_expression_is_refused(expression: str) -> None:
    with pytest.raises(ExpressionError):
        parse_expression(expression)
