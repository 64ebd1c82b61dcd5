"""Misspelled names of findings in reports."""

from __future__ import annotations

import pytest
from spellchecker import SpellChecker

from mcp_cxr.language import Status, mentions_in, report_statements
from mcp_cxr.language._vocabulary import TOKEN, normalize
from mcp_cxr.language.reader._misspellings import correctly_spelled

PRESENT, POSSIBLE, ABSENT = Status.PRESENT, Status.POSSIBLE, Status.ABSENT


def statuses(sentence: str) -> dict[str, Status]:
    return {one.finding.name: one.status for one in mentions_in(sentence) if one.finding}


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("No pneumothroax is seen.", {"pneumothorax": ABSENT}),
        ("Bibasilar atelectesis.", {"atelectasis": PRESENT}),
        ("Small pleural effussions, no consolidtion.", {"pleural effusion": PRESENT, "consolidation": ABSENT}),
        ("Stable cardiomegally.", {"cardiomegaly": PRESENT}),
        ("Hazy opacites may be pneumonai.", {"opacity": PRESENT, "pneumonia": POSSIBLE}),
        ("Calcifed granulmoa in the left apex.", {"calcified granuloma": PRESENT}),
        ("Plueral thickenning.", {"pleural thickening": PRESENT}),
        ("Mild pulmonray edema.", {"pulmonary edema": PRESENT}),
        ("The endotrachael tube ends above the carina.", {"endotracheal tube": PRESENT}),
    ],
)
def test_names_with_one_wrong_letter_are_read(sentence: str, expected: dict[str, Status]) -> None:
    assert statuses(sentence) == expected


@pytest.mark.parametrize(
    "sentence",
    [
        "Contract the clinic after the injection.",  # words of their own
        "An avascular area of the hepatoma.",
        "A modular plate.",
        "The pnuemothroax",  # two edits
        "Lungs and edmea.",  # too short
    ],
)
def test_other_words_are_left_alone(sentence: str) -> None:
    assert statuses(sentence) == {}


def test_no_word_of_english_is_taken_for_another() -> None:
    words = set(TOKEN.findall(normalize(" ".join(SpellChecker("en").word_frequency.words()))))
    assert {word: correct for word in words if (correct := correctly_spelled(word)) != word} == {}


def test_statements_stay_as_written() -> None:
    (statement,) = report_statements("FINDINGS: Large left effussion.")
    assert statement.text == "Large left effussion."
    assert [one.name for one in statement.mentions if one.finding] == ["pleural effusion"]
