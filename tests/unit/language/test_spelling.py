"""Misspelled words of a query."""

from __future__ import annotations

import pytest

from mcp_cxr.language.query import Correction, one_edit_away, parse_query_text


@pytest.mark.parametrize(
    ("query", "corrections", "finding"),
    [
        ("pneumotorax", [("pneumotorax", "pneumothorax")], "pneumothorax"),
        ("cardiomegally", [("cardiomegally", "cardiomegaly")], "cardiomegaly"),
        ("atelectesis", [("atelectesis", "atelectasis")], "atelectasis"),
        ("emphysma", [("emphysma", "emphysema")], "emphysema"),
        ("emhpysema", [("emhpysema", "emphysema")], "emphysema"),
        ("pnuemothorx", [("pnuemothorx", "pneumothorax")], "pneumothorax"),
        ("plural effusion", [("plural", "pleural")], "pleural effusion"),
        (
            "blunted costofrenic angel",
            [("costofrenic", "costophrenic"), ("angel", "angle")],
            "blunted costophrenic angle",
        ),
        (
            "left lowr lobe consolidaton",
            [("lowr", "lower"), ("consolidaton", "consolidation")],
            "consolidation",
        ),
        ("plural thickning", [("plural", "pleural"), ("thickning", "thickening")], "pleural thickening"),
        ("efussion", [("efussion", "effusion")], "pleural effusion"),
        ("emfysema", [("emfysema", "emphysema")], "emphysema"),
        ("kifosis", [("kifosis", "kyphosis")], "kyphosis"),
        ("haitus hernia", [("haitus", "hiatus")], "hiatal hernia"),
        ("bronchiect", [("bronchiect", "bronchiectasis")], "bronchiectasis"),
    ],
)
def test_a_word_near_one_word_of_the_tables_is_corrected(
    query: str, corrections: list[tuple[str, str]], finding: str
) -> None:
    meaning = parse_query_text(query)
    assert [Correction(typed, (word,)) for typed, word in corrections] == list(meaning.corrections)
    assert meaning.names == (finding,)


@pytest.mark.parametrize("query", ["ptx", "edma", "s12345678", "effusions", "T12", "胸腔积液", "épanchement", "xyzzyx"])
def test_short_known_and_far_words_are_left(query: str) -> None:
    assert parse_query_text(query).corrections == ()


@pytest.mark.parametrize(
    "word", ["every", "placement", "operative", "years", "inpatients", "angel", "shadows", "through"]
)
def test_everyday_words_are_not_corrected(word: str) -> None:
    assert parse_query_text(f"pneumothorax {word} something").corrections == ()
    assert parse_query_text(f"bulging {word} the fissure").corrections == ()


@pytest.mark.parametrize(
    "word", ["osteopetrosis", "mamillary", "hypolucent", "interlobar", "macronodules", "spondylitis"]
)
def test_rare_words_and_opposites_are_not_corrected(word: str) -> None:
    assert parse_query_text(f"{word} something").corrections == ()


@pytest.mark.parametrize("query", ["ASD repair", "repaired ASD", "atrial septal defect", "CTR < 50%"])
def test_what_only_looks_like_a_finding_is_none(query: str) -> None:
    assert parse_query_text(query).findings == ()


def test_one_edit_is_an_insertion_a_deletion_a_replacement_or_a_swap() -> None:
    assert {"abc", "a", "b", "ac", "ba", "aab"} <= set(one_edit_away("ab"))
    assert "abcd" not in set(one_edit_away("ab"))
